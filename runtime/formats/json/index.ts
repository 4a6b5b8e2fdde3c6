/**
 * JSON: lines and arrays in files, and messages.
 */
import { TailraceError } from '../../core/errors.ts'
import type { OnBadRecord } from '../bad-records.ts'
import { type DecodingFormat, type Encoder, type EncodingFormat, perReader } from '../format.ts'
import { JsonArrayDecoder } from './array.ts'
import { JsonLinesDecoder } from './lines.ts'
import { Templates } from './templates.ts'
import { writeJson } from './write.ts'

export type { BadRecord, OnBadRecord } from '../bad-records.ts'
export type { DecodingFormat, EncodingFormat, MessageFormat } from '../format.ts'
export { type JsonMessageOptions, json } from './message.ts'

export interface JsonOptions {
  /** What happens to a record that is no JSON, or null: `fail` (default), `skip`, or a tag: send it to that side output. */
  onError?: OnBadRecord
}

/**
 * One JSON value per line (JSON lines, NDJSON), for sources and sinks.
 *
 * @example
 * fileSource({ path: '/data/clicks.jsonl', format: jsonLines<Click>({ onError: 'skip' }) })
 */
export function jsonLines<T = any>(options: JsonOptions = {}): DecodingFormat<T> & EncodingFormat<T> {
  const { onError = 'fail' } = options
  const templates = perReader(() => new Templates('line'))
  return {
    splittable: true,
    extension: '.jsonl',
    createDecoder: (context) => new JsonLinesDecoder<T>(context, onError, templates(context.reader)),
    createEncoder: () => encoder,
  }
}

/**
 * A file that is one JSON array; its elements are the records. Read as a stream: the file may be larger than the memory.
 *
 * @example
 * fileSource({ path: 'flights-20k.json', format: jsonArray<Flight>() })
 */
export function jsonArray<T = any>(options: JsonOptions = {}): DecodingFormat<T> {
  const { onError = 'fail' } = options
  const templates = perReader(() => new Templates('value'))
  return {
    splittable: false,
    createDecoder: (context) => new JsonArrayDecoder<T>(context, onError, templates(context.reader)),
  }
}

const encoder: Encoder<any> = {
  encode(value) {
    const text = writeJson(value)
    if (text === undefined)
      throw new TailraceError('TR-RECORD-005', `Cannot write ${String(value)} as JSON: it is a ${typeof value}`)
    return `${text}\n`
  },
}
