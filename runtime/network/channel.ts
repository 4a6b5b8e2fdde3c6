/**
 * A channel between two threads: a ring of small entries in shared memory, one writer, one reader. Batches lie in buffers that
 * entries name: two small exclusive ones per channel, so that every channel always makes progress, and floating ones of the receiver's
 * pool. Free buffers are the credit. Watermarks, status, barriers and the end are entries without a buffer, in order with the batches.
 *
 * Block of one channel (little-endian Int32 cells):
 *   [0] entries written  [1] entries read  [2] free exclusive buffers (bit 0, bit 1)  [3] floating buffers in use
 *   [4] 1 while the writer waits for credit  [8..11] control lane: announcements that may overtake (checkpoint barriers)
 *   [16..] ENTRIES entries of 8 cells: type, buffer, length, unused, then a double at cell 6
 *   then the two exclusive buffers.
 *
 * A block lives as long as one attempt; when a peer dies the whole block is thrown away.
 */
import { BUFFER_BYTES, type BufferPool } from './buffer-pool.ts'
import {
  DATA,
  ENTRIES,
  type EntryType,
  EXCLUSIVE_BYTES,
  FLOATING_FIRST,
  FLOATING_MAX,
  type InputEnd,
  NO_BUFFER,
  type OutputEnd,
} from './channel-ends.ts'
import type { Doorbell } from './doorbell.ts'

const WRITTEN = 0
const READ = 1
const EXCLUSIVE = 2
const FLOATING = 3
const WRITER_WAITS = 4
const FIRST_ENTRY = 16
const ENTRY_CELLS = 8

const ENTRIES_BYTES = (FIRST_ENTRY + ENTRIES * ENTRY_CELLS) * 4
/** Bytes of one channel in the shared memory of a gate: 10,304. */
export const CHANNEL_BYTES = ENTRIES_BYTES + 2 * EXCLUSIVE_BYTES

/** Memory for the input channels of one subtask. */
export function allocateGate(channels: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(Math.max(1, channels) * CHANNEL_BYTES)
  for (let i = 0; i < channels; i++) new Int32Array(buffer, i * CHANNEL_BYTES, FIRST_ENTRY)[EXCLUSIVE] = 3
  return buffer
}

abstract class ChannelEnd {
  protected readonly cells: Int32Array
  protected readonly view: DataView
  protected readonly bytes: Buffer
  protected readonly pool: BufferPool
  protected readonly bell: Doorbell
  protected readonly offset: number

  /** `bell` is the doorbell of the other end's slot. */
  constructor(gate: SharedArrayBuffer, index: number, pool: BufferPool, bell: Doorbell) {
    this.offset = index * CHANNEL_BYTES
    this.cells = new Int32Array(gate, this.offset, ENTRIES_BYTES / 4)
    this.view = new DataView(gate)
    this.bytes = Buffer.from(gate)
    this.pool = pool
    this.bell = bell
  }

  /** Where a buffer lies: its view, the same as bytes, and its first byte. */
  viewOf(buffer: number): DataView {
    return buffer < FLOATING_FIRST ? this.view : this.pool.view
  }
  bytesOf(buffer: number): Buffer {
    return buffer < FLOATING_FIRST ? this.bytes : this.pool.bytes
  }
  startOf(buffer: number): number {
    return buffer < FLOATING_FIRST
      ? this.offset + ENTRIES_BYTES + buffer * EXCLUSIVE_BYTES
      : this.pool.start(buffer - FLOATING_FIRST)
  }
}

/** The sending end. Owned by one thread. */
export class ChannelWriter extends ChannelEnd implements OutputEnd {
  #written = 0

  capacityOf(buffer: number): number {
    return buffer < FLOATING_FIRST ? EXCLUSIVE_BYTES : BUFFER_BYTES
  }

