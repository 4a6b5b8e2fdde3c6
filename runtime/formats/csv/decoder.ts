/**
 * Decodes CSV: the header (if there is one), then records; the generated parser where records are plain, field by field elsewhere.
 */
import { NO_TIMESTAMP } from '../../core/clock.ts'
import type { SplitOutput } from '../../core/source.ts'
import type { OnBadRecord } from '../bad-records.ts'
import type { Chunk, Decoder, DecoderContext } from '../format.ts'
import type { Cursor } from '../json/scan.ts'
import type { TemplateParser } from '../json/template.ts'
import { type Column, convert } from './columns.ts'
import { type CsvDialect, type CsvRecord, readRecord } from './record.ts'
import { compileCsv } from './template.ts'

export interface CsvSettings {
  dialect: CsvDialect
  header: boolean
  /** undefined: all columns of the header, as texts. */
  columns: Column[] | undefined
  nullText: string
  onError: OnBadRecord
}

const WINDOW_BYTES = 32 * 1024

interface State {
  /** Names in the file's order; absent before the header was read. */
  names?: string[]
  line?: number
}

export class CsvDecoder<T> implements Decoder<T> {
  readonly #context: DecoderContext
  readonly #settings: CsvSettings
  readonly #parsers: Map<string, TemplateParser>
  #names: string[] | undefined
  /** In the file's order; undefined for those that nobody wants. */
  #columns: (Column | undefined)[] = []
  #parse: TemplateParser | undefined
  #line: number | undefined
  readonly #cursor: Cursor = { at: 0, count: 0 }

  /** `parsers`: by header, of all files of the reader. */
  constructor(context: DecoderContext, settings: CsvSettings, parsers: Map<string, TemplateParser>) {
    this.#parsers = parsers
    this.#context = context
    this.#settings = settings
    const state = context.state as State | undefined
    this.#line = state === undefined ? (context.atStart ? 1 : undefined) : state.line
    if (!settings.header) this.#setNames(settings.columns!.map((column) => column.name))
    else if (state?.names !== undefined) this.#setNames(state.names)
  }

  decode(chunk: Chunk, output: SplitOutput<T>, max: number): number {
    let count = 0
    let window = WINDOW_BYTES
    while (count < max && chunk.start < chunk.end && chunk.start < chunk.limit) {
      const before = chunk.start
      const end = Math.min(chunk.end, before + window)
      count += this.#decodeWindow(chunk, end, output, max - count)
      if (chunk.start !== before) window = WINDOW_BYTES
      else if (end < chunk.end) window *= 2
      else break
    }
    return count
  }

  snapshot(): State {
    const state: State = {}
    if (this.#names !== undefined && this.#settings.header) state.names = this.#names
    if (this.#line !== undefined) state.line = this.#line
    return state
  }

  #decodeWindow(chunk: Chunk, end: number, output: SplitOutput<T>, max: number): number {
    const d = chunk.bytes
    const view = new DataView(d.buffer, d.byteOffset, d.length)
    const base = chunk.start
    const text = d.latin1Slice(base, end)
    const after = d[end]!
    d[end] = 0
    let count = 0
    try {
      while (count < max && chunk.start < end && chunk.start < chunk.limit) {
        if (this.#parse !== undefined) {
          chunk.start = this.#parse(
            d,
            view,
            text,
            base,
            chunk.start,
            end,
            chunk.limit,
            max - count,
            output,
            this.#cursor,
          )
          count += this.#cursor.count
          this.#countLines(this.#cursor.count)
          if (count >= max || chunk.start >= chunk.limit || chunk.start >= end) break
        }
        const taken = this.#decodeRecord(chunk, end, output)
        if (taken < 0) break
        count += taken
      }
    } finally {
      d[end] = after
    }
    return count
  }

  /** 1, or 0 for the header and blank lines; -1 when the record may go on after `end`. */
  #decodeRecord(chunk: Chunk, end: number, output: SplitOutput<T>): number {
    const { start } = chunk
    const last = chunk.last && end === chunk.end
    const record = readRecord(chunk.bytes, start, end, last, this.#settings.dialect)
    if (record === undefined) return -1
    chunk.start = record.next
    const line = this.#line
    this.#countLines(record.lines)
    if (record.fields.length === 1 && record.fields[0] === '' && !record.quoted[0] && record.error === undefined)
      return 0
    if (this.#names === undefined) {
      if (record.error !== undefined) this.#broken(chunk, start, record.end, record.error)
      this.#takeHeader(chunk, start, record)
      return 0
    }
    const found = record.error ?? this.#build(record)
    if (typeof found !== 'string') output.collect(found, NO_TIMESTAMP)
    else {
      const bytes = chunk.bytes.subarray(start, record.end)
      const place = line === undefined ? undefined : `line ${line}`
      this.#context.bad.report(this.#settings.onError, bytes, chunk.offset + start, place, found)
    }
    return 1
  }

  /** The record's value, or why there is none. */
  #build(record: CsvRecord): T | string {
    return buildRecord(record, this.#names!, this.#columns, this.#fields(), this.#settings.nullText)
  }

  #takeHeader(chunk: Chunk, start: number, record: CsvRecord): void {
    const names = record.fields.map((name) => name.trim())
    const twice = names.find((name, i) => names.indexOf(name) !== i)
    if (twice !== undefined) this.#broken(chunk, start, record.end, `the header names "${twice}" twice`)
    const missing = this.#settings.columns?.find((column) => !names.includes(column.name))
    if (missing !== undefined)
      this.#broken(chunk, start, record.end, `the header has no column "${missing.name}", only ${names.join(', ')}`)
    this.#setNames(names)
  }

  #setNames(names: string[]): void {
    const { columns, dialect, nullText } = this.#settings
    this.#names = names
    this.#columns = names.map((name) =>
      columns === undefined
        ? { name, kind: 'string', nullable: false }
        : columns.find((column) => column.name === name),
    )
    const header = JSON.stringify(names)
    this.#parse = this.#parsers.get(header) ?? compileCsv(this.#columns, this.#fields(), dialect, nullText)
    this.#parsers.set(header, this.#parse)
  }

  /** Of a record, in its order: as declared, or as in the file. */
  #fields(): string[] {
    return this.#settings.columns?.map((column) => column.name) ?? this.#names!
  }

  #countLines(lines: number): void {
    if (this.#line !== undefined) this.#line += lines
  }

  #broken(chunk: Chunk, start: number, end: number, reason: string): never {
    this.#context.bad.broken(chunk.bytes.subarray(start, end), chunk.offset + start, 'the header', reason)
  }
}

/**
 * The value of a record, or why there is none.
 *
 * @param columns of `names`; undefined for those that nobody wants
 * @param wanted names in the order of the value's fields
 */
export function buildRecord<T>(
  { fields, quoted }: CsvRecord,
  names: readonly string[],
  columns: readonly (Column | undefined)[],
  wanted: readonly string[],
  nullText: string,
): T | string {
  if (fields.length !== names.length)
    return `wanted ${names.length} fields (${names.join(', ')}), found ${fields.length}`
  const values = new Map<string, unknown>()
  for (let i = 0; i < fields.length; i++) {
    const column = columns[i]
    if (column === undefined) continue
    const text = fields[i]!
    const isNull = column.nullable && !quoted[i] && text === nullText
    const value = isNull ? null : convert(column.kind, text)
    if (value === undefined)
      return `the field "${column.name}" is no ${column.kind}: ${JSON.stringify(text.slice(0, 80))}`
    values.set(column.name, value)
  }
  return Object.fromEntries(wanted.map((name) => [name, values.get(name)])) as T
}
