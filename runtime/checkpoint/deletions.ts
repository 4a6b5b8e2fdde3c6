/**
 * Deletes in the background, so that nobody waits for it: metadata first, and files only when no metadata is left to delete, for what metadata names must be there as long as
 * it is. What a store refuses is kept, and tried again with the next call.
 */
import type { ObjectStore } from './object-store.ts'

export class Deletions {
  readonly #store: ObjectStore
  readonly #warn: (text: string) => void
  readonly #metadata = new Set<string>()
  readonly #files = new Set<string>()
  #running: Promise<void> | undefined

  constructor(store: ObjectStore, warn: (text: string) => void) {
    this.#store = store
    this.#warn = warn
  }

  /** Keys of metadata, and keys of files that only such metadata names. */
  add(metadata: Iterable<string>, files: Iterable<string>): void {
    for (const key of metadata) this.#metadata.add(key)
    for (const key of files) this.#files.add(key)
    this.#running ??= this.#run()
  }

  /** Resolves when all is deleted that can be. */
  async settled(): Promise<void> {
    while (this.#running !== undefined) await this.#running
  }

  /** Gives up what has not begun. */
  stop(): void {
    this.#metadata.clear()
    this.#files.clear()
  }

  async #run(): Promise<void> {
    // The caller's own work goes first.
    await undefined
    while (this.#metadata.size + this.#files.size > 0) {
      const from = this.#metadata.size > 0 ? this.#metadata : this.#files
      const keys = [...from]
      from.clear()
      try {
        await this.#store.delete(keys)
      } catch (error) {
        for (const key of keys) from.add(key)
        this.#warn(`Cannot delete ${keys.length} unneeded files yet, such as "${keys[0]}": ${(error as Error).message}`)
        break
      }
    }
    this.#running = undefined
  }
}
