/**
 * Messages that are one plain value: bytes, text, a number or a boolean of fixed size.
 */
import { TailraceError } from '../../core/errors.ts'
import { MalformedMessage, type MessageFormat } from '../format.ts'
import { type Charset, textMessage } from '../text/message.ts'
import { NUMBERS, type RawNumberKind } from './numbers.ts'

export type { MessageFormat } from '../format.ts'
export type { Charset } from '../text/message.ts'
export type { RawNumberKind } from './numbers.ts'

/**
 * The bytes as they are, in a copy.
 *
 * @example
 * const format = rawBytes()
 */
export function rawBytes(): MessageFormat<Uint8Array> {
  return {
    name: 'raw (bytes)',
    createMessageDecoder: () => ({
      decode(bytes, start, end) {
        const copy = new Uint8Array(end - start)
        bytes.copy(copy, 0, start, end)
        return copy
      },
    }),
    createMessageEncoder: () => ({
      encode(value) {
        if (value === null || value instanceof Uint8Array) return value
        throw new TailraceError('TR-RECORD-005', `Cannot write ${described(value)} as raw bytes: it is no Uint8Array`)
      },
    }),
  }
}

/**
 * The whole message as text. Bytes that are no text in the charset become U+FFFD.
 *
 * @param charset `utf8` when not given
 *
 * @example
 * const format = rawString('latin1')
 */
export function rawString(charset: Charset = 'utf8'): MessageFormat<string> {
  return textMessage(`raw (${charset})`, charset)
}

export interface RawNumberOptions {
  /** Which byte comes first: `big-endian` (default) is Java's and the network's order. */
  endianness?: 'big-endian' | 'little-endian'
}

/**
 * A number of fixed size, as Java's serializers write them: `tinyint` (1 byte), `smallint` (2), `int` (4), `long` (8), `bigint` (8, as
 * a bigint), `float` (4), `double` (8). A message of another size is malformed, and so is a `long` beyond 2^53.
 *
 * @example
 * const key = rawNumber('long')
 * const reading = rawNumber('double', { endianness: 'little-endian' })
 */
export function rawNumber(kind: 'bigint', options?: RawNumberOptions): MessageFormat<bigint>
export function rawNumber(kind: Exclude<RawNumberKind, 'bigint'>, options?: RawNumberOptions): MessageFormat<number>
export function rawNumber(kind: RawNumberKind, options: RawNumberOptions = {}): MessageFormat<any> {
  const { endianness = 'big-endian' } = options
  if (!Object.hasOwn(NUMBERS, kind))
    throw new TypeError(
      `Cannot read raw numbers as "${kind}": the kind must be one of ${Object.keys(NUMBERS).join(', ')}`,
    )
  if (endianness !== 'big-endian' && endianness !== 'little-endian')
    throw new TypeError(`Cannot read raw numbers as "${endianness}": "endianness" must be big-endian or little-endian`)
  const little = endianness === 'little-endian'
  const number = NUMBERS[kind]
  const { size } = number
  const name = `raw (${kind}, ${endianness})`
  return {
    name,
    createMessageDecoder() {
      // Of the buffer that the last message stood in.
      let buffer: Buffer | undefined
      let view: DataView
      return {
        decode(bytes, start, end) {
          if (end - start !== size)
            throw new MalformedMessage(`it has ${end - start} bytes, wanted ${size} for this ${kind}`)
          if (bytes !== buffer) {
            buffer = bytes
            view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
          }
          return number.read(view, start, little)
        },
      }
    },
    createMessageEncoder() {
      const bytes = new Uint8Array(size)
      const view = new DataView(bytes.buffer)
      return {
        encode(value) {
          if (value === null) return null
          if (!number.fits(value))
            throw new TailraceError('TR-RECORD-005', `Cannot write ${described(value)} as ${name}: it is none`)
          number.write(view, value, little)
          return bytes
        },
      }
    },
  }
}

/**
 * One byte: 0 is false, all others are true, as Flink's raw format has it.
 *
 * @example
 * const format = rawBoolean()
 */
export function rawBoolean(): MessageFormat<boolean> {
  const one = new Uint8Array(1)
  return {
    name: 'raw (boolean)',
    createMessageDecoder: () => ({
      decode(bytes, start, end) {
        if (end - start !== 1) throw new MalformedMessage(`it has ${end - start} bytes, wanted 1 for a boolean`)
        return bytes[start] !== 0
      },
    }),
    createMessageEncoder: () => ({
      encode(value) {
        if (value === null) return null
        if (typeof value !== 'boolean')
          throw new TailraceError('TR-RECORD-005', `Cannot write ${described(value)} as raw (boolean): it is none`)
        one[0] = value ? 1 : 0
        return one
      },
    }),
  }
}

function described(value: unknown): string {
  return typeof value === 'object' ? 'an object' : `the ${typeof value} ${String(value).slice(0, 60)}`
}
