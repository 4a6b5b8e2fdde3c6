/**
 * The sending end of a channel to a slot of another process. Its credit is what the receiver has announced: two exclusive buffers from the
 * start, floating ones as it grants them. A batch is encoded into a buffer of this slot (send-buffers.ts) and goes to the peer's outbox.
 *
 * Memory: two exclusive buffers of 4 KB, whatever the load; one of the slot's send buffers for an open batch; and in the peer's outbox, when its
 * socket is slow, no more than the receiver has room for.
 *
 * All counters are totals since the attempt began, as int32: only differences of them mean anything, so they may overflow.
 */
import { BUFFER_BYTES } from '../buffer-pool.ts'
import {
  END,
  ENTRIES,
  type EntryType,
  EXCLUSIVE_BYTES,
  FLOATING_FIRST,
  NO_BUFFER,
  type OutputEnd,
  REMOTE_FLOATING_MAX,
} from '../channel-ends.ts'
import type { ExchangeSettings } from '../settings.ts'
import { badFrame, DATA_FRAME, EVENT, EVENT_BYTES, FLAG_EXCLUSIVE, FLAG_LZ4, RETURN, WANT } from './frames.ts'
import { compress } from './lz4.ts'
import type { Outbox } from './outbox.ts'
import type { SendBuffers } from './send-buffers.ts'

export type Compression = ExchangeSettings['compression']
/** Smaller batches are not worth the call. */
const COMPRESSED_BYTES_MIN = 512

export class RemoteOutput implements OutputEnd {
  readonly key: string
  /** Its number among the outputs to this peer. */
  readonly index: number
  readonly #buffers: SendBuffers
  readonly #compression: Compression
  readonly #bytes = Buffer.allocUnsafeSlow(2 * EXCLUSIVE_BYTES)
  readonly #view = new DataView(this.#bytes.buffer)
  /** Where frames go while both ends run the same attempt; undefined: there is no credit. */
  #outbox: Outbox | undefined
  #written = 0
  #read = 0
  /** Bits of the exclusive buffers that are free; those that are not, the oldest first; how often one came back. */
  #exclusive = 3
  #published: number[] = []
  #exclusiveFreed = 0
  #granted = 0
  #used = 0
  #wanted = 0
  #waits = false
  /** The channel is one of many and begins its batches in the small buffers. */
  #small = false
  /** Number of the entry behind the last batch in a floating buffer. */
  #floatingEnd = 0
  /** The last entry is published. */
  ended = false

  constructor(key: string, index: number, buffers: SendBuffers, compression: Compression) {
    this.key = key
    this.index = index
    this.#buffers = buffers
    this.#compression = compression
  }

  /** Both ends are ready: entries may go. */
  open(outbox: Outbox): void {
    this.#outbox = outbox
  }

  /** The attempt or the connection is over: there is no credit any more. */
  close(): void {
    this.#outbox = undefined
  }

  viewOf(buffer: number): DataView {
    return buffer < FLOATING_FIRST ? this.#view : this.#buffers.views[buffer - FLOATING_FIRST]!
  }
  bytesOf(buffer: number): Buffer {
    return buffer < FLOATING_FIRST ? this.#bytes : this.#buffers.bytes[buffer - FLOATING_FIRST]!
  }
  startOf(buffer: number): number {
    return buffer === 1 ? EXCLUSIVE_BYTES : 0
  }
  capacityOf(buffer: number): number {
    return buffer < FLOATING_FIRST ? EXCLUSIVE_BYTES : BUFFER_BYTES
  }

  take(small: boolean): number {
    if (this.#outbox === undefined) return NO_BUFFER
    if (small) {
      this.#small = true
      const exclusive = this.#takeExclusive()
      return exclusive !== NO_BUFFER ? exclusive : this.#takeFloating()
    }
    const floating = this.#takeFloating()
    return floating !== NO_BUFFER || !this.#mayBeSmall() ? floating : this.#takeExclusive()
  }

  /**
   * Whether an exclusive buffer will do. Not while floating ones are on their way or being read: those come back, and eight small batches cost more
   * than the wait for a large one. When all that was sent has been taken, nothing else may come: then they keep the channel going.
   */
  #mayBeSmall(): boolean {
    return this.#small || ((this.#floatingEnd - this.#read) | 0) <= 0
  }

