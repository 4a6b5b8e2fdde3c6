/**
 * Makes directories and syncs them, so that the names in them survive a power failure. Syncs of one directory that are asked for at the same time share one: the chunks of a
 * checkpoint land in one directory together.
 */
import { mkdir, open } from 'node:fs/promises'
import { dirname } from 'node:path'

export class SyncedDirectories {
  readonly #durable: boolean
  /** Made, or found, since the store was opened. */
  readonly #made = new Set<string>()
  readonly #syncs = new Map<string, { running: Promise<void>; next: Promise<void> | undefined }>()

  /** @param durable false: nothing is synced */
  constructor(durable = true) {
    this.#durable = durable
  }

  /** Makes it, and what is missing above it. */
  async make(path: string): Promise<void> {
    if (this.#made.has(path)) return
    const first = await mkdir(path, { recursive: true })
    if (first !== undefined)
      for (let at = path; at.length >= first.length; at = dirname(at)) await this.sync(dirname(at))
    this.#made.add(path)
  }

  /** It may be gone. */
  forget(path: string): void {
    this.#made.delete(path)
  }

  /** Resolves when names that were there before the call are durable. */
  sync(path: string): Promise<void> {
    if (!this.#durable) return Promise.resolve()
    const sync = this.#syncs.get(path)
    if (sync !== undefined) {
      // The running one may have begun before the caller's file had its name.
      sync.next ??= sync.running.catch(() => {}).then(() => this.#start(path))
      return sync.next
    }
    return this.#start(path)
  }

  #start(path: string): Promise<void> {
    const sync = { running: syncDirectory(path), next: undefined as Promise<void> | undefined }
    this.#syncs.set(path, sync)
    const ended = () => {
      if (sync.next === undefined && this.#syncs.get(path) === sync) this.#syncs.delete(path)
    }
    sync.running.then(ended, ended)
    return sync.running
  }
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } catch (error) {
    // Some network file systems sync no directories; a name is durable there when the server has answered.
    if (!['EINVAL', 'ENOTSUP', 'EISDIR'].includes(String((error as NodeJS.ErrnoException).code))) throw error
  } finally {
    await directory.close()
  }
}
