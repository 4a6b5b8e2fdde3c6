/**
 * What the two ends of a channel are to those who use them: a record writer fills an {@link OutputEnd}, a gate takes from an {@link InputEnd}.
 * Which memory or wire lies between is the ends' own business: a ring that two threads share (channel.ts), or a connection to a slot of
 * another process (remote/).
 *
 * What must hold in any: entries arrive once, in the order of publishing. Free buffers are the credit: two small exclusive ones for
 * each channel, so that every channel always makes progress, and up to FLOATING_MAX or REMOTE_FLOATING_MAX of the receiving slot's pool. Watermarks, status, barriers
 * and ends need no buffer; ENTRIES bounds them together with the batches.
 */

/** What an entry is. */
export const DATA = 1
export const WATERMARK = 2
export const IDLE = 3
export const ACTIVE = 4
/** Nothing follows. */
export const END = 5
/** A part of a batch that is larger than a buffer; the last part is DATA. */
export const FRAGMENT = 6
/** Belongs to the barrier that follows: when its checkpoint was triggered. */
export const TRIGGERED = 7
/** A checkpoint's barrier: barrierCode() of it. */
export const BARRIER = 8
/** No record follows; barriers may, until END. */
export const DATA_END = 9
export type EntryType =
  | typeof DATA
  | typeof WATERMARK
  | typeof IDLE
  | typeof ACTIVE
  | typeof END
  | typeof FRAGMENT
  | typeof TRIGGERED
  | typeof BARRIER
  | typeof DATA_END

/** Entries of a channel that its reader has not taken. More than its buffers, so that watermarks fit between batches. */
export const ENTRIES = 64
export const EXCLUSIVE_BYTES = 4096
/** Floating buffers that one channel between threads may hold. */
export const FLOATING_MAX = 8
/**
 * The same between processes, where credit is a round trip of two slots' turns away. Measured: exchange-tcp takes 273 ns of CPU for a record with 8, where a third of the batches found no
 * credit and took the longer way through the overflow, and 210 with 16; tumble10k over two TaskManagers, where one channel carries all, 11.0 M/s with 16 and 12.7 with 32.
 */
export const REMOTE_FLOATING_MAX = 32

/** Buffers by number: 0 and 1 are exclusive, others floating (index + 2). */
export const FLOATING_FIRST = 2
export const NO_BUFFER = -1

interface End {
  /** Where a buffer lies: its view, the same as bytes, and its first byte. */
  viewOf(buffer: number): DataView
  bytesOf(buffer: number): Buffer
  startOf(buffer: number): number
  /** Entries that the reader has not taken, as far as this end knows. */
  readonly queued: number
}

/** The sending end. Owned by one thread. */
export interface OutputEnd extends End {
  capacityOf(buffer: number): number
  /** A buffer to fill, or NO_BUFFER: then there is no credit. Floating ones come first unless `small`. */
  take(small: boolean): number
  /** Gives back a buffer that was taken and not published. */
  giveBack(buffer: number): void
  hasCredit(): boolean
  hasRoom(): boolean
  /** Appends an entry; there must be room. `length` bytes of `buffer` are the reader's from now on. */
  publish(type: EntryType, buffer: number, length: number, value: number): void
  /** The slot is woken when credit or room comes back. `buffers`: about how many could be filled at once. */
  waitForCredit(buffers: number): void
}

/** The receiving end. Owned by one thread. `type`, `buffer`, `length` and `value` describe the entry that `next` found. */
export interface InputEnd extends End {
  readonly type: EntryType
  readonly buffer: number
  readonly length: number
  readonly value: number
  /** True when there is an entry; it stays until `done`. */
  next(): boolean
  /** Gives the entry and its buffer back to the writer. */
  done(): void
}
