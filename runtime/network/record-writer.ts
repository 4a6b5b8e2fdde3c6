/**
 * The end of a chain: picks the channel of each record, encodes it into that channel's open batch, and sends full or old batches.
 *
 * Records go as typed rows once the job has agreed on the edge's type (types of the edge: declared, or inferred here from the first
 * records and proposed to the JobManager; the first proposal of any subtask wins). Before that, and for a record that deviates, the
 * batch is msgpack until it is sent, so order is kept and a stream that alternates costs msgpack and not a batch per record.
 *
 * Output beyond the credit goes to the overflow; `blocked` tells the task to take no input until `drain` has sent it.
 */
import type { Packr } from 'msgpackr'
import { FLAG_HASH, FLAG_MSGPACK, FLAG_UTF16, HEADER_BYTES, RECORDS_MAX, writeHeader } from '../codec/batch.ts'
import { type BatchOwner, type ExtraWriter, generatePut, isOpaque, type OpenBatch, type Put } from '../codec/codec.ts'
import { createPackr } from '../codec/msgpack.ts'
import type { Barrier } from '../core/checkpoint.ts'
import { TailraceError } from '../core/errors.ts'
import { inferType, type TypeDescription } from '../core/types.ts'
import { barrierCode } from './barrier-aligner.ts'
import {
  ACTIVE,
  BARRIER,
  DATA,
  DATA_END,
  END,
  type EntryType,
  IDLE,
  NO_BUFFER,
  type OutputEnd,
  TRIGGERED,
  WATERMARK,
} from './channel-ends.ts'
import { type Overflow, OverflowQueue } from './overflow.ts'
import { generateSelect, type Selector } from './select-channel.ts'
import { checkSendable } from './sendable.ts'

/** Records that are looked at before a type is proposed. */
const SAMPLES_MAX = 64
/** Type id of rows; later versions of an edge's type will count on. */
const TYPE_ID = 1
/** utf8Write may stop in the middle of its room: with this much slack a cut text never has the length of an ASCII one. */
const TEXT_SLACK = 8
/** From this many channels on, batches begin in the small exclusive buffers. */
const SMALL_FIRST_CHANNELS = 17

class ChannelBatch implements OpenBatch {
  view: DataView
  pos = 0
  /** Bytes left for typed rows; -1 when none may be written (no batch open, or it is msgpack). */
  room = -1
  count = 0
  text = ''
  charBytes = 1
  readonly writer: OutputEnd
  readonly queue: OverflowQueue
  /** NO_BUFFER with `open` true: the batch is in `heap`. */
  buffer = NO_BUFFER
  bytes: Buffer
  start = 0
  open = false
  msgpack = false
  end = 0
  extra: Buffer | undefined
  extraLength = 0
  sequence = 0

  constructor(writer: OutputEnd, overflow: Overflow, scratch: Buffer) {
    this.writer = writer
    this.queue = new OverflowQueue(overflow, writer)
    this.bytes = scratch
    this.view = new DataView(scratch.buffer, scratch.byteOffset, scratch.length)
  }
}

export interface RecordWriterOptions {
  edgeId: number
  /** Attempt of the task; goes into every batch. */
  epoch: number
  channels: OutputEnd[]
  selector: Selector
  overflow: Overflow
  /** undefined: to be inferred. */
  type: TypeDescription | undefined
  proposeType(edgeId: number, type: TypeDescription): void
  /** Milliseconds; -1: only full batches. 0: after every turn of the task. */
  bufferTimeoutMs: number
  /** Name of the operator before this writer, for messages. */
  operatorName: string
  recordsMax?: number
  /** From 0 to 1; Math.random by default. */
  random?: () => number
}

