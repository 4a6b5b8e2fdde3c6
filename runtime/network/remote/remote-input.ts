/**
 * The receiving end of a channel from a slot of another process: a ring of entries like that of a channel in shared memory, filled by the peer's
 * link. Batches lie in two exclusive buffers of its own or in floating ones of the slot's pool, which are granted to the sender ahead.
 *
 * Memory: 1,088 bytes of entries and 8,192 of exclusive buffers, and at most REMOTE_FLOATING_MAX buffers of 32 KB of the pool, which is bounded as a
 * whole. A sender that goes beyond any of this breaks the protocol.
 */

import { BATCH_VERSION, HEADER_BYTES, RECORDS_MAX } from '../../codec/batch.ts'
import { BUFFER_BYTES } from '../buffer-pool.ts'
import {
  DATA,
  END,
  ENTRIES,
  type EntryType,
  EXCLUSIVE_BYTES,
  FLOATING_FIRST,
  FRAGMENT,
  type InputEnd,
  NO_BUFFER,
  REMOTE_FLOATING_MAX,
} from '../channel-ends.ts'
import { badFrame, FLAG_EXCLUSIVE } from './frames.ts'
import type { PoolShares } from './pool-shares.ts'

/** Of a batch that comes in parts: one record of this size is no record. */
const BATCH_BYTES_MAX = 2 ** 30
/** Fewer new grants can wait while there are entries to read. */
const NEWS_MIN = 4

export class RemoteInput implements InputEnd {
  type: EntryType = DATA
  buffer = NO_BUFFER
  length = 0
  value = 0
  readonly key: string
  /** It waits in the queue of the shares. */
  starved = false
  /** It has something to say in the next CREDIT frame. */
  dirty = false
  ended = false
  /** The channel's number among the peer's outputs. */
  number = 0
  readonly #shares: PoolShares
  readonly #changed: (input: RemoteInput) => void
  readonly #types = new Uint8Array(ENTRIES)
  readonly #buffers = new Int32Array(ENTRIES)
  readonly #lengths = new Int32Array(ENTRIES)
  readonly #values = new Float64Array(ENTRIES)
  readonly #bytes = Buffer.allocUnsafeSlow(2 * EXCLUSIVE_BYTES)
  readonly #view = new DataView(this.#bytes.buffer)
  #written = 0
  #read = 0
  #exclusive = 3
  #exclusiveFreed = 0
  /** Floating buffers that are granted and not filled. */
  #reserved: number[] = []
  /** Floating buffers of this channel in any state. */
  #held = 0
  #granted = 0
  #wanted = 0
  /** The sender has asked for more and has not been told of any, nor that everything was taken. */
  #asked = false
  /** What the sender knows, when all of it has arrived: the totals that were last written, and what came since the beginning. */
  #toldRead = 0
  #toldFreed = 0
  #toldGranted = 0
  #floatingFilled = 0
  /** Buffers that are granted ahead while the pool allows it. */
  #ahead = 1
  /** Where the next payload goes. */
  #filling = NO_BUFFER
  /** Bytes of a batch in parts that have not come. */
  #partsLeft = 0
  #closed = false

  /** `changed` is called when `dirty` becomes true. */
  constructor(key: string, shares: PoolShares, changed: (input: RemoteInput) => void) {
    this.key = key
    this.#shares = shares
    this.#changed = changed
    shares.join()
  }

  // --- the task's side

  viewOf(buffer: number): DataView {
    return buffer < FLOATING_FIRST ? this.#view : this.#shares.pool.view
  }
  bytesOf(buffer: number): Buffer {
    return buffer < FLOATING_FIRST ? this.#bytes : this.#shares.pool.bytes
  }
  startOf(buffer: number): number {
    return buffer < FLOATING_FIRST ? buffer * EXCLUSIVE_BYTES : this.#shares.pool.start(buffer - FLOATING_FIRST)
  }

