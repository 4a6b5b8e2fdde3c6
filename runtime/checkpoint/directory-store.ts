/**
 * Objects as files below a directory, on a local disk or a network file system.
 *
 * What must hold:
 * - a file appears under its key whole and durable: it is written and synced under `.tmp/`, then renamed over the key, or linked to it where it must not be there yet
 *   (link(2) refuses what exists, atomically, on NFS too); then the directory is synced;
 * - a deletion is durable before the next operation: bytes that an old `_metadata` names are deleted after it, and it must not come back after a power failure;
 * - directories appear with the first file in them and vanish with the last.
 *
 * Files of a writer that died stay in `.tmp/` until a day has passed.
 */
import { randomUUID } from 'node:crypto'
import { access, constants, link, open, readdir, rename, rmdir, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { bounded } from './bounded.ts'
import { directoryError, isMissing } from './directory-errors.ts'
import { byKey, checkKey, checkPrefix, checkRange } from './keys.ts'
import type { ObjectStore, StoredObject } from './object-store.ts'
import { SyncedDirectories } from './synced-directories.ts'

const TEMPORARY = '.tmp'
const TEMPORARY_AGE_MAX_MS = 24 * 3_600_000
const FILES_OPEN_MAX = 32
/** Another may delete an empty directory between its making and its use. */
const MAKE_TRIES_MAX = 20

export interface DirectoryStoreOptions {
  /** Of files while they are written; new each time. */
  uniqueName?(): string
  /** For the age of what writers left that died. */
  now?(): number
  /** False: nothing is synced, so what was written last may be gone, or empty, after a power failure; for what is written again and again. */
  durable?: boolean
}

/**
 * Opens the directory. It need not be there: the first write makes it, so that reading in a wrong place leaves no trace.
 *
 * Throws TR-CHECKPOINT-005 when it is no directory, or must not be looked into.
 *
 * @example
 * const store = await openDirectoryStore('/var/lib/checkpoints')
 */
export async function openDirectoryStore(path: string, options: DirectoryStoreOptions = {}): Promise<ObjectStore> {
  const root = resolve(path)
  try {
    // With a slash a file is an error.
    await access(`${root}/`, constants.R_OK | constants.X_OK)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw directoryError('use the directory', root, error)
  }
  return new DirectoryStore(root, options)
}

class DirectoryStore implements ObjectStore {
  readonly url: string
  readonly #uniqueName: () => string
  readonly #now: () => number
  readonly #durable: boolean
  readonly #directories: SyncedDirectories
  readonly #bound = bounded(FILES_OPEN_MAX)
  #prepared: Promise<void> | undefined

  constructor(path: string, { uniqueName = randomUUID, now = Date.now, durable = true }: DirectoryStoreOptions) {
    this.url = path
    this.#durable = durable
    this.#directories = new SyncedDirectories(durable)
    this.#uniqueName = uniqueName
    this.#now = now
  }

  put(key: string, bytes: Uint8Array): Promise<void> {
    return this.#write(key, bytes, async (temporary, path) => {
      await rename(temporary, path)
    })
  }

  putIfAbsent(key: string, bytes: Uint8Array): Promise<boolean> {
    return this.#write(key, bytes, async (temporary, path) => {
      const created = await link(temporary, path).then(
        () => true,
        async (error) => {
          if (error.code !== 'EEXIST') throw error
          // A network file system may have lost the answer to the first try and hear "it exists" on the second: of its own link.
          return (await stat(temporary)).nlink > 1
        },
      )
      await unlink(temporary)
      return created
    })
  }

  /** By a hard link: the file is durable already, and stays when its other name is deleted. */
  async copyFrom(key: string, from: string): Promise<boolean> {
    checkKey(key)
    if (!from.startsWith('/')) return false
    await this.#prepareOnce()
    const path = this.#path(key)
    return this.#bound(async () => {
      try {
        await this.#intoFolder(dirname(path), async () => {
          await access(from)
          await link(from, path)
        })
        await this.#directories.sync(dirname(path))
        return true
      } catch {
        // Of another file system, too many links, gone: whoever copies the bytes says what is wrong.
        return false
      }
    })
  }

  async get(key: string, range?: { offset: number; length: number }): Promise<Uint8Array | undefined> {
    checkKey(key)
    checkRange(range)
    const path = this.#path(key)
    try {
      return await this.#bound(() => readWhole(path, range))
    } catch (error) {
      if (isMissing(error)) return undefined
      throw directoryError('read the file', path, error)
    }
  }

  async list(prefix: string): Promise<StoredObject[]> {
    checkPrefix(prefix)
    const found: StoredObject[] = []
    const walk = async (folder: string): Promise<void> => {
      const entries = await readdir(this.#path(folder), { withFileTypes: true }).catch(ignoreMissing)
      await Promise.all(
        (entries ?? []).map(async (entry) => {
          const key = `${folder}${entry.name}`
          if (entry.name.startsWith(TEMPORARY)) return
          if (entry.isDirectory()) return walk(`${key}/`)
          const status = await this.#bound(() => stat(this.#path(key))).catch(ignoreMissing)
          if (status !== undefined) found.push({ key, size: status.size, modifiedMs: Math.floor(status.mtimeMs) })
        }),
      )
    }
    try {
      await walk(prefix)
    } catch (error) {
      throw directoryError('list the directory', this.#path(prefix), error)
    }
    return found.sort(byKey)
  }

  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys) checkKey(key)
    const folders = new Set<string>()
    await Promise.all(
      keys.map((key) =>
        this.#bound(async () => {
          const path = this.#path(key)
          try {
            await unlink(path)
            folders.add(dirname(path))
          } catch (error) {
            if (!isMissing(error)) throw directoryError('delete the file', path, error)
          }
        }),
      ),
    )
    for (const folder of folders) {
      try {
        await this.#directories.sync(folder)
        await this.#removeEmpty(folder)
      } catch (error) {
        if (!isMissing(error)) throw directoryError('delete files in the directory', folder, error)
      }
    }
  }

  async close(): Promise<void> {}

  #path(key: string): string {
    return join(this.url, key)
  }

  /** Makes it, and removes what writers left that died. Only once: if it vanishes later, as when a disk is taken away, writes must fail. */
  async #prepare(): Promise<void> {
    const folder = join(this.url, TEMPORARY)
    await this.#directories.make(folder)
    for (const name of await readdir(folder)) {
      const path = join(folder, name)
      const age = await stat(path).then(({ mtimeMs }) => this.#now() - mtimeMs, ignoreMissing)
      if (age !== undefined && age > TEMPORARY_AGE_MAX_MS) await unlink(path).catch(ignoreMissing)
    }
  }

  async #prepareOnce(): Promise<void> {
    this.#prepared ??= this.#prepare()
    try {
      await this.#prepared
    } catch (error) {
      this.#prepared = undefined
      throw directoryError('make the directory', this.url, error)
    }
  }

  /** Writes a file aside, and has it `moved` to its place. */
  async #write<T>(key: string, bytes: Uint8Array, moved: (temporary: string, path: string) => Promise<T>): Promise<T> {
    checkKey(key)
    await this.#prepareOnce()
    const path = this.#path(key)
    const temporary = join(this.url, TEMPORARY, this.#uniqueName())
    return this.#bound(async () => {
      try {
        await writeNew(temporary, bytes, this.#durable)
        const result = await this.#intoFolder(dirname(path), () => moved(temporary, path))
        await this.#directories.sync(dirname(path))
        return result
      } catch (error) {
        await unlink(temporary).catch(() => {})
        throw directoryError('write the file', path, error)
      }
    })
  }

  async #intoFolder<T>(folder: string, move: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      await this.#directories.make(folder)
      try {
        return await move()
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || tries >= MAKE_TRIES_MAX) throw error
        this.#directories.forget(folder)
      }
    }
  }

  async #removeEmpty(folder: string): Promise<void> {
    for (let at = folder; at.length > this.url.length; at = dirname(at)) {
      const removed = await rmdir(at).then(
        () => true,
        (error) => isMissing(error),
      )
      if (!removed) return
      this.#directories.forget(at)
    }
  }
}

async function writeNew(path: string, bytes: Uint8Array, durable: boolean): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(bytes)
    if (durable) await file.sync()
  } finally {
    await file.close()
  }
}

async function readWhole(
  path: string,
  range: { offset: number; length: number } | undefined,
): Promise<Uint8Array | undefined> {
  const file = await open(path, 'r')
  try {
    const status = await file.stat()
    if (!status.isFile()) return undefined
    const { size } = status
    const from = Math.min(size, range?.offset ?? 0)
    const bytes = new Uint8Array(Math.min(size - from, range?.length ?? size))
    let at = 0
    while (at < bytes.length) {
      const { bytesRead } = await file.read(bytes, at, bytes.length - at, from + at)
      if (bytesRead === 0) return bytes.slice(0, at)
      at += bytesRead
    }
    return bytes
  } finally {
    await file.close()
  }
}

function ignoreMissing(error: unknown): undefined {
  if (!isMissing(error)) throw error
}
