/**
 * Writes the keyed state of one operator as chunks: frames of row batches, in two streams.
 *
 *     chunk = frame*      frame = u32 bytes of the batch · u16 table · u16 0 · batch (codec/batch.ts), little-endian
 *
 * The first stream goes through the key groups in order, so its chunks have narrow ranges, and a subtask of another parallelism reads few of them. The
 * second holds what records were about to change before its turn came, of any group. Chunks are buffers of {@link CHUNK_BYTES} that the host of the
 * slot takes over and gives back: nothing large is allocated while a snapshot runs. Their checksums are made here, where many slots share the work (6 GB/s
 * each), so they cover all that happens to the bytes after it.
 */
import { crc32 } from 'node:zlib'
import type { TypeDescription } from '../core/types.ts'
import type { KeyedChunk, KeyedSnapshot, StateTable } from './model.ts'
import { RowBatchWriter } from './row-batches.ts'

export const CHUNK_BYTES = 256 * 1024
const FRAME_HEAD_BYTES = 8

/** Where chunks go. */
export interface ChunkSink {
  /** An empty buffer, of CHUNK_BYTES or of `bytes` where that is more. Always gives one. */
  take(bytes: number): ArrayBuffer
  /** A buffer that is filled; returns its number in the snapshot. */
  give(buffer: ArrayBuffer, length: number): number
}

/** Rows of one table; `put` in the order of key groups, `putEarly` for those that cannot wait. */
export interface KeyedTableWriter {
  put(row: any, keyHash: number, timestamp: number): void
  putEarly(row: any, keyHash: number, timestamp: number): void
}

export class KeyedSnapshotWriter {
  readonly #groupOf: (hash: number) => number
  readonly #inOrder: ChunkStream
  readonly #early: ChunkStream
  readonly #tables: StateTable[] = []
  readonly #chunks: KeyedChunk[] = []
  readonly #totals: { rows: number; bytes: number }[] = []
  #writers: RowBatchWriter[] = []

  constructor(groupOf: (hash: number) => number, sink: ChunkSink) {
    this.#groupOf = groupOf
    const add = (chunk: KeyedChunk) => this.#chunks.push(chunk)
    this.#inOrder = new ChunkStream(sink, add)
    this.#early = new ChunkStream(sink, add)
  }

  table({ name, kind, row, settings }: Omit<StateTable, 'row'> & { row: TypeDescription }): KeyedTableWriter {
    const index = this.#tables.push({ name, kind, row, ...(settings === undefined ? {} : { settings }) }) - 1
    this.#totals.push({ rows: 0, bytes: 0 })
    const inOrder = this.#writer(row, index, this.#inOrder)
    let early: RowBatchWriter | undefined
    return {
      put: (value, hash, timestamp) => inOrder.put(value, hash, timestamp),
      putEarly: (value, hash, timestamp) => {
        early ??= this.#writer(row, index, this.#early)
        early.put(value, hash, timestamp)
      },
    }
  }

  /** After the last row. undefined: there is no table. */
  finish(): KeyedSnapshot | undefined {
    for (const writer of this.#writers) writer.flush()
    this.#writers = []
    this.#inOrder.seal()
    this.#early.seal()
    return this.#tables.length === 0 ? undefined : { tables: this.#tables, chunks: this.#chunks, totals: this.#totals }
  }

  #writer(row: TypeDescription, table: number, stream: ChunkStream): RowBatchWriter {
    const writer = new RowBatchWriter(row, this.#groupOf, (bytes, length, count, firstGroup, lastGroup) => {
      const total = this.#totals[table]!
      total.rows += count
      total.bytes += FRAME_HEAD_BYTES + length
      stream.append(table, bytes, length, count, firstGroup, lastGroup)
    })
    this.#writers.push(writer)
    return writer
  }
}

class ChunkStream {
  readonly #sink: ChunkSink
  readonly #add: (chunk: KeyedChunk) => void
  #buffer: Buffer | undefined
  #length = 0
  #rows = 0
  #firstGroup = Infinity
  #lastGroup = -1

  constructor(sink: ChunkSink, add: (chunk: KeyedChunk) => void) {
    this.#sink = sink
    this.#add = add
  }

  append(table: number, batch: Buffer, length: number, rows: number, firstGroup: number, lastGroup: number): void {
    const needed = FRAME_HEAD_BYTES + length
    if (this.#buffer !== undefined && this.#length + needed > this.#buffer.length) this.seal()
    this.#buffer ??= Buffer.from(this.#sink.take(needed))
    const at = this.#length
    this.#buffer.writeUInt32LE(length, at)
    this.#buffer.writeUInt32LE(table, at + 4)
    batch.copy(this.#buffer, at + FRAME_HEAD_BYTES, 0, length)
    this.#length = at + needed
    this.#rows += rows
    if (firstGroup < this.#firstGroup) this.#firstGroup = firstGroup
    if (lastGroup > this.#lastGroup) this.#lastGroup = lastGroup
  }

  seal(): void {
    if (this.#buffer === undefined) return
    const length = this.#length
    // Before it is given away: then the buffer is another thread's.
    const checksum = crc32(this.#buffer.subarray(0, length))
    const index = this.#sink.give(this.#buffer.buffer as ArrayBuffer, length)
    this.#add({
      handle: { file: '', offset: index, length, crc32: checksum },
      firstGroup: this.#firstGroup,
      lastGroup: this.#lastGroup,
      rows: this.#rows,
    })
    this.#buffer = undefined
    this.#length = 0
    this.#rows = 0
    this.#firstGroup = Infinity
    this.#lastGroup = -1
  }
}