  next(): boolean {
    if (this.#written === this.#read) return false
    const at = this.#read & (ENTRIES - 1)
    this.type = this.#types[at] as EntryType
    this.buffer = this.#buffers[at]!
    this.length = this.#lengths[at]!
    this.value = this.#values[at]!
    return true
  }

  done(): void {
    if (this.#closed) return
    this.#read = (this.#read + 1) | 0
    this.#say()
    const { buffer } = this
    if (buffer === NO_BUFFER) return
    if (buffer < FLOATING_FIRST) {
      this.#exclusive |= 1 << buffer
      this.#exclusiveFreed = (this.#exclusiveFreed + 1) | 0
      return
    }
    this.#held--
    this.#shares.give(buffer - FLOATING_FIRST)
    this.grant()
  }

  get queued(): number {
    return (this.#written - this.#read) | 0
  }

  // --- the link's side

  /** Grants what the sender wants, or may have ahead. */
  grant(): void {
    if (this.#closed) return
    while (this.#held < REMOTE_FLOATING_MAX) {
      const wanted = ((this.#wanted - this.#granted) | 0) > 0
      if (!wanted && !(this.#reserved.length < this.#ahead && this.#shares.generous)) return
      // Behind those who wait already.
      if ((wanted && this.#shares.starving) || !this.#take()) {
        if (wanted) this.#shares.queue(this)
        return
      }
    }
  }

  /** The shares have a buffer for who waits. */
  grantOne(): void {
    if (this.#closed || this.#held >= REMOTE_FLOATING_MAX || ((this.#wanted - this.#granted) | 0) <= 0) return
    if (!this.#take() || (((this.#wanted - this.#granted) | 0) > 0 && this.#held < REMOTE_FLOATING_MAX))
      this.#shares.queue(this)
  }

  #take(): boolean {
    const index = this.#shares.take()
    if (index < 0) return false
    this.#reserved.push(index)
    this.#held++
    this.#granted = (this.#granted + 1) | 0
    this.#say()
    return true
  }

  #say(): void {
    if (this.dirty || this.#closed) return
    this.dirty = true
    this.#changed(this)
  }

  wants(total: number): void {
    const more = ((total | 0) - this.#granted) | 0
    if (more > REMOTE_FLOATING_MAX)
      throw badFrame(`channel ${this.key} wants ${more} buffers, it may have ${REMOTE_FLOATING_MAX}`)
    this.#wanted = total | 0
    this.#asked = true
    this.#say()
    this.grant()
  }

  returns(count: number): void {
    if (count === 0 || count > this.#reserved.length) {
      throw badFrame(`channel ${this.key} returns ${count} buffers, it has ${this.#reserved.length}`)
    }
    for (let i = 0; i < count; i++) {
      this.#held--
      this.#shares.give(this.#reserved.pop()!)
    }
    this.#floatingFilled = (this.#floatingFilled + count) | 0
    this.#ahead = 1
    this.#wanted = this.#granted
  }

  /** Buffers that the sender has and does not use at present. */
  get unused(): number {
    return this.#reserved.length
  }

  /** A frame of a batch begins. `length`: of what is on the wire; compressed it says nothing of the batch. */
  beginBatch(type: number, flags: number, number: number, length: number, compressed: boolean): void {
    this.#checkEntry(number)
    if (type !== DATA && type !== FRAGMENT) throw badFrame(`entries of type ${type} have no buffer`)
    const exclusive = (flags & FLAG_EXCLUSIVE) !== 0
    const capacity = exclusive ? EXCLUSIVE_BYTES : BUFFER_BYTES
    if (length === 0 || length > capacity) {
      throw badFrame(`a batch of ${length} bytes on channel ${this.key}, the buffer has ${capacity}`)
    }
    if (exclusive ? this.#exclusive === 0 : this.#reserved.length === 0) {
      throw badFrame(`channel ${this.key} sends beyond its credit`)
    }
    if (compressed) return
    this.#filling = this.#reserve(exclusive)
  }

  /** The buffer is neither free nor granted from now on: while it fills, others may be. */
  #reserve(exclusive: boolean): number {
    if (!exclusive) return this.#reserved.pop()! + FLOATING_FIRST
    const buffer = (this.#exclusive & 1) !== 0 ? 0 : 1
    this.#exclusive &= ~(1 << buffer)
    return buffer
  }

  /** Where the bytes of the batch that begins go. */
  get fillBytes(): Buffer {
    return this.bytesOf(this.#filling)
  }
  get fillStart(): number {
    return this.startOf(this.#filling)
  }

  /** The bytes of a compressed batch, whole. Answers their number. */
  fillCompressed(bytes: Buffer, flags: number): number {
    const exclusive = (flags & FLAG_EXCLUSIVE) !== 0
    const capacity = exclusive ? EXCLUSIVE_BYTES : BUFFER_BYTES
    if (bytes.length > capacity) {
      throw badFrame(`a batch of ${bytes.length} bytes on channel ${this.key}, the buffer has ${capacity}`)
    }
    this.#filling = this.#reserve(exclusive)
    return bytes.copy(this.fillBytes, this.fillStart)
  }

  /** The batch is in its buffer. */
  endBatch(type: number, length: number): void {
    const buffer = this.#filling
    this.#checkBatch(type, length, this.viewOf(buffer), this.startOf(buffer))
    this.#filling = NO_BUFFER
    this.#append(type, buffer, length, 0)
    if (buffer < FLOATING_FIRST) return
    this.#ahead = this.#shares.share
    this.grant()
  }

  /** The parts of a batch add up: what a reader would trust is what came. */
  #checkBatch(type: number, length: number, view: DataView, at: number): void {
    if (this.#partsLeft > 0) {
      this.#partsLeft -= length
      if (this.#partsLeft < 0 || (this.#partsLeft === 0) !== (type === DATA)) {
        throw badFrame(`a batch in parts on channel ${this.key} has another length than its header says`)
      }
      return
    }
    const version = view.getUint8(at)
    const count = view.getUint16(at + 2, true)
    const whole =
      HEADER_BYTES + view.getUint32(at + 16, true) + view.getUint32(at + 20, true) + view.getUint32(at + 24, true)
    const fits = type === DATA ? whole === length : whole > length && whole <= BATCH_BYTES_MAX
    if (length < HEADER_BYTES || version !== BATCH_VERSION || count > RECORDS_MAX || !fits) {
      throw badFrame(
        `a batch on channel ${this.key} of version ${version}, ${count} records and ${whole} bytes came as ${length} bytes`,
      )
    }
    if (type === FRAGMENT) this.#partsLeft = whole - length
  }

  event(type: number, number: number, value: number): void {
    this.#checkEntry(number)
    if (type === DATA || type === FRAGMENT || type < DATA || type > 9) throw badFrame(`an event of type ${type}`)
    if (type === END) this.ended = true
    this.#append(type, NO_BUFFER, 0, value)
  }

  #checkEntry(number: number): void {
    if (this.ended) throw badFrame(`channel ${this.key} goes on after its end`)
    if ((number | 0) !== this.#written) {
      throw badFrame(`entry ${number} on channel ${this.key}, the next one is ${this.#written >>> 0}`)
    }
    if (this.queued >= ENTRIES) throw badFrame(`channel ${this.key} has ${ENTRIES} entries already`)
  }

  #append(type: number, buffer: number, length: number, value: number): void {
    const at = this.#written & (ENTRIES - 1)
    this.#types[at] = type
    this.#buffers[at] = buffer
    if (buffer >= FLOATING_FIRST) this.#floatingFilled = (this.#floatingFilled + 1) | 0
    this.#lengths[at] = length
    this.#values[at] = value
    this.#written = (this.#written + 1) | 0
  }

  /**
   * Whether it is time to tell the sender what there is; a frame for each batch would cost more than the batch. So: when what is new is as much as
   * what the sender has left and no less than NEWS_MIN, or nothing else is to be read here; when it has asked and all it sent is taken; when half of
   * the entries are used up. A sender that waits has asked, and sooner or later all it sent is taken: it is never kept waiting.
   */
  get urgent(): boolean {
    const left = (this.#toldGranted - this.#floatingFilled) | 0
    const news = (this.#granted - this.#toldGranted) | 0
    const empty = this.queued === 0
    return (
      (news > 0 && left <= news && (empty || news >= NEWS_MIN)) ||
      (empty && this.#asked && this.#toldRead !== this.#read) ||
      (left === 0 && this.#toldFreed !== this.#exclusiveFreed) ||
      ((this.#written - this.#toldRead) | 0) >= ENTRIES / 2
    )
  }

  /** Writes its line of a CREDIT frame behind the channel number. */
  writeCredit(view: DataView, at: number): void {
    this.dirty = false
    if (this.queued === 0 || this.#granted !== this.#toldGranted) this.#asked = false
    view.setInt32(at, (this.#toldRead = this.#read), true)
    view.setInt32(at + 4, (this.#toldFreed = this.#exclusiveFreed), true)
    view.setInt32(at + 8, (this.#toldGranted = this.#granted), true)
  }

  /** The attempt is over: nothing is read any more, and all buffers go back to the pool. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    for (const index of this.#reserved) this.#shares.give(index)
    this.#reserved = []
    if (this.#filling >= FLOATING_FIRST) this.#shares.give(this.#filling - FLOATING_FIRST)
    for (; this.#read !== this.#written; this.#read = (this.#read + 1) | 0) {
      const buffer = this.#buffers[this.#read & (ENTRIES - 1)]!
      if (buffer >= FLOATING_FIRST) this.#shares.give(buffer - FLOATING_FIRST)
    }
  }
}
