/**
 * An artifact in S3, with the settings that checkpoints have.
 *
 * What must hold: the bytes are of one object, although somebody may replace it meanwhile. So they come with one request: the first part, which is all of most
 * artifacts, or, when there is more, the whole anew, which is in memory for that time. Nothing is listed: the right to read objects is enough.
 */
import type { ObjectStore } from '../checkpoint/object-store.ts'
import { isTailraceError, TailraceError } from '../core/errors.ts'
import { tooLarge } from './http.ts'

/** Opens the store at an `s3:` URL; its keys are relative to that. */
export type OpenStore = (place: string) => Promise<ObjectStore>

const PART_BYTES = 4 * 2 ** 20

/**
 * Throws TR-ARTIFACT-003 when the store does not answer, 004 when the object is not there or access is denied, 006 when it is too large.
 *
 * @param location `s3://bucket/path/job.mjs`
 */
export async function* readS3(location: string, open: OpenStore, sizeMax: number): AsyncGenerator<Uint8Array> {
  const at = location.lastIndexOf('/')
  const key = location.slice(at + 1)
  const store = await open(location.slice(0, at)).catch((error) => {
    throw inOurWords(location, error)
  })
  try {
    let bytes = await store.get(key, { offset: 0, length: PART_BYTES })
    if (bytes?.length === PART_BYTES) bytes = await store.get(key, { offset: 0, length: sizeMax + 1 })
    if (bytes === undefined)
      throw new TailraceError('TR-ARTIFACT-004', `Cannot fetch ${location}: there is no such object`)
    if (bytes.length > sizeMax) throw tooLarge(location, `more than ${sizeMax} bytes`, sizeMax)
    yield bytes
  } catch (error) {
    throw inOurWords(location, error)
  } finally {
    await store.close()
  }
}

const CODES: Record<string, 'TR-ARTIFACT-001' | 'TR-ARTIFACT-004'> = {
  'TR-CHECKPOINT-005': 'TR-ARTIFACT-004',
  'TR-CHECKPOINT-006': 'TR-ARTIFACT-001',
}

/** The store's errors are about checkpoints. */
function inOurWords(location: string, error: unknown): unknown {
  if (!isTailraceError(error) || !error.code.startsWith('TR-CHECKPOINT')) return error
  return new TailraceError(CODES[error.code] ?? 'TR-ARTIFACT-003', `Cannot fetch ${location}: ${error.message}`, {
    cause: error,
  })
}
