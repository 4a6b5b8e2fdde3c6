/**
 * A file system in memory that can stop at any step, and forget what was not synced: bytes, names, or both. For tests of what survives.
 */
import { posix } from 'node:path'
import type { OpenPart, PartFiles } from './part-files.ts'

interface Inode {
  bytes: Buffer
  /** So many bytes survive the loss of power. */
  synced: number
}

/** What a crash leaves: a killed process loses nothing that it has written; without power what was not synced may be lost, in any combination. */
export interface Crash {
  names: 'kept' | 'lost'
  bytes: 'kept' | 'lost'
}

export const CRASHES: readonly Crash[] = [
  { names: 'kept', bytes: 'kept' },
  { names: 'kept', bytes: 'lost' },
  { names: 'lost', bytes: 'kept' },
  { names: 'lost', bytes: 'lost' },
]

const NEVER = new Promise<never>(() => {})

export class MemoryFiles implements PartFiles {
  #names = new Map<string, Inode>()
  #durableNames = new Map<string, Inode>()
  /** Counts restarts: whoever has begun before has died. */
  #era = 0
  #dead = false
  #die: () => void = () => {}
  steps = 0
  /** The world stops instead of this step; `half` of it is done when it is an append. */
  stopAt: { step: number; half: boolean } = { step: Number.POSITIVE_INFINITY, half: false }
  /** Names of the steps so far. */
  readonly log: string[] = []
  /** An error instead of a step. */
  refuse: (step: string, path: string) => NodeJS.ErrnoException | undefined = () => undefined

  /** Resolves when the world has stopped. */
  get stopped(): Promise<void> {
    return new Promise((resolve) => {
      this.#die = resolve
    })
  }
  /** For what else is in the world: never resolves once it has stopped. */
  alive(): Promise<void> {
    return this.#dead ? NEVER : Promise.resolve()
  }

  restart({ names, bytes }: Crash): void {
    this.#era++
    this.#dead = false
    this.stopAt = { step: Number.POSITIVE_INFINITY, half: false }
    if (names === 'lost') this.#names = new Map(this.#durableNames)
    else this.#durableNames = new Map(this.#names)
    for (const inode of this.#names.values()) {
      if (bytes === 'lost') inode.bytes = inode.bytes.subarray(0, inode.synced)
      inode.synced = inode.bytes.length
    }
  }

  /** Content of the files that readers see, by path. */
  get visible(): Record<string, string> {
    const seen = [...this.#names].filter(([path]) => !path.split('/').some((part) => part.startsWith('.')))
    return Object.fromEntries(seen.map(([path, inode]) => [path, inode.bytes.toString()]).sort())
  }
  get hidden(): string[] {
    return [...this.#names.keys()].filter((path) => posix.basename(path).startsWith('.')).sort()
  }
  /** A reader takes a file away. */
  take(path: string): string {
    const { bytes } = this.#names.get(path)!
    this.#names.delete(path)
    this.#durableNames.delete(path)
    return bytes.toString()
  }
  put(path: string, text: string): void {
    this.#names.set(path, { bytes: Buffer.from(text), synced: text.length })
  }

  async #step<R>(step: string, path: string, run: () => R, half?: () => void, era = this.#era): Promise<R> {
    if (this.#dead || era !== this.#era) return NEVER
    const stops = ++this.steps === this.stopAt.step
    this.log.push(`${step} ${path}`)
    if (stops) {
      if (this.stopAt.half) half?.()
      this.#dead = true
      this.#die()
      return NEVER
    }
    const error = this.refuse(step, path)
    if (error !== undefined) throw error
    return run()
  }

  create(path: string): Promise<OpenPart | undefined> {
    return this.#step('create', path, () => {
      if (this.#names.has(path)) return undefined
      const inode: Inode = { bytes: Buffer.alloc(0), synced: 0 }
      this.#names.set(path, inode)
      const era = this.#era
      const append = (bytes: Uint8Array) => {
        inode.bytes = Buffer.concat([inode.bytes, bytes])
      }
      return {
        append: (bytes) =>
          this.#step(
            'append',
            path,
            () => append(bytes),
            () => append(bytes.subarray(0, bytes.length >> 1)),
            era,
          ),
        sync: () => {
          const { length } = inode.bytes
          return this.#step(
            'sync',
            path,
            () => {
              inode.synced = Math.max(inode.synced, length)
            },
            undefined,
            era,
          )
        },
        close: () => this.#step('close', path, () => {}, undefined, era),
      }
    })
  }
  size(path: string) {
    return this.#step('size', path, () => this.#names.get(path)?.bytes.length)
  }
  copy(from: string, to: string, bytes: number) {
    return this.#step('copy', to, () => {
      const content = Buffer.from(this.#names.get(from)!.bytes.subarray(0, bytes))
      this.#names.set(to, { bytes: content, synced: bytes })
    })
  }
  rename(from: string, to: string) {
    return this.#step('rename', to, () => {
      this.#names.set(to, this.#names.get(from)!)
      this.#names.delete(from)
    })
  }
  remove(path: string) {
    return this.#step('remove', path, () => {
      this.#names.delete(path)
    })
  }
  syncFolder(path: string) {
    return this.#step('sync folder', path, () => {
      const inFolder = (name: string) => posix.dirname(name) === posix.normalize(path)
      for (const name of this.#durableNames.keys())
        if (inFolder(name) && !this.#names.has(name)) this.#durableNames.delete(name)
      for (const [name, inode] of this.#names) if (inFolder(name)) this.#durableNames.set(name, inode)
    })
  }
}
