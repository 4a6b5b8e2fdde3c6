/**
 * CSV [RFC 4180].
 */
import type { Type } from '../../core/types.ts'
import type { OnBadRecord } from '../bad-records.ts'
import { type DecodingFormat, type EncodingFormat, type MessageFormat, perReader } from '../format.ts'
import { type Column, columnsOf } from './columns.ts'
import { CsvDecoder, type CsvSettings } from './decoder.ts'
import { CsvEncoder } from './encoder.ts'
import { CsvMessageDecoder, CsvMessageEncoder } from './message.ts'

export type { BadRecord, OnBadRecord } from '../bad-records.ts'
export type { DecodingFormat, EncodingFormat, MessageFormat } from '../format.ts'

export interface CsvOptions<T> {
  /** Of files: the first line has the names of the columns (default); otherwise `columns` names them in order. Messages have no header. */
  header?: boolean
  /**
   * Wanted columns and their types. Nullable ones are null where the field is `nullText` without quotes. Without it: all columns of the
   * header, as texts.
   */
  columns?: Type<T>
  /** One ASCII character; `,` when not given. */
  delimiter?: string
  /** One ASCII character; `"` when not given; null: quotes have no meaning. */
  quote?: string | null
  /** What stands for null; the empty field when not given. */
  nullText?: string
  /** Quoted fields may hold line ends (default). Without them, and without a header, a large file is read in parallel. */
  multiline?: boolean
  /** What happens to a record that does not fit: `fail` (default), `skip`, or a tag: send it to that side output. */
  onError?: OnBadRecord
}

/**
 * CSV for sources and sinks: files of records, or messages of one record each, with or without a line end. Messages need `columns`.
 *
 * Throws TypeError when the options contradict each other or a column's type cannot be text.
 *
 * @example
 * const airport = types.row({ iata: types.string, latitude: types.number, opened: types.nullable(types.date) })
 * fileSource({ path: 'airports.csv', format: csv({ columns: airport }) })
 */
export function csv<T = Record<string, string>>(
  options: CsvOptions<T> = {},
): DecodingFormat<T> & EncodingFormat<T> & MessageFormat<T> {
  const { header = true, multiline = true, nullText = '', onError = 'fail', quote = '"' } = options
  const delimiter = asciiByte('delimiter', options.delimiter ?? ',')
  const columns: Column[] | undefined =
    options.columns === undefined ? undefined : columnsOf(options.columns.description)
  if (!header && columns === undefined)
    throw new TypeError(
      'Cannot read CSV without names: give "columns", or files whose first line names them (header: true)',
    )
  const dialect = { delimiter, quote: quote === null ? -1 : asciiByte('quote', quote), multiline }
  if (dialect.quote === delimiter) throw new TypeError('Cannot read CSV whose delimiter and quote are the same')
  const settings: CsvSettings = { dialect, header, columns, nullText, onError }
  const parsers = perReader(() => new Map())
  return {
    splittable: !header && !multiline,
    extension: delimiter === 9 ? '.tsv' : '.csv',
    createDecoder: (context) => new CsvDecoder<T>(context, settings, parsers(context.reader)),
    createEncoder: () => new CsvEncoder<T>(settings),
    name: 'csv',
    createMessageDecoder: () => new CsvMessageDecoder<T>(settings),
    createMessageEncoder: () => new CsvMessageEncoder<T>(settings),
  }
}

function asciiByte(option: string, text: string): number {
  const code = text.charCodeAt(0)
  if (text.length !== 1 || code > 126 || code === 10 || code === 13 || code === 0)
    throw new TypeError(`Cannot use ${JSON.stringify(text)} as CSV "${option}": it must be one ASCII character`)
  return code
}
