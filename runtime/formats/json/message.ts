/**
 * JSON as a message: one value, without a line end.
 *
 * Decoding goes through the parsers that are generated from the first messages (template.ts), in the bytes where they stand. There is
 * no sentinel behind the message: such a parser ends with the closing brace that it found, so where it ends exactly at the message's end
 * it has taken nothing from behind it; where it ends elsewhere, or runs out of the buffer, JSON.parse decides.
 */
import { TailraceError } from '../../core/errors.ts'
import type { Type } from '../../core/types.ts'
import { MalformedMessage, type MessageDecoder, type MessageEncoder, type MessageFormat } from '../format.ts'
import { conform, holds, type RowCheck, rowCheck } from './schema.ts'
import { Templates } from './templates.ts'
import { writeJson } from './write.ts'

export interface JsonMessageOptions<T> {
  /**
   * What each message must be; one that is not is malformed. Fields of type `date` are ISO texts in JSON, `bytes` are base64, `bigint`
   * are numbers with all their digits; a nullable field may be missing. Without it nothing is checked.
   */
  schema?: Type<T>
}

/**
 * One JSON value per message, for keys and values of messages.
 *
 * @example
 * const click = types.row({ user: types.string, page: types.string, at: types.number })
 * const format = json({ schema: click })
 */
export function json<T = any>(options: JsonMessageOptions<T> = {}): MessageFormat<T> {
  const { schema } = options
  return {
    name: 'json',
    createMessageDecoder: () => new JsonMessageDecoder<T>(schema),
    createMessageEncoder: () => new JsonMessageEncoder<T>(schema),
  }
}

class JsonMessageDecoder<T> implements MessageDecoder<T> {
  readonly #schema: Type<T> | undefined
  readonly #fits: RowCheck | undefined
  readonly #bigints: boolean
  readonly #templates = new Templates('value')
  /** Where the generated parser puts what it reads. */
  readonly #output = {
    value: undefined as T | undefined,
    collect(value: T) {
      this.value = value
    },
    markIdle() {},
    markActive() {},
  }
  /** Of the buffer that the last message stood in: many messages come in one. */
  #buffer: Buffer | undefined
  #view: DataView | undefined

  constructor(schema: Type<T> | undefined) {
    this.#schema = schema
    this.#fits = schema && rowCheck(schema.description)
    this.#bigints = schema !== undefined && holds(schema.description, 'bigint')
  }

  decode(bytes: Buffer, start: number, end: number): T {
    let value: T | undefined
    // Numbers of the generated parsers are doubles.
    if (!this.#bigints) value = this.#byTemplate(bytes, start, end)
    if (value === undefined) value = this.#byParse(bytes, start, end)
    if (this.#schema === undefined || this.#fits?.(value) === true) return value
    return conform(this.#schema.description, value, '') as T
  }

  #byTemplate(bytes: Buffer, start: number, end: number): T | undefined {
    const templates = this.#templates
    if (!templates.learnt) return undefined
    if (this.#buffer !== bytes) {
      this.#buffer = bytes
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    }
    const output = this.#output
    const text = bytes.latin1Slice(start, end)
    let at: number
    try {
      at = templates.parse(bytes, this.#view!, text, start, start, end, end, 1, output)
    } catch (error) {
      // It looked for a text's end behind the end of the buffer.
      if (error instanceof RangeError) return undefined
      throw error
    }
    if (at !== end || templates.cursor.count !== 1) return undefined
    const { value } = output
    output.value = undefined
    return value
  }

  #byParse(bytes: Buffer, start: number, end: number): T {
    const text = bytes.utf8Slice(start, end)
    let value: T
    try {
      value = this.#bigints ? JSON.parse(text, exactIntegers as () => unknown) : JSON.parse(text)
    } catch (error) {
      throw new MalformedMessage(`it is no JSON: ${(error as Error).message}`)
    }
    if (value === null) throw new MalformedMessage('a record must be something, found null')
    this.#templates.missed(bytes, start, end)
    return value
  }
}

/** Whole numbers that a double cannot tell from their neighbours become bigints. */
function exactIntegers(_key: string, value: unknown, { source }: { source?: string }): unknown {
  if (typeof value !== 'number' || Number.isSafeInteger(value) || source === undefined) return value
  return /^-?\d+$/.test(source) ? BigInt(source) : value
}

class JsonMessageEncoder<T> implements MessageEncoder<T> {
  readonly #bytes: boolean

  constructor(schema: Type<T> | undefined) {
    this.#bytes = schema !== undefined && holds(schema.description, 'bytes')
  }

  encode(value: T): string | null {
    if (value === null) return null
    const text = this.#bytes ? writeJson(value, base64) : writeJson(value)
    if (text === undefined)
      throw new TailraceError('TR-RECORD-005', `Cannot write ${String(value)} as JSON: it is a ${typeof value}`)
    return text
  }
}

function base64(value: unknown): unknown {
  if (!(value instanceof Uint8Array)) return value
  return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')
}
