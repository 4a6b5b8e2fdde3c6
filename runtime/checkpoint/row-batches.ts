/**
 * Rows of a state table as batches of the format that travels between tasks (codec/batch.ts): typed rows by generated code, msgpack for what deviates.
 *
 * One writer per table and stream. A batch is handed out when it is full or at `flush`; its bytes are valid during the call.
 */
import type { Packr } from 'msgpackr'
import { FLAG_HASH, FLAG_MSGPACK, FLAG_UTF16, HEADER_BYTES, RECORDS_MAX, writeHeader } from '../codec/batch.ts'
import { type BatchOwner, type ExtraWriter, generatePut, isOpaque, type OpenBatch, type Put } from '../codec/codec.ts'
import { createPackr } from '../codec/msgpack.ts'
import type { TypeDescription } from '../core/types.ts'

/** Room for the rows of one batch. */
const ROOM_BYTES = 32 * 1024
/** utf8Write may stop in the middle of its room: with this much slack a cut text never has the length of an ASCII one. */
const TEXT_SLACK = 8

/** Takes a batch: `count` rows with hashes from `lowest` to `highest` group. */
export type TakeBatch = (bytes: Buffer, length: number, count: number, firstGroup: number, lastGroup: number) => void

export class RowBatchWriter implements BatchOwner, OpenBatch {
  view: DataView
  pos = HEADER_BYTES
  room = -1
  count = 0
  text = ''
  charBytes = 1
  readonly extras: ExtraWriter & { bytesOf(): Buffer }
  readonly #packr = createPackr()
  readonly #take: TakeBatch
  readonly #groupOf: (hash: number) => number
  readonly #put: Put
  readonly #typed: boolean
  #bytes: Buffer
  #extra: Buffer = Buffer.alloc(0)
  #extraLength = 0
  #msgpack = false
  #firstGroup = Infinity
  #lastGroup = -1

  constructor(row: TypeDescription, groupOf: (hash: number) => number, take: TakeBatch) {
    this.#take = take
    this.#groupOf = groupOf
    this.#bytes = Buffer.allocUnsafeSlow(ROOM_BYTES + TEXT_SLACK)
    this.view = viewOf(this.#bytes)
    this.extras = new Extras(this.#packr)
    this.#typed = !isOpaque(row)
    this.#put = this.#typed
      ? generatePut(row, true, RECORDS_MAX).makePut(this)
      : (_, value, timestamp, hash) => this.pack(this, value, timestamp, hash)
    this.#begin()
  }

  put(row: any, keyHash: number, timestamp: number): void {
    const group = this.#groupOf(keyHash)
    if (group < this.#firstGroup) this.#firstGroup = group
    if (group > this.#lastGroup) this.#lastGroup = group
    this.#put(this, row, timestamp, keyHash)
    // The row that fills a batch flushes it, and belongs to it: its group was counted before. A row that found no room has begun a new one.
    if (this.count > 0 && this.#lastGroup < 0) this.#firstGroup = this.#lastGroup = group
  }

  flush(): void {
    if (this.count === 0) return
    let flags = FLAG_HASH | (this.#msgpack ? FLAG_MSGPACK : 0)
    const rowsEnd = this.pos
    let end = rowsEnd
    let textBytes = 0
    const { text } = this
    if (text !== '') {
      this.#reserve(rowsEnd + text.length * 2 + this.#extraLength + TEXT_SLACK)
      textBytes = this.#bytes.utf8Write(text, rowsEnd, text.length + TEXT_SLACK)
      if (textBytes !== text.length) {
        flags |= FLAG_UTF16
        textBytes = text.length * 2
        this.#bytes.ucs2Write(text, rowsEnd)
      }
      end += textBytes
    }
    if (this.#extraLength > 0) {
      this.#reserve(end + this.#extraLength)
      this.#extra.copy(this.#bytes, end, 0, this.#extraLength)
      end += this.#extraLength
    }
    const typeId = this.#msgpack ? 0 : 1
    writeHeader(this.view, 0, flags, this.count, typeId, 0, 0, rowsEnd - HEADER_BYTES, textBytes, this.#extraLength)
    this.#take(this.#bytes, end, this.count, this.#firstGroup, this.#lastGroup)
    this.#begin()
  }

  // --- called by generated code

  roll(_batch: OpenBatch, cost: number): boolean {
    if (this.#msgpack) return false
    if (this.count > 0) this.flush()
    if (HEADER_BYTES + cost > ROOM_BYTES) return false
    this.room = ROOM_BYTES - HEADER_BYTES
    return true
  }

  deviate(batch: OpenBatch, value: unknown, timestamp: number, hash: number): void {
    this.pack(batch, value, timestamp, hash)
  }

  keepExtras(): void {
    const { length } = this.extras
    const needed = this.#extraLength + length
    if (this.#extra.length < needed) this.#extra = grown(this.#extra, this.#extraLength, needed)
    this.extras.bytesOf().copy(this.#extra, this.#extraLength, 0, length)
    this.#extraLength = needed
  }

  pack(_batch: OpenBatch, value: unknown, timestamp: number, hash: number): void {
    const packed = this.#packr.pack(value)
    const cost = 16 + packed.length
    if (this.count > 0 && (!this.#msgpack || this.pos + cost > ROOM_BYTES)) this.flush()
    this.#reserve(this.pos + cost)
    this.#msgpack = true
    this.room = -1
    const { view, pos } = this
    view.setFloat64(pos, timestamp, true)
    view.setUint32(pos + 8, hash, true)
    view.setUint32(pos + 12, packed.length, true)
    packed.copy(this.#bytes, pos + 16)
    this.pos = pos + cost
    if (++this.count === RECORDS_MAX) this.flush()
  }

  #begin(): void {
    this.pos = HEADER_BYTES
    this.room = this.#typed ? ROOM_BYTES - HEADER_BYTES : -1
    this.count = 0
    this.text = ''
    this.#extraLength = 0
    this.#msgpack = false
    this.#firstGroup = Infinity
    this.#lastGroup = -1
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#bytes.length) return
    this.#bytes = grown(this.#bytes, this.pos, bytes)
    this.view = viewOf(this.#bytes)
  }
}

function viewOf(bytes: Buffer): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}

function grown(bytes: Buffer, used: number, needed: number): Buffer {
  const larger = Buffer.allocUnsafeSlow(Math.max(needed, bytes.length * 2))
  bytes.copy(larger, 0, 0, used)
  return larger
}

class Extras implements ExtraWriter {
  length = 0
  #buffer: Buffer = Buffer.allocUnsafeSlow(1024)
  readonly #packr: Packr

  constructor(packr: Packr) {
    this.#packr = packr
  }

  bytes(value: Uint8Array): number {
    const needed = this.length + value.length
    if (needed > this.#buffer.length) this.#buffer = grown(this.#buffer, this.length, needed)
    this.#buffer.set(value, this.length)
    this.length = needed
    return value.length
  }

  any(value: unknown): number {
    return this.bytes(this.#packr.pack(value))
  }

  bytesOf(): Buffer {
    return this.#buffer
  }
}
