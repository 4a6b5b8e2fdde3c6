/**
 * Bytes of a handle, wherever they lie: in the handle, in a file of the deployment's folder, or in a file that the handle names with its whole path. What is missing, of another
 * length or changed becomes TR-CHECKPOINT-003 with the file's path.
 */
import { crc32 } from 'node:zlib'
import { TailraceError } from '../core/errors.ts'
import type { StateHandle } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import { ReadAhead } from './read-ahead.ts'
import { isS3Url } from './s3-settings.ts'
import { isAbsolutePath, savepointPath } from './savepoint-path.ts'
import { parseSharedName, sha256 } from './shared-files.ts'

export interface StateReaderOptions {
  store: ObjectStore
  /** Of the folder that relative files are below. */
  prefix: string
  /** Opens the folder of a file that is named with its whole path. */
  openOther: ((url: string) => Promise<ObjectStore>) | undefined
}

export class StateReader {
  readonly #options: StateReaderOptions
  readonly #others = new Map<string, Promise<ObjectStore>>()
  readonly #ahead = new ReadAhead()

  constructor(options: StateReaderOptions) {
    this.#options = options
  }

  async read(handle: StateHandle): Promise<Uint8Array> {
    if ('bytes' in handle) return handle.bytes
    const { file, offset, length } = handle
    const { store, key } = await this.#locate(file)
    // One byte more tells whether this is the rest of the file, so that the hash in its name is comparable.
    const found = await this.#get(store, key, offset, length + 1)
    const path = `${store.url}/${key}`
    if (found === undefined) throw unreadable(path, 'it is missing')
    if (found.length < length) throw unreadable(path, `it has ${offset + found.length} bytes of ${offset + length}`)
    const bytes = found.subarray(0, length)
    const hash = hashInName(file)
    if (hash !== undefined && offset === 0 && found.length === length && sha256(bytes) !== hash)
      throw unreadable(path, 'its bytes are not those that its name has the SHA-256 of')
    compareChecksum(bytes, handle, path)
    return bytes
  }

  /** What was read ahead is not wanted: nobody restores any more. */
  readsEnd(): void {
    this.#ahead.clear()
  }

  /** From afar with what follows it. */
  #get(store: ObjectStore, key: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    if (isS3Url(store.url)) return this.#ahead.get(store, key, offset, length)
    return store.get(key, { offset, length })
  }

  async close(): Promise<void> {
    const opened = [...this.#others.values()]
    this.#others.clear()
    for (const other of opened) await other.then((store) => store.close()).catch(() => {})
  }

  async #locate(file: string): Promise<{ store: ObjectStore; key: string }> {
    const { store, prefix, openOther } = this.#options
    if (!isAbsolutePath(file)) return { store, key: prefix + file }
    if (openOther === undefined) throw unreadable(file, 'it is outside of the store that is open')
    const { parent, prefix: name } = savepointPath(file, '/')
    let other = this.#others.get(parent)
    if (other === undefined) {
      other = openOther(parent)
      this.#others.set(parent, other)
      other.catch(() => this.#others.delete(parent))
    }
    return { store: await other, key: name.slice(0, -1) }
  }
}

/** Throws TR-CHECKPOINT-003 for bytes that are not those of the handle. */
export function compareChecksum(bytes: Uint8Array, handle: StateHandle, path: string): void {
  if ('bytes' in handle || handle.crc32 === undefined || crc32(bytes) === handle.crc32) return
  const { offset, length } = handle
  throw unreadable(path, `its bytes ${offset} to ${offset + length} were changed: their checksum does not fit`)
}

/** Of a file of a deployment, or of a savepoint (savepoint-writer.ts). */
function hashInName(file: string): string | undefined {
  const shared = parseSharedName(file.slice(file.lastIndexOf('shared/')))
  return shared?.sha256 ?? /(?:^|\/)state-([0-9a-f]{64})$/.exec(file)?.[1]
}

function unreadable(path: string, found: string): TailraceError {
  return new TailraceError(
    'TR-CHECKPOINT-003',
    `Cannot read the state file "${path}": ${found}, wanted: the file as it was written`,
  )
}
