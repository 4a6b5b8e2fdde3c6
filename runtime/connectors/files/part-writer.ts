/**
 * Writes part files: `<prefix>-<uid>-<n>` in the folder of each record's bucket, hidden until they are committed (part-committer.ts).
 *
 * At a barrier the parts that have ended since the last one become pending, and of those in progress the length is noted; the acknowledgement waits until all
 * of that is durable, and records go on meanwhile. After a failure a part that was in progress ends at its noted length (part-states.ts), and the new writer
 * names its parts by a uid of its own.
 *
 * What no checkpoint can refer to is removed when the writer is closed. What a killed process leaves behind stays hidden.
 */
import { join, posix } from 'node:path'
import { isTailraceError } from '../../core/errors.ts'
import type { SinkContext, SinkWriter } from '../../core/sink.ts'
import type { EncodingFormat } from '../../formats/format.ts'
import { type BucketAssigner, checkBucket, RecordContext } from './bucket-assigner.ts'
import { type Claimed, Part, type PartOwner } from './part.ts'
import { cannotWrite, type PartFiles } from './part-files.ts'
import type { PartCommittable, PartState } from './part-states.ts'
import { dueMs, type Rolling } from './rolling-policy.ts'
import { takeOver } from './take-over.ts'

/** Parts that are copied at once when a job goes on. */
const COPIES_MAX = 8

export interface PartWriterOptions<T> {
  files: PartFiles
  directory: string
  prefix: string
  /** With the dot. */
  suffix: string
  /** Tells the parts of this writer from those of all others. */
  uid: string
  format: EncodingFormat<T>
  /** undefined: all are in one folder. */
  bucketAssigner: BucketAssigner<T> | undefined
  rolling: Rolling
  bufferBytesMax: number
}

/** Something with a file; it goes with the writer unless a checkpoint may refer to it. */
interface Holder {
  held: boolean
  abandon(): Promise<void>
}

/** A part that has ended and no checkpoint holds yet. */
interface Ended {
  committable: Promise<PartCommittable>
  holder: Holder
}

export class PartWriter<T> implements SinkWriter<T, PartCommittable, PartState> {
  readonly #context: SinkContext
  readonly #options: PartWriterOptions<T>
  readonly #owner: PartOwner
  readonly #bucketContext = new RecordContext()
  readonly #bytesWritten: { inc(by?: number): void }
  /** In progress, by bucket. */
  readonly #parts = new Map<string, Part<T>>()
  /** The bucket of the last record, which is often that of the next. */
  #lastBucket = ''
  #lastPart: Part<T> | undefined
  #ended: Ended[] = []
  /** All that is not closed. */
  readonly #open = new Set<Holder>()
  #next = 0
  #queuedBytes = 0
  /** Of this turn: for buckets, and for how long parts are open, which no jump of the clock may change. */
  #nowMs = 0
  #monotonicMs = 0
  #timer: { atMs: number; handle: number } | undefined
  #failed = false

