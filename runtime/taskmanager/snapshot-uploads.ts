/**
 * Stands between a slot and the JobManager, in the main thread of the slot's process: stores the bytes of snapshots, puts real handles into the
 * acknowledgements, and reads state for a slot that is restored.
 *
 * Chunks are joined to files of {@link UPLOAD_SIZES}. A slot's buffers come back when their bytes are copied, but no more than {@link WRITES_MAX} files
 * are under way: beyond it buffers are held, and the slot's snapshot waits. A snapshot of few bytes goes into `_metadata` as a whole. The memory of a
 * file that is stored is used for the next one: fresh memory costs this thread four times what copying into it does, and every slot waits for it.
 *
 * Correctness: an acknowledgement goes on when every byte of it is stored, in no order with other subtasks'; a write that failed turns it into a
 * decline.
 */
import { crc32 } from 'node:zlib'
import type { ListSnapshot, StateHandle, SubtaskSnapshot } from '../checkpoint/model.ts'
import { errorToData } from '../core/errors.ts'
import type { FromSlot, FromSlotThread, ToSlotThread } from '../rpc/slot-messages.ts'

const WRITES_MAX = 4

export interface UploadSizes {
  /** Chunks are joined up to this size. */
  fileBytes: number
  /** A subtask's snapshot up to this size is kept in `_metadata`. */
  inlineBytesMax: number
}

export const UPLOAD_SIZES: UploadSizes = { fileBytes: 8 << 20, inlineBytesMax: 20 * 1024 }

/** What it needs of a store. */
export interface StateBytes {
  /** When it resolves the caller may use the memory for something else. */
  write(bytes: Uint8Array, checkpointId: number): Promise<StateHandle>
  read(handle: StateHandle): Promise<Uint8Array>
  discard(checkpointId: number, handles: readonly StateHandle[]): Promise<void>
  /** What else is near the slots, and follows the job: local copies. */
  readonly copies?: CopiesOfJob | undefined
}

/** What they are told of. A slot says it, so each may come several times. */
export interface CopiesOfJob {
  /** An attempt goes on from this checkpoint; undefined: from none. */
  begins(checkpointId: number | undefined): void
  completed(checkpointId: number): void
  aborted(checkpointId: number): void
}

export interface SnapshotUploadsOptions {
  /** Of the job that has the slot; undefined: it has none. */
  store(): StateBytes | undefined
  toSlot(message: ToSlotThread, transfer?: ArrayBuffer[]): void
  toJobManager(message: FromSlot): void
  /** What readers hold has changed. */
  onSplits?: ((message: SplitsHeld) => void) | undefined
  sizes?: UploadSizes
}

export type SplitsHeld = Extract<FromSlotThread, { type: 'splitsHeld' }>
type Chunk = Extract<FromSlotThread, { type: 'stateChunk' }>
type Ack = Extract<FromSlot, { type: 'checkpointAck' }>

export class SnapshotUploads {
  readonly #options: SnapshotUploadsOptions
  readonly #sizes: UploadSizes
  readonly #snapshots = new Map<string, SnapshotFiles>()
  #writes = 0
  /** Buffers of the slot that come back when writes have ended. */
  #held: ArrayBuffer[] = []
  /** Of files that are stored. */
  readonly #free: Buffer[] = []

  constructor(options: SnapshotUploadsOptions) {
    this.#options = options
    this.#sizes = options.sizes ?? UPLOAD_SIZES
  }

  /** Takes any message of the slot; what is not for the store goes on to the JobManager. */
  receive(message: FromSlotThread): void {
    switch (message.type) {
      case 'stateChunk':
        this.#chunk(message)
        break
      case 'checkpointAck':
        void this.#ack(message)
        break
      case 'checkpointDeclined':
        void this.#files(message).discard()
        this.#snapshots.delete(keyOf(message))
        this.#options.toJobManager(message)
        break
      case 'readState':
        void this.#read(message)
        break
      case 'splitsHeld':
        this.#options.onSplits?.(message)
        break
      case 'handedOver':
        // For whoever has the thread.
        break
      default:
        this.#options.toJobManager(message)
    }
  }

  #files(message: { vertexId: string; subtask: number; checkpointId: number }): SnapshotFiles {
    const key = keyOf(message)
    let files = this.#snapshots.get(key)
    if (files === undefined) {
      files = new SnapshotFiles(message.checkpointId, this.#options.store(), this.#sizes.inlineBytesMax, {
        memory: (bytes) => this.#memory(bytes),
        begins: () => this.#writes++,
        stored: (memory) => {
          if (memory.length === this.#sizes.fileBytes && this.#free.length < WRITES_MAX) this.#free.push(memory)
        },
        ends: () => {
          this.#writes--
          this.#giveBack()
        },
      })
      this.#snapshots.set(key, files)
    }
    return files
  }

  #memory(bytes: number): Buffer {
    const { fileBytes } = this.#sizes
    if (bytes > fileBytes) return Buffer.allocUnsafeSlow(bytes)
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(fileBytes)
  }

  #chunk(message: Chunk): void {
    this.#files(message).append(new Uint8Array(message.buffer, 0, message.length))
    this.#held.push(message.buffer)
    this.#giveBack()
  }

  #giveBack(): void {
    if (this.#writes >= WRITES_MAX) return
    for (const buffer of this.#held) this.#options.toSlot({ type: 'stateBuffer', buffer }, [buffer])
    this.#held = []
  }

  async #ack(message: Ack): Promise<void> {
    const files = this.#files(message)
    this.#snapshots.delete(keyOf(message))
    const { vertexId, subtask, checkpointId } = message
    try {
      const snapshot = await files.finish(message.snapshot)
      this.#options.toJobManager({ ...message, snapshot })
    } catch (error) {
      void files.discard()
      this.#options.toJobManager({
        type: 'checkpointDeclined',
        vertexId,
        subtask,
        checkpointId,
        error: errorToData(error, 'TR-CHECKPOINT-001'),
      })
    }
  }

  async #read({ type: _, request, ...handle }: Extract<FromSlotThread, { type: 'readState' }>): Promise<void> {
    try {
      const store = this.#options.store()
      if (store === undefined) throw new Error('the job of this slot has ended')
      const read = await store.read(handle)
      // Bytes of its own: what a store gives may be a part of a larger buffer.
      const bytes = read.byteLength === read.buffer.byteLength ? read : new Uint8Array(read)
      this.#options.toSlot({ type: 'stateRead', request, bytes }, [bytes.buffer as ArrayBuffer])
    } catch (error) {
      this.#options.toSlot({ type: 'stateRead', request, error: errorToData(error, 'TR-CHECKPOINT-003') })
    }
  }
}