  #takeExclusive(): number {
    if (this.#exclusive === 0) return NO_BUFFER
    const buffer = (this.#exclusive & 1) !== 0 ? 0 : 1
    this.#exclusive &= ~(1 << buffer)
    return buffer
  }

  #takeFloating(): number {
    if (this.#granted === this.#used) {
      this.#want(REMOTE_FLOATING_MAX)
      return NO_BUFFER
    }
    this.#used = (this.#used + 1) | 0
    return this.#buffers.take() + FLOATING_FIRST
  }

  giveBack(buffer: number): void {
    if (buffer < FLOATING_FIRST) this.#exclusive |= 1 << buffer
    else {
      this.#buffers.give(buffer - FLOATING_FIRST)
      this.#used = (this.#used - 1) | 0
    }
  }

  hasCredit(): boolean {
    if (this.#outbox === undefined) return false
    return this.#granted !== this.#used || (this.#exclusive !== 0 && this.#mayBeSmall())
  }

  hasRoom(): boolean {
    return this.#outbox !== undefined && ((this.#written - this.#read) | 0) < ENTRIES
  }

  publish(type: EntryType, buffer: number, length: number, value: number): void {
    const outbox = this.#outbox!
    const number = this.#written
    this.#written = (number + 1) | 0
    if (buffer === NO_BUFFER) {
      const at = outbox.frame(EVENT_BYTES, EVENT, type, 0, this.index, number)
      outbox.view.setFloat64(at, value, true)
      if (type === END) this.ended = true
      return
    }
    let flags = 0
    if (buffer < FLOATING_FIRST) {
      flags = FLAG_EXCLUSIVE
      this.#published.push(buffer)
    }
    const bytes = this.bytesOf(buffer)
    const start = this.startOf(buffer)
    const packed =
      this.#compression === 'lz4' && length >= COMPRESSED_BYTES_MIN ? compress(bytes, start, length) : undefined
    if (packed === undefined) outbox.copy(bytes, start, length, DATA_FRAME, type, flags, this.index, number)
    else outbox.copy(packed, 0, packed.length, DATA_FRAME, type, flags | FLAG_LZ4, this.index, number)
    if (buffer >= FLOATING_FIRST) {
      this.#buffers.give(buffer - FLOATING_FIRST)
      this.#floatingEnd = this.#written
    }
  }

  waitForCredit(buffers: number): void {
    this.#waits = true
    this.#buffers.starved = true
    this.#want(buffers)
  }

  #want(buffers: number): void {
    const wanted = (this.#used + Math.min(buffers, REMOTE_FLOATING_MAX)) | 0
    if (this.#outbox === undefined || ((wanted - this.#granted) | 0) <= 0 || wanted === this.#wanted) return
    this.#wanted = wanted
    this.#outbox.frame(0, WANT, 0, 0, this.index, wanted)
  }

  get queued(): number {
    return (this.#written - this.#read) | 0
  }

  /** Totals of a CREDIT frame. True when the task waits for what came. Throws what is wrong with them. */
  credit(read: number, exclusiveFreed: number, granted: number): boolean {
    const newlyRead = (read - this.#read) | 0
    if (newlyRead < 0 || newlyRead > this.queued) {
      throw badFrame(`channel ${this.key} took ${newlyRead} more entries, ${this.queued} were sent`)
    }
    const newlyFree = (exclusiveFreed - this.#exclusiveFreed) | 0
    if (newlyFree < 0 || newlyFree > this.#published.length) {
      throw badFrame(`channel ${this.key} freed ${newlyFree} exclusive buffers, ${this.#published.length} were sent`)
    }
    const newlyGranted = (granted - this.#granted) | 0
    if (newlyGranted < 0 || ((granted - this.#used) | 0) > REMOTE_FLOATING_MAX) {
      throw badFrame(
        `channel ${this.key} granted ${newlyGranted} more buffers, at most ${REMOTE_FLOATING_MAX} may be free`,
      )
    }
    this.#read = read
    // They come back in the order they went.
    for (let i = 0; i < newlyFree; i++) this.#exclusive |= 1 << this.#published.shift()!
    this.#exclusiveFreed = exclusiveFreed
    this.#granted = granted
    if (!this.#waits || !this.hasRoom()) return false
    this.#waits = false
    return true
  }

  /** The receiver needs its buffers: those that no output waits for go back. */
  recall(): void {
    const unused = (this.#granted - this.#used) | 0
    if (this.#outbox === undefined || this.#waits || unused === 0) return
    this.#used = this.#granted
    this.#outbox.frame(0, RETURN, 0, 0, this.index, unused)
  }
}