  /** A buffer to fill, or NO_BUFFER: then there is no credit. Floating ones come first unless `small`. */
  take(small: boolean): number {
    if (small) {
      const exclusive = this.#takeExclusive()
      return exclusive !== NO_BUFFER ? exclusive : this.#takeFloating()
    }
    const floating = this.#takeFloating()
    return floating !== NO_BUFFER ? floating : this.#takeExclusive()
  }

  #takeExclusive(): number {
    const free = Atomics.load(this.cells, EXCLUSIVE)
    if (free === 0) return NO_BUFFER
    const buffer = (free & 1) !== 0 ? 0 : 1
    Atomics.and(this.cells, EXCLUSIVE, ~(1 << buffer))
    return buffer
  }

  #takeFloating(): number {
    if (Atomics.load(this.cells, FLOATING) >= FLOATING_MAX) return NO_BUFFER
    const index = this.pool.take()
    if (index < 0) return NO_BUFFER
    Atomics.add(this.cells, FLOATING, 1)
    return index + FLOATING_FIRST
  }

  /** Gives back a buffer that was taken and not published. */
  giveBack(buffer: number): void {
    giveBuffer(this.cells, this.pool, buffer)
  }

  hasCredit(): boolean {
    return (
      Atomics.load(this.cells, EXCLUSIVE) !== 0 ||
      (Atomics.load(this.cells, FLOATING) < FLOATING_MAX && this.pool.hasFree())
    )
  }

  hasRoom(): boolean {
    return this.#written - Atomics.load(this.cells, READ) < ENTRIES
  }

  /** Appends an entry; there must be room. `length` bytes of `buffer` are the reader's from now on. */
  publish(type: EntryType, buffer: number, length: number, value: number): void {
    const at = FIRST_ENTRY + (this.#written % ENTRIES) * ENTRY_CELLS
    const cells = this.cells
    cells[at] = type
    cells[at + 1] = buffer
    cells[at + 2] = length
    this.view.setFloat64(this.offset + (at + 6) * 4, value, true)
    this.#written = (this.#written + 1) | 0
    Atomics.store(cells, WRITTEN, this.#written)
    this.bell.ring()
  }

  /** The reader rings this slot when credit or room comes back. */
  waitForCredit(): void {
    Atomics.store(this.cells, WRITER_WAITS, 1)
  }

  /** Entries that the reader has not taken. */
  get queued(): number {
    return this.#written - Atomics.load(this.cells, READ)
  }
}

/** The receiving end. Owned by one thread. `type`, `buffer`, `length` and `value` describe the entry that `next` found. */
export class ChannelReader extends ChannelEnd implements InputEnd {
  type: EntryType = DATA
  buffer = NO_BUFFER
  length = 0
  value = 0
  #read = 0

  /** True when there is an entry; it stays until `done`. */
  next(): boolean {
    if (Atomics.load(this.cells, WRITTEN) === this.#read) return false
    const at = FIRST_ENTRY + (this.#read % ENTRIES) * ENTRY_CELLS
    this.type = this.cells[at] as EntryType
    this.buffer = this.cells[at + 1]!
    this.length = this.cells[at + 2]!
    this.value = this.view.getFloat64(this.offset + (at + 6) * 4, true)
    return true
  }

  /** Gives the entry and its buffer back to the writer. */
  done(): void {
    if (this.buffer !== NO_BUFFER) giveBuffer(this.cells, this.pool, this.buffer)
    this.#read = (this.#read + 1) | 0
    Atomics.store(this.cells, READ, this.#read)
    if (Atomics.load(this.cells, WRITER_WAITS) === 1) {
      Atomics.store(this.cells, WRITER_WAITS, 0)
      this.bell.ring()
    }
  }

  /** Entries that wait. */
  get queued(): number {
    return Atomics.load(this.cells, WRITTEN) - this.#read
  }
}

function giveBuffer(cells: Int32Array, pool: BufferPool, buffer: number): void {
  if (buffer < FLOATING_FIRST) Atomics.or(cells, EXCLUSIVE, 1 << buffer)
  else {
    pool.give(buffer - FLOATING_FIRST)
    Atomics.sub(cells, FLOATING, 1)
  }
}
