/**
 * CSV as a message: one record, whose line end may be there or not. The columns are the declared ones, in their order.
 *
 * The generated parser wants a line end and a sentinel, for which a message has no room: it is copied to a buffer that has.
 */
import type { MessageDecoder, MessageEncoder } from '../format.ts'
import { MalformedMessage } from '../format.ts'
import type { Cursor } from '../json/scan.ts'
import type { TemplateParser } from '../json/template.ts'
import type { Column } from './columns.ts'
import { buildRecord, type CsvSettings } from './decoder.ts'
import { CsvEncoder } from './encoder.ts'
import { readRecord } from './record.ts'
import { compileCsv } from './template.ts'

const LF = 10
/** Longer messages are read field by field. */
const COPIED_BYTES_MAX = 16 * 1024
/** The line end, the sentinel, and what a word that begins before them reads. */
const SLACK = 8

export class CsvMessageDecoder<T> implements MessageDecoder<T> {
  readonly #settings: CsvSettings
  readonly #columns: Column[]
  readonly #names: string[]
  readonly #parse: TemplateParser
  readonly #cursor: Cursor = { at: 0, count: 0 }
  readonly #copy = Buffer.alloc(COPIED_BYTES_MAX + SLACK)
  readonly #view: DataView
  readonly #output = {
    value: undefined as T | undefined,
    collect(value: T) {
      this.value = value
    },
    markIdle() {},
    markActive() {},
  }

  constructor(settings: CsvSettings) {
    if (settings.columns === undefined)
      throw new TypeError('Cannot read messages as CSV without "columns": a message has no header to name them')
    this.#settings = settings
    this.#columns = settings.columns
    this.#names = settings.columns.map((column) => column.name)
    this.#parse = compileCsv(this.#columns, this.#names, settings.dialect, settings.nullText)
    this.#view = new DataView(this.#copy.buffer, this.#copy.byteOffset, this.#copy.length)
  }

  decode(bytes: Buffer, start: number, end: number): T {
    const length = end - start
    if (length <= COPIED_BYTES_MAX && length > 0) {
      const copy = this.#copy
      bytes.copy(copy, 0, start, end)
      let lineEnd = length
      if (copy[length - 1] !== LF) copy[lineEnd++] = LF
      copy[lineEnd] = 0
      const text = copy.latin1Slice(0, lineEnd)
      const at = this.#parse(copy, this.#view, text, 0, 0, lineEnd, lineEnd, 1, this.#output, this.#cursor)
      if (this.#cursor.count === 1 && at === lineEnd) return this.#output.value!
    }
    return this.#byRecord(bytes, start, end)
  }

  #byRecord(bytes: Buffer, start: number, end: number): T {
    // All is there, so that there is a record.
    const record = readRecord(bytes, start, end, true, this.#settings.dialect)!
    if (record.error !== undefined) throw new MalformedMessage(record.error)
    if (record.next !== end) throw new MalformedMessage('it goes on behind the end of its record')
    const names = this.#names
    const value = buildRecord<T>(record, names, this.#columns, names, this.#settings.nullText)
    if (typeof value === 'string') throw new MalformedMessage(value)
    return value
  }
}

export class CsvMessageEncoder<T> implements MessageEncoder<T> {
  readonly #encoder: CsvEncoder<T>

  constructor(settings: CsvSettings) {
    this.#encoder = new CsvEncoder<T>({ ...settings, header: false })
  }

  encode(value: T): string | null {
    return value === null ? null : this.#encoder.encode(value).slice(0, -1)
  }
}
