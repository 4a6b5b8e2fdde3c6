/**
 * The object store that a place names: a directory, or S3. Places are what users write for `execution.checkpointing.dir` and the like.
 */
import { fileURLToPath } from 'node:url'
import { TailraceError } from '../core/errors.ts'
import { openDirectoryStore } from './directory-store.ts'
import type { ObjectStore } from './object-store.ts'
import type { Schedule } from './retry.ts'
import { isS3Url, s3Settings } from './s3-settings.ts'
import { openS3Store } from './s3-store.ts'

export interface ObjectStoreSettings {
  /** With Flink's keys for S3. */
  configuration: Readonly<Record<string, string>>
  /** Where AWS's variables are. */
  environment: Readonly<Record<string, string | undefined>>
  random(): number
  schedule: Schedule
  warn(text: string): void
}

/**
 * Opens the store at a path, a `file:` URL, or an `s3:` URL (`s3a:`, `s3n:`, `s3p:` too). A directory need not be there: the first write makes it.
 *
 * Throws TR-CHECKPOINT-006 when the place is none of these, 005 when it cannot be used.
 *
 * @example
 * const store = await openObjectStore('file:///var/lib/checkpoints', settings)
 */
export async function openObjectStore(place: string, settings: ObjectStoreSettings): Promise<ObjectStore> {
  const { configuration, environment, random, schedule, warn } = settings
  if (isS3Url(place)) return openS3Store(s3Settings(place, configuration, environment, warn), { random, schedule })
  return openDirectoryStore(directoryOf(place))
}

/** Throws TR-CHECKPOINT-006 when the place is no directory. */
export function directoryOf(place: string): string {
  if (/^file:/i.test(place)) {
    if (!/^file:\//i.test(place)) throw refused(place, 'its path does not begin with a slash')
    try {
      return fileURLToPath(place)
    } catch (cause) {
      throw refused(place, (cause as Error).message, cause)
    }
  }
  const scheme = /^([a-z][a-z0-9+.-]+):/i.exec(place)?.[1]
  if (scheme !== undefined) throw refused(place, `"${scheme}:" is not supported`)
  if (place.trim() === '') throw refused(place, 'it is empty')
  return place
}

function refused(place: string, found: string, cause?: unknown): TailraceError {
  return new TailraceError(
    'TR-CHECKPOINT-006',
    `Cannot use the place "${place}": ${found}, wanted: a path, file:///path or s3://bucket/path`,
    { cause },
  )
}
