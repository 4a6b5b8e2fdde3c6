/**
 * Messages in Avro's binary encoding, by the generated readers and writers.
 */
import { TailraceError } from '../../core/errors.ts'
import { MalformedMessage, type MessageDecoder, type MessageEncoder } from '../format.ts'
import { Input } from './input.ts'
import { Output, Unfit } from './output.ts'
import { type AvroReader, compileReader, Incompatible } from './reader.ts'
import { branchName, type Node } from './schema.ts'
import type { AvroValueOptions } from './shape.ts'
import { type AvroWriter, compileWriter } from './writer.ts'

/** Of a format: `avro (User)`. */
export const avroName = (schema: Node): string => `avro (${branchName(schema)})`

const newInput = (bytes: Buffer) => new Input().reset(bytes, 0, bytes.length)

/** @throws TailraceError TR-FORMAT-001 when the reader's schema cannot take what the writer's schema wrote */
export function readerFor(writer: Node, reader: Node, options: AvroValueOptions): AvroReader {
  try {
    return compileReader(writer, reader, options, newInput)
  } catch (error) {
    if (!(error instanceof Incompatible)) throw error
    throw new TailraceError(
      'TR-FORMAT-001',
      `Cannot read messages of the Avro schema ${branchName(writer)} as ${branchName(reader)}: ${error.message}`,
    )
  }
}

export class AvroMessageDecoder<T> implements MessageDecoder<T> {
  readonly #read: AvroReader
  readonly #input = new Input()

  constructor(read: AvroReader) {
    this.#read = read
  }

  decode(bytes: Buffer, start: number, end: number): T {
    return readAll<T>(this.#read, this.#input, bytes, start, end)
  }
}

/** The value that takes up all of bytes[start, end). */
export function readAll<T>(read: AvroReader, input: Input, bytes: Buffer, start: number, end: number): T {
  try {
    const value = read(input.reset(bytes, start, end)) as T
    input.finish()
    return value
  } catch (error) {
    // Each level takes a byte at least, so that only the message decides how deep it goes.
    if (error instanceof RangeError) throw new MalformedMessage('it is nested too deep')
    throw error
  }
}

export class AvroMessageEncoder<T> implements MessageEncoder<T> {
  readonly #name: string
  readonly #write: AvroWriter
  readonly #output = new Output()

  constructor(name: string, schema: Node, options: AvroValueOptions) {
    this.#name = name
    this.#write = compileWriter(schema, options)
  }

  encode(value: T): Uint8Array | null {
    return this.encodeBehind(0, value)
  }

  /** As `encode`, with room for `reserved` bytes before it. */
  encodeBehind(reserved: number, value: T): Buffer | null {
    if (value === null) return null
    const output = this.#output
    output.reset(reserved)
    try {
      this.#write(output, value)
    } catch (error) {
      if (error instanceof Unfit) throw unfitError(error, this.#name)
      throw error
    }
    return output.written()
  }
}

function unfitError({ value, wanted, path }: Unfit, name: string): TailraceError {
  const where = path.reduceRight<string>(
    (text, step) => text + (typeof step === 'number' ? `[${step}]` : text === '' ? step : `.${step}`),
    '',
  )
  const subject = where === '' ? 'a value' : `the field "${where}"`
  return new TailraceError(
    'TR-RECORD-005',
    `Cannot write ${subject} as ${name}: it is ${described(value)}, wanted ${wanted}`,
  )
}

function described(value: unknown): string {
  if (value === null || value === undefined) return String(value)
  if (Array.isArray(value)) return `an array of ${value.length}`
  if (value instanceof Uint8Array) return `${value.length} bytes`
  if (typeof value === 'object') return value instanceof Date ? 'a Date' : 'an object'
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return `the ${typeof value === 'string' ? 'text' : typeof value} ${text.length > 60 ? `${text.slice(0, 60)}…` : text}`
}