function keyOf({
  vertexId,
  subtask,
  checkpointId,
}: {
  vertexId: string
  subtask: number
  checkpointId: number
}): string {
  return `${checkpointId}/${vertexId}/${subtask}`
}

/** What files need of the uploads of their slot. */
interface Writes {
  /** For a file of `bytes` or more. */
  memory(bytes: number): Buffer
  begins(): void
  /** Nobody reads this memory any more. */
  stored(memory: Buffer): void
  /** Stored or failed. */
  ends(): void
}

/** The files of one subtask's snapshot. */
class SnapshotFiles {
  readonly #checkpointId: number
  readonly #store: StateBytes | undefined
  readonly #inlineBytesMax: number
  readonly #writes: Writes
  #open: Buffer | undefined
  #length = 0
  readonly #files: Promise<StateHandle>[] = []
  /** Where chunk i lies. */
  readonly #chunks: { file: number; offset: number; length: number }[] = []

  constructor(checkpointId: number, store: StateBytes | undefined, inlineBytesMax: number, writes: Writes) {
    this.#checkpointId = checkpointId
    this.#store = store
    this.#inlineBytesMax = inlineBytesMax
    this.#writes = writes
  }

  append(bytes: Uint8Array): void {
    if (this.#open !== undefined && this.#length + bytes.length > this.#open.length) this.#close()
    this.#open ??= this.#writes.memory(bytes.length)
    this.#open.set(bytes, this.#length)
    this.#chunks.push({ file: this.#files.length, offset: this.#length, length: bytes.length })
    this.#length += bytes.length
  }

  async finish(snapshot: SubtaskSnapshot): Promise<SubtaskSnapshot> {
    const lists = snapshot.operators.flatMap((operator) => operator.lists)
    const listBytes = lists.reduce((n, { handle }) => n + ('bytes' in handle ? handle.bytes.length : 0), 0)
    const inline = this.#files.length === 0 && this.#length + listBytes <= this.#inlineBytesMax
    if (!inline) {
      for (const { handle } of lists) if ('bytes' in handle) this.append(handle.bytes)
      this.#close()
    }
    const files = await Promise.all(this.#files)
    /** `checksum` is of the bytes as the slot had them. */
    const handleOf = (chunk: number, checksum: number | undefined): StateHandle => {
      const { file, offset, length } = this.#chunks[chunk]!
      if (inline) return { bytes: new Uint8Array(this.#open!.subarray(offset, offset + length)) }
      const handle = files[file]!
      return 'bytes' in handle
        ? { bytes: handle.bytes.subarray(offset, offset + length) }
        : {
            file: handle.file,
            offset: handle.offset + offset,
            length,
            ...(checksum === undefined ? {} : { crc32: checksum }),
          }
    }
    let next = this.#chunks.length - lists.length
    const listOf = (list: ListSnapshot): ListSnapshot =>
      inline || !('bytes' in list.handle) ? list : { ...list, handle: handleOf(next++, crc32(list.handle.bytes)) }
    const operators = snapshot.operators.map(({ operatorId, keyed, lists }) => ({
      operatorId,
      ...(keyed === undefined
        ? {}
        : {
            keyed: {
              ...keyed,
              chunks: keyed.chunks.map((chunk) => {
                const { offset: index, crc32 } = chunk.handle as { offset: number; crc32?: number }
                return { ...chunk, handle: handleOf(index, crc32) }
              }),
            },
          }),
      lists: lists.map(listOf),
    }))
    this.#drop()
    return { operators, finished: snapshot.finished }
  }

  /** Deletes what was written. */
  async discard(): Promise<void> {
    this.#drop()
    const written = await Promise.allSettled(this.#files)
    const handles = written.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
    // What cannot be deleted now is found as an orphan when the store is opened the next time.
    if (handles.length > 0) await this.#store?.discard(this.#checkpointId, handles).catch(() => {})
  }

  #drop(): void {
    if (this.#open !== undefined) this.#writes.stored(this.#open)
    this.#open = undefined
  }

  #close(): void {
    if (this.#open === undefined) return
    const memory = this.#open
    const bytes = memory.subarray(0, this.#length)
    this.#open = undefined
    this.#length = 0
    this.#writes.begins()
    const written =
      this.#store === undefined
        ? Promise.reject(new Error('the job of this slot has ended'))
        : this.#store.write(bytes, this.#checkpointId)
    // A write that failed may go on behind its error: its memory is left to it.
    written
      .then(
        () => this.#writes.stored(memory),
        () => {},
      )
      .finally(() => this.#writes.ends())
    // Awaited by `finish`; a failure before it is no unhandled one.
    written.catch(() => {})
    this.#files.push(written)
  }
}
