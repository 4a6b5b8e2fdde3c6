/**
 * Writes CSV. Columns are the declared ones, or the keys of the first record. Quotes only where a reader would take the text for something
 * else.
 */
import { TailraceError } from '../../core/errors.ts'
import type { Encoder } from '../format.ts'
import type { CsvSettings } from './decoder.ts'

export class CsvEncoder<T> implements Encoder<T> {
  readonly #settings: CsvSettings
  readonly #delimiter: string
  readonly #quote: string
  readonly #special: RegExp
  #names: string[] | undefined
  #headerDue: boolean

  constructor(settings: CsvSettings) {
    const { delimiter, quote } = settings.dialect
    this.#settings = settings
    this.#delimiter = String.fromCharCode(delimiter)
    this.#quote = quote < 0 ? '' : String.fromCharCode(quote)
    const signs = [delimiter, ...(quote < 0 ? [] : [quote]), 10, 13]
    this.#special = new RegExp(`[${signs.map((c) => `\\x${c.toString(16).padStart(2, '0')}`).join('')}]`)
    this.#names = settings.columns?.map((column) => column.name)
    this.#headerDue = settings.header
  }

  encode(value: T): string {
    const record = value as Record<string, unknown>
    this.#names ??= Object.keys(record)
    const line = this.#line(this.#names.map((name) => this.#text(name, record[name])))
    if (!this.#headerDue) return line
    this.#headerDue = false
    return this.#line(this.#names.map((name) => this.#quoted(name, name))) + line
  }

  #line(fields: string[]): string {
    // One empty field would be a blank line, which readers pass over.
    const line = fields.join(this.#delimiter)
    return `${line === '' && this.#quote !== '' ? this.#quote + this.#quote : line}\n`
  }

  #text(name: string, value: unknown): string {
    const { nullText } = this.#settings
    if (value === null || value === undefined) return nullText
    if (typeof value === 'object' && !(value instanceof Date))
      throw new TailraceError(
        'TR-RECORD-005',
        `Cannot write the field "${name}" as CSV: it is an object, wanted a text, number, boolean, bigint or Date`,
      )
    const text = value instanceof Date ? value.toISOString() : String(value)
    return text === nullText && typeof value === 'string' && this.#quote !== ''
      ? this.#quote + text + this.#quote
      : this.#quoted(name, text)
  }

  #quoted(name: string, text: string): string {
    if (!this.#special.test(text)) return text
    if (this.#quote === '')
      throw new TailraceError(
        'TR-RECORD-005',
        `Cannot write ${JSON.stringify(text.slice(0, 80))} in the field "${name}" as CSV without quotes: it holds the delimiter or a line end`,
      )
    return this.#quote + text.replaceAll(this.#quote, this.#quote + this.#quote) + this.#quote
  }
}
