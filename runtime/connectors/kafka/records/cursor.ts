/**
 * Goes through the records of a fetched part of a partition, one at a time, and makes nothing per record: its fields say where key, value and headers of the current one lie.
 *
 * What must hold:
 * - a batch whose checksum is wrong is an error, and none of its records is seen;
 * - `position` is where the next fetch begins: behind control batches, hidden ones and what compaction took out, so that a bound at the end of a partition is reached whatever lies there last [KS-07];
 * - records before `position` are passed over: brokers send whole batches;
 * - a batch that is cut off at the end of the part is left to the next fetch.
 */
import { crc32c } from '@node-rs/crc32'
import { TailraceError } from '../../../core/errors.ts'
import type { AbortedTransactions } from './aborted.ts'
import { codecOf } from './compression.ts'
import {
  ABORT_MARKER,
  APPEND_TIME,
  ATTRIBUTES,
  BASE_OFFSET,
  BASE_TIMESTAMP,
  BATCH_LENGTH,
  COMPRESSION_BITS,
  COMPRESSIONS,
  CONTROL,
  CONTROL_TYPE_AT,
  CRC,
  HEAD_BYTES,
  LAST_OFFSET_DELTA,
  LEADER_EPOCH,
  MAGIC,
  MAGIC_AT,
  MAX_TIMESTAMP,
  PRODUCER_ID,
  RECORD_COUNT,
  readInt64,
  TRANSACTIONAL,
} from './layout.ts'

const EMPTY = Buffer.alloc(0)
const HEADERS_TOO_LONG = 'headers are longer than their record'

export class RecordCursor {
  /** Where the current record lies. */
  bytes: Buffer
  offset = -1
  /** -1: the producer gave none. */
  timestampMs = -1
  /** -1: there is no key. */
  keyStart = -1
  keyEnd = -1
  /** -1: there is no value (a tombstone). */
  valueStart = -1
  valueEnd = -1
  headerCount = 0
  /** Offset of what comes next. */
  position: number
  /** Bytes of batches that were gone through, as they came. */
  bytesTaken = 0

  readonly #place: string
  readonly #checkCrc: boolean
  #part: Buffer
  #batchAt = 0
  #aborted: AbortedTransactions | undefined
  // The batch that is open.
  #left = 0
  #at = 0
  #end = 0
  #baseOffset = 0
  #baseTimestampMs = 0
  /** Of all records, by the broker; -1: each has its own. */
  #appendTimeMs = -1
  #nextPosition = 0
  #headersAt = 0

  /** @param place of the partition, for messages: `partition 3 of topic "clicks"` */
  constructor(place: string, position: number, checkCrc = true) {
    this.#place = place
    this.#checkCrc = checkCrc
    this.position = position
    this.bytes = this.#part = EMPTY
  }

  /** Goes on with what was fetched at `position`; the bytes must not change until they are gone through. `aborted`: what read_committed hides. */
  open(part: Buffer, aborted?: AbortedTransactions): void {
    this.#part = part
    this.#batchAt = 0
    this.#left = 0
    this.#aborted = aborted
  }

  /** Goes on at another offset, with the next part. */
  seek(position: number): void {
    this.position = position
    this.#left = 0
    this.#part = EMPTY
    this.#batchAt = 0
  }

