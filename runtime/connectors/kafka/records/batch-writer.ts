/**
 * Writes records into one batch, in place; its head, with the producer's numbers and the checksum, comes when the batch is sent.
 *
 * What must hold: nothing is allocated per record, and a batch that was finished is the same bytes whenever it is sent again.
 */
import { crc32c } from '@node-rs/crc32'
import { codecOf } from './compression.ts'
import {
  ATTRIBUTES,
  BASE_OFFSET,
  BASE_SEQUENCE,
  BASE_TIMESTAMP,
  BATCH_LENGTH,
  COMPRESSIONS,
  type Compression,
  CRC,
  HEAD_BYTES,
  LAST_OFFSET_DELTA,
  LEADER_EPOCH,
  MAGIC,
  MAGIC_AT,
  MAX_TIMESTAMP,
  PRODUCER_EPOCH,
  PRODUCER_ID,
  RECORD_COUNT,
  TRANSACTIONAL,
  writeInt64,
} from './layout.ts'

/** A key or value: text is written as UTF-8. */
export type Part = string | Uint8Array | null
export type Header = readonly [key: string, value: Part]

export interface BatchHead {
  /** -1: no producer id, and no protection against doubles. */
  producerId: bigint
  producerEpoch: number
  /** Of the first record; -1: none. */
  sequence: number
  transactional: boolean
  compression: Compression
}

/** Most bytes that a record takes beside key, value and headers. */
const RECORD_OVERHEAD = 40
/** Most bytes that a UTF-16 unit takes in UTF-8, beside the first. */
const UTF8_MORE = 2
const NO_HEADERS: readonly Header[] = []

export class BatchWriter {
  count = 0
  #bytes: Buffer
  #at = HEAD_BYTES
  #baseTimestampMs = 0
  #maxTimestampMs = 0

  /** @param bytes of another batch that is not used any more; it grows when a record needs more */
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  /** Without compression, head included. */
  get size(): number {
    return this.#at
  }

  /** Its memory, for the next batch. */
  get memory(): Buffer {
    return this.#bytes
  }

  /** Appends a record and returns its bytes. */
  append(key: Part, value: Part, headers: readonly Header[] | undefined, timestampMs: number): number {
    if (this.count === 0) {
      this.#baseTimestampMs = timestampMs
      this.#maxTimestampMs = timestampMs
    } else if (timestampMs > this.#maxTimestampMs) this.#maxTimestampMs = timestampMs
    // Text that is ASCII has as many bytes as units: it is written once, where it belongs. When it is not, its length is known and all is written again.
    const size = this.#write(lengthOf(key), lengthOf(value), key, value, headers ?? NO_HEADERS, timestampMs)
    const written =
      size >= 0 ? size : this.#write(bytesOf(key), bytesOf(value), key, value, headers ?? NO_HEADERS, timestampMs)
    this.count++
    this.#at += written
    return written
  }

  /** The record's bytes; -1 when a text has another length than was expected. */
  #write(
    keyLength: number,
    valueLength: number,
    key: Part,
    value: Part,
    headers: readonly Header[],
    timestampMs: number,
  ): number {
    const sinceBase = timestampMs - this.#baseTimestampMs
    const headersLength = headers.length === 0 ? 0 : headerBytes(headers)
    const length =
      1 +
      varintSize(sinceBase) +
      varintSize(this.count) +
      varintSize(keyLength) +
      Math.max(0, keyLength) +
      varintSize(valueLength) +
      Math.max(0, valueLength) +
      varintSize(headers.length) +
      headersLength
    this.#reserve(length + RECORD_OVERHEAD + UTF8_MORE * (Math.max(0, keyLength) + Math.max(0, valueLength)))
    const bytes = this.#bytes
    const start = this.#at
    let at = writeVarint(bytes, length, start)
    bytes[at++] = 0
    at = writeVarint(bytes, sinceBase, at)
    at = writeVarint(bytes, this.count, at)
    at = writeVarint(bytes, keyLength, at)
    if (keyLength > 0) {
      if (putPart(bytes, key!, at) !== keyLength) return -1
      at += keyLength
    }
    at = writeVarint(bytes, valueLength, at)
    if (valueLength > 0) {
      if (putPart(bytes, value!, at) !== valueLength) return -1
      at += valueLength
    }
    at = writeVarint(bytes, headers.length, at)
    for (let i = 0; i < headers.length; i++) {
      const [name, content] = headers[i]!
      at = putWithLength(bytes, name, at)
      at = content === null ? writeVarint(bytes, -1, at) : putWithLength(bytes, content, at)
    }
    return at - start
  }