export class RecordWriter implements BatchOwner {
  process!: (value: any, timestamp: number) => void
  readonly options: RecordWriterOptions
  readonly #batches: ChannelBatch[]
  readonly #packr = createPackr()
  readonly #scratch = Buffer.allocUnsafeSlow(256)
  readonly #recordsMax: number
  readonly #small: boolean
  readonly #withHash: boolean
  readonly extras = new ExtraCollector(this.#packr)
  #samples: unknown[] | undefined
  #typed = false
  /** Since when the oldest open batch waits, by the task's clock; undefined: none is open. */
  #openSinceMs: number | undefined
  /** Counts, moved into the metrics page by the task. */
  recordsOut = 0
  bytesOut = 0
  buffersOut = 0
  recordsDeviating = 0

  constructor(options: RecordWriterOptions) {
    this.options = options
    this.#recordsMax = options.recordsMax ?? RECORDS_MAX
    this.#small = options.channels.length >= SMALL_FIRST_CHANNELS
    this.#withHash = options.selector.kind === 'key'
    this.#batches = options.channels.map((channel) => new ChannelBatch(channel, options.overflow, this.#scratch))
    this.#samples = options.type === undefined ? [] : undefined
    this.#compile(undefined)
    if (options.type !== undefined) this.setType(options.type)
  }

  /** The job's type of this edge; from now on rows. */
  setType(type: TypeDescription): void {
    this.#samples = undefined
    if (this.#typed || isOpaque(type)) return
    this.#typed = true
    this.flushAll()
    this.#compile(type)
  }

  #compile(type: TypeDescription | undefined): void {
    const put: Put =
      type === undefined
        ? (batch, value, timestamp, hash) => this.#putUntyped(batch as ChannelBatch, value, timestamp, hash)
        : generatePut(type, this.#withHash, this.#recordsMax).makePut(this)
    const { selector, random = Math.random } = this.options
    this.process = generateSelect(selector, this.#batches, put, Math.floor(random() * this.#batches.length))
  }

  watermark(timestampMs: number): void {
    for (const batch of this.#batches) this.#event(batch, WATERMARK, timestampMs)
  }

  status(idle: boolean): void {
    for (const batch of this.#batches) this.#event(batch, idle ? IDLE : ACTIVE, 0)
  }

  barrier(barrier: Barrier): void {
    for (const batch of this.#batches) {
      this.#event(batch, TRIGGERED, barrier.timestampMs)
      this.#event(batch, BARRIER, barrierCode(barrier))
    }
  }

  /** After the last record; barriers may follow. */
  dataEnd(): void {
    for (const batch of this.#batches) this.#event(batch, DATA_END, 0)
  }

  /** Nothing may follow. */
  end(): void {
    for (const batch of this.#batches) this.#event(batch, END, 0)
  }

  #event(batch: ChannelBatch, type: EntryType, value: number): void {
    if (batch.open) this.flush(batch)
    if (batch.queue.empty && batch.writer.hasRoom()) batch.writer.publish(type, NO_BUFFER, 0, value)
    else batch.queue.push(type, value, undefined)
  }

  /** True while something waits in the overflow. */
  get overflowing(): boolean {
    for (const batch of this.#batches) if (!batch.queue.empty) return true
    return false
  }

  /** True when the next record may find no credit: the task should take no input. Announces that it waits. */
  blocked(): boolean {
    let blocked = false
    for (const batch of this.#batches) {
      if (batch.queue.empty && (batch.open || batch.writer.hasCredit())) continue
      batch.writer.waitForCredit(batch.queue.length + 1)
      if (batch.queue.empty && batch.writer.hasCredit()) continue
      blocked = true
    }
    return blocked
  }

  /** Sends overflow as far as there is credit. True when none is left. */
  drain(): boolean {
    let empty = true
    for (const batch of this.#batches) if (!batch.queue.empty && !batch.queue.drain()) empty = false
    return empty
  }

  /** Sends batches that have waited for the buffer timeout. Returns when to call again (clock.monotonic()), or undefined. */
  flushDue(nowMs: number): number | undefined {
    const timeoutMs = this.options.bufferTimeoutMs
    if (timeoutMs < 0) return undefined
    let open = false
    for (const batch of this.#batches) {
      if (batch.open) {
        open = true
        break
      }
    }
    if (!open) {
      this.#openSinceMs = undefined
      return undefined
    }
    this.#openSinceMs ??= nowMs
    const dueMs = this.#openSinceMs + timeoutMs
    if (nowMs < dueMs) return dueMs
    this.flushAll()
    return undefined
  }

  flushAll(): void {
    for (const batch of this.#batches) if (batch.open) this.flush(batch)
    this.#openSinceMs = undefined
  }

  get queued(): number {
    let n = 0
    for (const batch of this.#batches) n += batch.writer.queued
    return n
  }

  // --- called by generated code

  roll(open: OpenBatch, cost: number): boolean {
    const batch = open as ChannelBatch
    if (batch.open && batch.msgpack) return false
    if (batch.open) this.flush(batch)
    this.#begin(batch)
    batch.room = batch.end - batch.pos
    if (cost <= batch.room) return true
    batch.room = -1
    return false
  }

  deviate(open: OpenBatch, value: unknown, timestamp: number, hash: number): void {
    this.recordsDeviating++
    this.pack(open, value, timestamp, hash)
  }

  keepExtras(open: OpenBatch): void {
    const batch = open as ChannelBatch
    const length = this.extras.length
    if (batch.extra === undefined || batch.extra.length < batch.extraLength + length) {
      const larger = Buffer.allocUnsafeSlow(Math.max(4096, (batch.extraLength + length) * 2))
      batch.extra?.copy(larger, 0, 0, batch.extraLength)
      batch.extra = larger
    }
    this.extras.copyTo(batch.extra, batch.extraLength)
    batch.extraLength += length
  }

  flush(open: OpenBatch): void {
    const batch = open as ChannelBatch
    const { bytes, start } = batch
    let flags = (batch.msgpack ? FLAG_MSGPACK : 0) | (this.#withHash ? FLAG_HASH : 0)
    let end = batch.pos
    let textBytes = 0
    let large: Buffer | undefined
    const text = batch.text
    if (text !== '') {
      textBytes = bytes.utf8Write(text, end, Math.min(text.length + TEXT_SLACK, bytes.length - end))
      if (textBytes !== text.length) {
        flags |= FLAG_UTF16
        batch.charBytes = 2
        textBytes = text.length * 2
        if (end + textBytes + batch.extraLength <= batch.end + TEXT_SLACK) bytes.ucs2Write(text, end)
        else {
          // The first batch with such characters in this channel may not fit: it goes as fragments.
          large = Buffer.allocUnsafeSlow(end - start + textBytes + batch.extraLength)
          bytes.copy(large, 0, start, end)
          large.ucs2Write(text, end - start)
        }
      }
      batch.text = ''
    }
    const rowBytes = end - start - HEADER_BYTES
    const target = large ?? bytes
    const targetStart = large === undefined ? start : 0
    end = end - start + targetStart + textBytes
    if (batch.extraLength > 0) {
      batch.extra!.copy(target, end, 0, batch.extraLength)
      end += batch.extraLength
    }
    const view = large === undefined ? batch.view : new DataView(large.buffer, large.byteOffset, large.length)
    writeHeader(
      view,
      targetStart,
      flags,
      batch.count,
      batch.msgpack ? 0 : TYPE_ID,
      this.options.epoch,
      batch.sequence++,
      rowBytes,
      textBytes,
      batch.extraLength,
    )
    this.#send(batch, large, end - targetStart)
    this.recordsOut += batch.count
    this.bytesOut += end - targetStart
    this.buffersOut++
    batch.count = 0
    batch.extraLength = 0
    batch.open = false
    batch.msgpack = false
    batch.room = -1
  }

  // --- the slow ways

  #begin(batch: ChannelBatch): void {
    const writer = batch.writer
    const buffer = batch.queue.empty && writer.hasRoom() ? writer.take(this.#small) : NO_BUFFER
    batch.buffer = buffer
    batch.open = true
    if (buffer === NO_BUFFER) {
      // Beyond the credit: an array of its own, which then moves into the overflow as it is.
      batch.bytes = this.options.overflow.array()
      batch.view = new DataView(batch.bytes.buffer)
      batch.start = 0
      batch.end = batch.bytes.length - TEXT_SLACK
    } else {
      batch.bytes = writer.bytesOf(buffer)
      batch.view = writer.viewOf(buffer)
      batch.start = writer.startOf(buffer)
      batch.end = batch.start + writer.capacityOf(buffer) - TEXT_SLACK
    }
    batch.pos = batch.start + HEADER_BYTES
  }

  #send(batch: ChannelBatch, large: Buffer | undefined, length: number): void {
    const { writer, queue, buffer } = batch
    if (large === undefined && buffer !== NO_BUFFER && queue.empty && writer.hasRoom()) {
      writer.publish(DATA, buffer, length, 0)
      return
    }
    const { bytes, start } = batch
    if (large !== undefined) queue.push(DATA, 0, large)
    else if (buffer === NO_BUFFER && length * 2 > bytes.length) queue.push(DATA, 0, bytes.subarray(0, length))
    else {
      queue.push(DATA, 0, Buffer.from(bytes.subarray(start, start + length)))
      if (buffer === NO_BUFFER) this.options.overflow.keep(bytes.buffer)
    }
    if (buffer !== NO_BUFFER) writer.giveBack(buffer)
    queue.drain()
  }

  #putUntyped(batch: ChannelBatch, value: unknown, timestamp: number, hash: number): void {
    const samples = this.#samples
    if (samples !== undefined) {
      checkSendable(value, this.options.operatorName)
      samples.push(value)
      if (samples.length === SAMPLES_MAX) this.#propose()
    }
    this.pack(batch, value, timestamp, hash)
  }

  #propose(): void {
    const samples = this.#samples!
    if (samples.length === 0) return
    this.#samples = undefined
    this.options.proposeType(this.options.edgeId, inferType(samples))
  }

  pack(open: OpenBatch, value: unknown, timestamp: number, hash: number): void {
    const batch = open as ChannelBatch
    checkSendable(value, this.options.operatorName)
    let packed: Buffer
    try {
      packed = this.#packr.pack(value)
    } catch (cause) {
      throw new TailraceError(
        'TR-RECORD-005',
        `Cannot send a record of "${this.options.operatorName}": ${(cause as Error).message}`,
        { cause },
      )
    }
    const head = this.#withHash ? 16 : 12
    const cost = head + packed.length
    if (batch.open && (!batch.msgpack || batch.pos + cost > batch.end)) this.flush(batch)
    if (!batch.open) this.#begin(batch)
    if (batch.pos + cost > batch.end) {
      // Larger than a buffer: a batch of its own size, sent as fragments.
      if (batch.buffer !== NO_BUFFER) batch.writer.giveBack(batch.buffer)
      batch.buffer = NO_BUFFER
      batch.bytes = Buffer.allocUnsafeSlow(HEADER_BYTES + cost + TEXT_SLACK)
      batch.view = new DataView(batch.bytes.buffer)
      batch.start = 0
      batch.pos = HEADER_BYTES
      batch.end = HEADER_BYTES + cost
    }
    batch.msgpack = true
    batch.room = -1
    const { view, pos } = batch
    view.setFloat64(pos, timestamp, true)
    if (this.#withHash) view.setUint32(pos + 8, hash, true)
    view.setUint32(pos + head - 4, packed.length, true)
    packed.copy(batch.bytes, pos + head)
    batch.pos = pos + cost
    if (++batch.count === this.#recordsMax) this.flush(batch)
  }

  /** At the end of a turn in which input ran dry: a short stream should not wait for SAMPLES_MAX records. */
  proposeEarly(): void {
    if (this.#samples !== undefined && this.#samples.length > 0) this.#propose()
  }
}

class ExtraCollector implements ExtraWriter {
  length = 0
  #buffer = Buffer.allocUnsafeSlow(4096)
  readonly #packr: Packr

  constructor(packr: Packr) {
    this.#packr = packr
  }

  bytes(value: Uint8Array): number {
    if (this.length + value.length > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow((this.length + value.length) * 2)
      this.#buffer.copy(larger, 0, 0, this.length)
      this.#buffer = larger
    }
    this.#buffer.set(value, this.length)
    this.length += value.length
    return value.length
  }

  any(value: unknown): number {
    return this.bytes(this.#packr.pack(value))
  }

  copyTo(target: Buffer, at: number): void {
    this.#buffer.copy(target, at, 0, this.length)
  }
}