  /** Moves to the next record; false at the end of the part. Throws TR-KAFKA-002 when a batch cannot be read. */
  next(): boolean {
    for (;;) {
      while (this.#left > 0) {
        this.#left--
        this.#record()
        const { offset, position } = this
        this.position = this.#left === 0 ? this.#nextPosition : Math.max(position, offset + 1)
        if (offset >= position) return true
      }
      if (!this.#nextBatch()) return false
    }
  }

  /** Headers of the current record; values are views. Throws TR-KAFKA-002 when they cannot be read. */
  headers(): [key: string, value: Buffer | null][] {
    const { bytes } = this
    const end = this.#at
    const found: [string, Buffer | null][] = []
    at = this.#headersAt
    for (let i = 0; i < this.headerCount; i++) {
      const keyLength = varint(bytes)
      const keyEnd = at + keyLength
      if (!(keyLength >= 0 && keyEnd <= end)) throw this.#unreadable(HEADERS_TOO_LONG)
      const key = bytes.utf8Slice(at, keyEnd)
      at = keyEnd
      const length = varint(bytes)
      if (!(at + length <= end)) throw this.#unreadable(HEADERS_TOO_LONG)
      found.push([key, length < 0 ? null : bytes.subarray(at, at + length)])
      at += Math.max(0, length)
    }
    return found
  }

  #record(): void {
    const { bytes } = this
    at = this.#at
    const length = varint(bytes)
    const end = at + length
    at++ // attributes
    const sinceBase = varint(bytes)
    this.offset = this.#baseOffset + varint(bytes)
    this.timestampMs = this.#appendTimeMs >= 0 ? this.#appendTimeMs : this.#baseTimestampMs + sinceBase
    const keyLength = varint(bytes)
    this.keyStart = keyLength < 0 ? -1 : at
    this.keyEnd = at += Math.max(keyLength, 0)
    const valueLength = varint(bytes)
    this.valueStart = valueLength < 0 ? -1 : at
    this.valueEnd = at += Math.max(valueLength, 0)
    this.headerCount = varint(bytes)
    this.#headersAt = at
    const { headerCount } = this
    // A header has two bytes at least.
    if (!(length > 0 && headerCount >= 0 && at + 2 * headerCount <= end && end <= this.#end))
      throw this.#unreadable('a record is longer than its batch')
    if (this.#left === 0 && end !== this.#end) throw this.#unreadable('it has more records than it says')
    this.#at = end
  }

  /** Opens the next batch that has records to see; false when there is none. */
  #nextBatch(): boolean {
    const part = this.#part
    for (;;) {
      const head = this.#batchAt
      // Before anything else: messages of older formats may be shorter than a head.
      const magic = part[head + MAGIC_AT]
      if (magic === undefined) return false
      if (magic !== MAGIC)
        throw this.#unreadable(
          `its message format is ${magic}, wanted: 2, which brokers write since Kafka 0.11 (log.message.format.version)`,
        )
      if (part.length - head < HEAD_BYTES) return false
      const length = part.readInt32BE(head + BATCH_LENGTH)
      const end = head + LEADER_EPOCH + length
      if (length < HEAD_BYTES - LEADER_EPOCH) throw this.#unreadable(`a batch says that it has ${length} bytes`)
      if (end > part.length) return false
      this.#batchAt = end
      this.bytesTaken += end - head
      const lastDelta = part.readInt32BE(head + LAST_OFFSET_DELTA)
      this.#nextPosition = readInt64(part, head + BASE_OFFSET) + lastDelta + 1
      // Before the batch is passed over: what says where it ends may be what is damaged.
      if (this.#checkCrc && crc32c(part.subarray(head + ATTRIBUTES, end)) !== part.readUInt32BE(head + CRC))
        throw this.#unreadable('its checksum is wrong: it was damaged on the disk of a broker or on its way')
      if (lastDelta < 0) throw this.#unreadable('a batch ends before it begins')
      if (this.#nextPosition <= this.position) continue
      if (this.#isToBeSeen(part, head, end)) return true
      this.position = this.#nextPosition
    }
  }

  /** Opens a batch; false when nobody is to see its records. */
  #isToBeSeen(part: Buffer, head: number, end: number): boolean {
    const attributes = part.readInt16BE(head + ATTRIBUTES)
    const aborted = this.#aborted
    aborted?.reach(this.#nextPosition - 1)
    const isControl = (attributes & CONTROL) !== 0
    if (isControl && aborted === undefined) return false
    const isTransactional = (attributes & TRANSACTIONAL) !== 0
    if (!isControl && isTransactional && aborted?.hides(part.readBigInt64BE(head + PRODUCER_ID))) return false
    const compression = COMPRESSIONS[attributes & COMPRESSION_BITS]
    if (compression === undefined)
      throw this.#unreadable(`its compression has the number ${attributes & COMPRESSION_BITS}, wanted: 0 to 4`)
    if (compression === 'none') {
      this.bytes = part
      this.#at = head + HEAD_BYTES
      this.#end = end
    } else {
      this.bytes = this.#decompress(compression, part.subarray(head + HEAD_BYTES, end))
      this.#at = 0
      this.#end = this.bytes.length
    }
    this.#baseOffset = readInt64(part, head + BASE_OFFSET)
    this.#baseTimestampMs = readInt64(part, head + BASE_TIMESTAMP)
    this.#appendTimeMs = (attributes & APPEND_TIME) === 0 ? -1 : readInt64(part, head + MAX_TIMESTAMP)
    const count = part.readInt32BE(head + RECORD_COUNT)
    if (!isControl) {
      this.#left = count
      return count > 0
    }
    if (count > 0) {
      this.#record()
      if (this.keyStart < 0 || this.keyEnd - this.keyStart < CONTROL_TYPE_AT + 2)
        throw this.#unreadable('a marker has no type')
      if (this.bytes.readInt16BE(this.keyStart + CONTROL_TYPE_AT) === ABORT_MARKER)
        aborted!.abortMarker(part.readBigInt64BE(head + PRODUCER_ID))
    }
    return false
  }

  #decompress(compression: Exclude<(typeof COMPRESSIONS)[number], 'none'>, bytes: Buffer): Buffer {
    try {
      return codecOf(compression).decompress(bytes)
    } catch (cause) {
      throw this.#unreadable(`its ${compression} bytes cannot be decompressed: ${(cause as Error).message}`, cause)
    }
  }

  #unreadable(why: string, cause?: unknown): TailraceError {
    return new TailraceError(
      'TR-KAFKA-002',
      `Cannot read the batch before offset ${this.#nextPosition} of ${this.#place}: ${why}`,
      { cause },
    )
  }
}

/** Where {@link varint} reads; it moves on. One for all cursors: a field of each costs as much again as the reading. */
let at = 0

/** A zigzag varint of up to 53 bits. */
function varint(bytes: Buffer): number {
  const first = bytes[at++]!
  if (first < 0x80) return (first >>> 1) ^ -(first & 1)
  const second = bytes[at++]!
  let n = (first & 0x7f) | ((second & 0x7f) << 7)
  if (second < 0x80) return (n >>> 1) ^ -(n & 1)
  const third = bytes[at++]!
  n |= (third & 0x7f) << 14
  if (third < 0x80) return (n >>> 1) ^ -(n & 1)
  const fourth = bytes[at++]!
  n |= (fourth & 0x7f) << 21
  if (fourth < 0x80) return (n >>> 1) ^ -(n & 1)
  return longVarint(bytes, n)
}

/** The rest of one that has more than 28 bits. */
function longVarint(bytes: Buffer, low: number): number {
  let n = low
  for (let weight = 2 ** 28; ; weight *= 128) {
    const byte = bytes[at++]
    if (byte === undefined || weight > 2 ** 63) return Number.NaN
    n += (byte & 0x7f) * weight
    if (byte < 0x80) return n % 2 === 0 ? n / 2 : -(n + 1) / 2
  }
}