  /** The whole batch. A view of {@link memory} unless it is compressed. */
  finish({ producerId, producerEpoch, sequence, transactional, compression }: BatchHead): Buffer {
    let bytes = this.#bytes.subarray(0, this.#at)
    if (compression !== 'none')
      bytes = Buffer.concat([bytes.subarray(0, HEAD_BYTES), codecOf(compression).compress(bytes.subarray(HEAD_BYTES))])
    writeInt64(bytes, 0, BASE_OFFSET)
    bytes.writeInt32BE(bytes.length - LEADER_EPOCH, BATCH_LENGTH)
    bytes.writeInt32BE(-1, LEADER_EPOCH)
    bytes[MAGIC_AT] = MAGIC
    bytes.writeInt16BE(COMPRESSIONS.indexOf(compression) | (transactional ? TRANSACTIONAL : 0), ATTRIBUTES)
    bytes.writeInt32BE(this.count - 1, LAST_OFFSET_DELTA)
    writeInt64(bytes, this.#baseTimestampMs, BASE_TIMESTAMP)
    writeInt64(bytes, this.#maxTimestampMs, MAX_TIMESTAMP)
    bytes.writeBigInt64BE(producerId, PRODUCER_ID)
    bytes.writeInt16BE(producerEpoch, PRODUCER_EPOCH)
    bytes.writeInt32BE(sequence, BASE_SEQUENCE)
    bytes.writeInt32BE(this.count, RECORD_COUNT)
    bytes.writeUInt32BE(crc32c(bytes.subarray(ATTRIBUTES)), CRC)
    return bytes
  }

  #reserve(more: number): void {
    if (this.#at + more <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(2 * this.#bytes.length, this.#at + more))
    this.#bytes.copy(grown, 0, 0, this.#at)
    this.#bytes = grown
  }
}

const lengthOf = (part: Part): number => (part === null ? -1 : part.length)
const bytesOf = (part: Part): number =>
  part === null ? -1 : typeof part === 'string' ? Buffer.byteLength(part) : part.length

/** Returns how many bytes it wrote. */
function putPart(bytes: Buffer, part: string | Uint8Array, at: number): number {
  if (typeof part === 'string') return bytes.utf8Write(part, at)
  bytes.set(part, at)
  return part.length
}

function headerBytes(headers: readonly Header[]): number {
  let sum = 0
  for (const [name, content] of headers) {
    const nameLength = bytesOf(name)
    const contentLength = bytesOf(content)
    sum += varintSize(nameLength) + nameLength + varintSize(contentLength) + Math.max(0, contentLength)
  }
  return sum
}

/** Returns the end. */
function putWithLength(bytes: Buffer, part: string | Uint8Array, at: number): number {
  const start = writeVarint(bytes, bytesOf(part), at)
  return start + putPart(bytes, part, start)
}

/** Bytes of {@link writeVarint}. */
function varintSize(value: number): number {
  if (value >= -64 && value < 64) return 1
  if (value >= -8192 && value < 8192) return 2
  let n = value < 0 ? -2 * value - 1 : 2 * value
  let size = 1
  for (; n >= 128; n = Math.floor(n / 128)) size++
  return size
}

/** Zigzag, up to 53 bits; returns the end. */
function writeVarint(bytes: Buffer, value: number, at: number): number {
  if (value >= -64 && value < 64) {
    bytes[at] = (value << 1) ^ (value >> 31)
    return at + 1
  }
  let n = value < 0 ? -2 * value - 1 : 2 * value
  while (n >= 128) {
    bytes[at++] = (n % 128) | 0x80
    n = Math.floor(n / 128)
  }
  bytes[at] = n
  return at + 1
}
