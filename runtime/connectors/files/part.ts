/**
 * One part file while it is written: records become text, texts bytes, and bytes go to the file one write after the other, in the background.
 *
 * What is asked of it is done in its order: a sync covers everything that was written before it was asked for, and what comes after does not wait.
 */
import { posix } from 'node:path'
import type { Encoder } from '../../formats/format.ts'
import type { OpenPart } from './part-files.ts'
import type { PartCommittable, PartState } from './part-states.ts'

/** Texts are collected up to this size before they become bytes. */
const TEXT_CHARACTERS = 64 * 1024

/** A file that was made for a part. */
export interface Claimed {
  hidden: string
  visible: string
  file: OpenPart
}

/** What its writer does for a part. */
export interface PartOwner {
  claim(bucket: string): Promise<Claimed>
  syncFolder(folder: string): Promise<void>
  remove(hidden: string): Promise<void>
  /** Bytes wait for the file … */
  queued(bytes: number): void
  /** … and have been written. */
  written(bytes: number): void
  failed(error: unknown): void
}

type Work = Uint8Array | { resolve(done: Promise<void>): void; reject(error: unknown): void }

export class Part<T> {
  readonly bucket: string
  readonly openedMs: number
  writtenMs: number
  /** A checkpoint may refer to it, so it stays on disk whatever happens. */
  held = false
  readonly #owner: PartOwner
  readonly #encoder: Encoder<T>
  #text = ''
  /** Of what has become bytes. */
  #bytes = 0
  #queue: Work[] = []
  #claimed: Promise<Claimed> | undefined
  /** Its name is in its folder for good. */
  #named = false
  #draining: Promise<void> | undefined
  #error: { error: unknown } | undefined

  constructor(bucket: string, owner: PartOwner, encoder: Encoder<T>, nowMs: number) {
    this.bucket = bucket
    this.openedMs = nowMs
    this.writtenMs = nowMs
    this.#owner = owner
    this.#encoder = encoder
  }

  write(value: T, nowMs: number): void {
    this.writtenMs = nowMs
    this.#text += this.#encoder.encode(value)
    if (this.#text.length >= TEXT_CHARACTERS) this.push()
  }

  /** About; exact when all is ASCII. */
  get size(): number {
    return this.#bytes + this.#text.length
  }

  /** Makes bytes of what is text, so that they are written soon. */
  push(): void {
    if (this.#text === '') return
    const bytes = Buffer.from(this.#text)
    this.#text = ''
    this.#bytes += bytes.length
    this.#owner.queued(bytes.length)
    this.#add(bytes)
  }

  /** Resolves when what has been written by now survives any crash. */
  sync(): Promise<void> {
    this.push()
    const synced = new Promise<void>((resolve, reject) => this.#add({ resolve, reject }))
    // The owner is told of a failure, whoever waits.
    synced.catch(() => {})
    return synced
  }

  /** What a checkpoint holds of it now. */
  async state(): Promise<PartState> {
    this.push()
    const bytes = this.#bytes
    const { hidden, visible } = await this.#claim()
    return { hidden, visible, bytes }
  }

  /** Nothing more is written. Resolves when all of it is durable. */
  async finish(): Promise<PartCommittable> {
    await this.sync()
    const { hidden, visible, file } = await this.#claim()
    await file.close()
    return { hidden, visible, bytes: this.#bytes }
  }

  /** The writer ends, and what is queued is of no use; the file goes unless a checkpoint may refer to it. */
  async abandon(): Promise<void> {
    this.#queue = []
    await this.#draining
    if (this.#claimed === undefined) return
    try {
      const { hidden, file } = await this.#claimed
      await file.close()
      if (!this.held) await this.#owner.remove(hidden)
    } catch {
      // The task has failed before, or a leftover stays: readers pass it over.
    }
  }

  #add(work: Work): void {
    if (this.#error !== undefined) {
      if (!(work instanceof Uint8Array)) work.reject(this.#error.error)
      return
    }
    this.#queue.push(work)
    this.#draining ??= this.#drain()
  }

  #claim(): Promise<Claimed> {
    this.#claimed ??= this.#owner.claim(this.bucket)
    return this.#claimed
  }

  async #drain(): Promise<void> {
    try {
      const claimed = await this.#claim()
      for (let work = this.#queue[0]; work !== undefined; work = this.#queue[0]) {
        if (work instanceof Uint8Array) {
          await claimed.file.append(work)
          this.#owner.written(work.length)
        } else work.resolve(this.#sync(claimed))
        if (this.#queue[0] === work) this.#queue.shift()
      }
    } catch (error) {
      this.#fail(error)
    }
    this.#draining = undefined
  }

  async #sync({ file, hidden }: Claimed): Promise<void> {
    try {
      await file.sync()
      if (!this.#named) await this.#owner.syncFolder(posix.dirname(hidden))
      this.#named = true
    } catch (error) {
      this.#fail(error)
      throw error
    }
  }

  #fail(error: unknown): void {
    this.#error ??= { error }
    for (const work of this.#queue.splice(0)) if (!(work instanceof Uint8Array)) work.reject(error)
    this.#owner.failed(error)
  }
}