  constructor(context: SinkContext, options: PartWriterOptions<T>) {
    this.#context = context
    this.#options = options
    this.#look()
    this.#bytesWritten = context.metrics.counter('numBytesSend')
    this.#owner = {
      claim: (bucket) => this.#claim(bucket),
      syncFolder: (folder) => options.files.syncFolder(join(options.directory, folder)),
      remove: (hidden) => options.files.remove(join(options.directory, hidden)),
      queued: (bytes) => {
        this.#queuedBytes += bytes
      },
      written: (bytes) => this.#written(bytes),
      failed: (error) => this.#fail(error),
    }
  }

  /** Goes on from checkpoints of other writers. Throws TR-SINK-002 when a part cannot go on, TR-SINK-001 when it cannot be copied. */
  static async restore<T>(
    context: SinkContext,
    options: PartWriterOptions<T>,
    states: readonly PartState[],
  ): Promise<PartWriter<T>> {
    const writer = new PartWriter(context, options)
    for (let i = 0; i < states.length; i += COPIES_MAX)
      await Promise.all(states.slice(i, i + COPIES_MAX).map((state) => writer.#takeOver(state)))
    return writer
  }

  async #takeOver(state: PartState): Promise<void> {
    const { files, directory, uid } = this.#options
    const part = await takeOver(files, directory, state, { uid, checkpointId: this.#context.restoredCheckpointId })
    const holder: Holder = {
      held: false,
      abandon: async () => {
        if (!holder.held) await files.remove(join(directory, part.hidden))
      },
    }
    this.#open.add(holder)
    this.#ended.push({ committable: Promise.resolve(part), holder })
  }

  // --- records

  write(value: T, timestamp: number): void {
    const { bucketAssigner, rolling } = this.#options
    let bucket = ''
    if (bucketAssigner !== undefined) {
      this.#bucketContext.timestampMs = timestamp
      this.#bucketContext.nowMs = this.#nowMs
      bucket = bucketAssigner.getBucketId(value, this.#bucketContext)
    }
    if (bucket !== this.#lastBucket || this.#lastPart === undefined) {
      this.#lastBucket = bucket
      this.#lastPart = this.#parts.get(bucket) ?? this.#begin(bucket)
    }
    const part = this.#lastPart
    part.write(value, this.#monotonicMs)
    if (part.size >= rolling.partBytesMax) this.#end(part)
  }

  writeWatermark(timestamp: number): void {
    this.#bucketContext.watermarkMs = timestamp
  }

  pending(): boolean {
    this.#look()
    return this.#queuedBytes >= this.#options.bufferBytesMax
  }

  #look(): void {
    const { clock } = this.#context
    this.#nowMs = clock.now()
    this.#monotonicMs = clock.monotonic()
  }

  #begin(bucket: string): Part<T> {
    checkBucket(bucket)
    this.#look()
    const part = new Part(bucket, this.#owner, this.#options.format.createEncoder(), this.#monotonicMs)
    this.#parts.set(bucket, part)
    this.#open.add(part)
    this.#watch(dueMs(part, this.#options.rolling))
    return part
  }

  /** Makes a file for a part under the first number that is free. */
  async #claim(bucket: string): Promise<Claimed> {
    const { files, directory, prefix, suffix, uid } = this.#options
    for (;;) {
      const name = `${prefix}-${uid}-${this.#next++}`
      const hidden = posix.join(bucket, `.${name}.inprogress`)
      const visible = posix.join(bucket, `${name}${suffix}`)
      const file = await files.create(join(directory, hidden))
      if (file === undefined) continue
      if ((await files.size(join(directory, visible))) === undefined) return { hidden, visible, file }
      await file.close()
      await files.remove(join(directory, hidden))
    }
  }

  #written(bytes: number): void {
    this.#bytesWritten.inc(bytes)
    const wasFull = this.#queuedBytes >= this.#options.bufferBytesMax
    this.#queuedBytes -= bytes
    if (wasFull && this.#queuedBytes < this.#options.bufferBytesMax) this.#context.wake()
  }

  #fail(error: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#context.fail(cannotWrite(this.#options.directory, error))
  }

  // --- parts end

  #end(part: Part<T>): void {
    this.#parts.delete(part.bucket)
    if (this.#lastPart === part) this.#lastPart = undefined
    const committable = part.finish().catch((error) => {
      throw cannotWrite(this.#options.directory, error)
    })
    committable.catch(() => {})
    this.#ended.push({ committable, holder: part })
  }

  #endAll(): void {
    for (const part of [...this.#parts.values()]) this.#end(part)
  }

  /** Looks at this time, by the monotonic clock, whether parts have to end. */
  #watch(atMs: number): void {
    if (atMs === Number.POSITIVE_INFINITY || (this.#timer !== undefined && this.#timer.atMs <= atMs)) return
    this.#unwatch()
    this.#timer = {
      atMs,
      handle: this.#context.registerTimer(this.#nowMs + Math.ceil(atMs - this.#monotonicMs), () => {
        this.#timer = undefined
        this.#endDue()
      }),
    }
  }

  #endDue(): void {
    this.#look()
    let nextMs = Number.POSITIVE_INFINITY
    for (const part of [...this.#parts.values()]) {
      const partDueMs = dueMs(part, this.#options.rolling)
      if (partDueMs <= this.#monotonicMs) this.#end(part)
      else nextMs = Math.min(nextMs, partDueMs)
    }
    this.#watch(nextMs)
  }

  #unwatch(): void {
    if (this.#timer !== undefined) this.#context.cancelTimer(this.#timer.handle)
    this.#timer = undefined
  }

  // --- checkpoints and the end

  prepareCommit(): PartCommittable[] | Promise<PartCommittable[]> {
    if (this.#options.rolling.onCheckpoint) this.#endAll()
    const ended = this.#ended
    this.#ended = []
    for (const { holder } of ended) holder.held = true
    const synced = [...this.#parts.values()].map((part) => part.sync())
    if (ended.length === 0 && synced.length === 0) return []
    return this.#durable(ended, synced)
  }

  async #durable(ended: Ended[], synced: Promise<void>[]): Promise<PartCommittable[]> {
    try {
      const committables = await Promise.all(ended.map(({ committable }) => committable))
      await Promise.all(synced)
      for (const { holder } of ended) this.#open.delete(holder)
      return committables
    } catch (error) {
      throw isTailraceError(error) ? error : cannotWrite(this.#options.directory, error)
    }
  }

  snapshotState(): PartState[] | Promise<PartState[]> {
    if (this.#parts.size === 0) return []
    return Promise.all(
      [...this.#parts.values()].map((part) => {
        part.held = true
        return part.state()
      }),
    )
  }

  async flush(endOfInput: boolean): Promise<void> {
    if (!endOfInput) {
      for (const part of this.#parts.values()) part.push()
      return
    }
    this.#unwatch()
    this.#endAll()
    await Promise.all(this.#ended.map(({ committable }) => committable))
  }

  async close(): Promise<void> {
    this.#unwatch()
    await Promise.all([...this.#open].map((one) => one.abandon()))
  }
}
