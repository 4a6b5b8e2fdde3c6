/**
 * Avro: messages of one schema, and messages that name their schema in a registry.
 */

import type { MessageFormat } from '../format.ts'
import { AvroMessageDecoder, AvroMessageEncoder, avroName, readerFor } from './message.ts'
import type { AvroSchema } from './schema.ts'
import { parseSchema } from './schema.ts'
import type { AvroValueOptions } from './shape.ts'

export type { MessageFormat } from '../format.ts'
export { type AvroConfluentOptions, avroConfluent } from './confluent.ts'
export type { RegistryAuth, RegistryOptions, RegistryTls } from './registry.ts'
export type { AvroSchema } from './schema.ts'
export type { AvroValueOptions } from './shape.ts'

export interface AvroOptions extends AvroValueOptions {
  /** What the messages were written with, and are written with. */
  schema: AvroSchema
  /** What their values should be, if that is another version of the schema: fields are matched by names and aliases, new ones get defaults. */
  readerSchema?: AvroSchema
}

/**
 * Avro's binary encoding, without a header. Records are plain objects, maps too; an enum is its symbol; bytes and fixed are Uint8Arrays. Of
 * the logical types, points in time are milliseconds, decimals and UUIDs are texts. A union is its value, unless two of its branches look
 * alike in JavaScript: then values name their branch, as in `{ string: 'a' }`.
 *
 * Throws TailraceError TR-FORMAT-001 when a schema is none, or cannot be read as the other.
 *
 * @example
 * const schema = { type: 'record', name: 'Click', fields: [{ name: 'user', type: 'string' }, { name: 'page', type: ['null', 'string'] }] }
 * const format = avro<{ user: string; page: string | null }>({ schema })
 */
export function avro<T = any>(options: AvroOptions): MessageFormat<T> {
  const writer = parseSchema(options.schema)
  const reader = options.readerSchema === undefined ? writer : parseSchema(options.readerSchema)
  const read = readerFor(writer, reader, options)
  const name = avroName(reader)
  return {
    name,
    createMessageDecoder: () => new AvroMessageDecoder<T>(read),
    createMessageEncoder: () => new AvroMessageEncoder<T>(name, writer, options),
  }
}
