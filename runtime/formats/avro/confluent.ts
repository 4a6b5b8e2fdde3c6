/**
 * Avro messages as Confluent's serializers frame them: a zero byte, the schema's id in the registry (4 bytes, big-endian), the value.
 *
 * Decoding fetches each writer's schema once. A message whose id the registry does not know is malformed, since any bytes may look like
 * an id; a registry that cannot be reached or denies access fails the job.
 */
import { TailraceError } from '../../core/errors.ts'
import {
  MalformedMessage,
  type MessageDecoder,
  type MessageEncoder,
  type MessageFormat,
  MessageNotReady,
} from '../format.ts'
import { Input } from './input.ts'
import { AvroMessageEncoder, avroName, readAll, readerFor } from './message.ts'
import type { AvroReader } from './reader.ts'
import { Registry, type RegistryMeans, type RegistryOptions, SchemaUnknown } from './registry.ts'
import { type AvroSchema, type Node, parseSchema } from './schema.ts'
import type { AvroValueOptions } from './shape.ts'

export interface AvroConfluentOptions extends AvroValueOptions {
  /** The registry's URL, or how to reach it. */
  registry: string | RegistryOptions
  /**
   * What values should be: messages of other versions are resolved to it, and messages are written with it. Without it values are what
   * their writer wrote, and the subject's latest schema is written with.
   */
  schema?: AvroSchema
  /** For writing; the topic's name with `-key` or `-value` when not given. */
  subject?: string
  /** Adds `schema` to the subject when a job starts to write (default); otherwise the subject must have it. */
  autoRegister?: boolean
}

const HEADER_BYTES = 5
/** Schemas kept by a format; the oldest goes first. */
const SCHEMAS_MAX = 1000
/** After which an unknown id is asked for again: its schema may have been registered since. */
const UNKNOWN_FOR_MS = 10_000

/**
 * Avro messages whose schemas are in Confluent's schema registry, or one that speaks its protocol.
 *
 * Throws TypeError for a URL that is none, TailraceError TR-FORMAT-001 for a schema that is none.
 *
 * @example
 * const schema = { type: 'record', name: 'Click', fields: [{ name: 'user', type: 'string' }] }
 * const format = avroConfluent<{ user: string }>({ registry: 'http://localhost:8081', schema })
 */
export function avroConfluent<T = any>(options: AvroConfluentOptions, means?: RegistryMeans): MessageFormat<T> {
  const registry = new Registry(
    typeof options.registry === 'string' ? { url: options.registry } : options.registry,
    means,
  )
  const schema = options.schema === undefined ? undefined : parseSchema(options.schema)
  const schemas = new WriterSchemas(registry, schema, options, means?.now ?? Date.now)
  return {
    name: schema === undefined ? 'avro-confluent' : avroName(schema).replace('avro', 'avro-confluent'),
    createMessageDecoder: () => new ConfluentDecoder<T>(schemas),
    createMessageEncoder: () => new ConfluentEncoder<T>(registry, options),
  }
}

/** A reader, why there is none, or that it is being loaded. */
type Entry = { read: AvroReader } | { malformed: string; untilMs: number } | { loading: Promise<void> }

/** Readers of what the writers wrote, by their schemas' ids. */
class WriterSchemas {
  readonly #registry: Registry
  readonly #reader: Node | undefined
  readonly #options: AvroValueOptions
  readonly #now: () => number
  readonly #entries = new Map<number, Entry>()

  constructor(registry: Registry, reader: Node | undefined, options: AvroValueOptions, now: () => number) {
    this.#now = now
    this.#registry = registry
    this.#reader = reader
    this.#options = options
  }

  /**
   * @throws MessageNotReady
   * @throws MalformedMessage
   */
  reader(id: number): AvroReader {
    let entry = this.#entries.get(id)
    if (entry === undefined || ('untilMs' in entry && entry.untilMs <= this.#now())) entry = this.#start(id)
    if ('read' in entry) return entry.read
    if ('loading' in entry) throw new MessageNotReady(`the schema ${id} of ${this.#registry.url}`, entry.loading)
    throw new MalformedMessage(entry.malformed)
  }

  #start(id: number): Entry {
    const loading = this.#load(id)
    // Whoever waits for it sees the failure.
    loading.catch(() => {})
    const entry: Entry = { loading }
    if (this.#entries.size >= SCHEMAS_MAX) this.#entries.delete(this.#entries.keys().next().value!)
    this.#entries.set(id, entry)
    return entry
  }

  async #load(id: number): Promise<void> {
    try {
      const { schema, references } = await this.#registry.schemaById(id)
      this.#entries.set(id, this.#entryFor(schema, references))
    } catch (error) {
      if (error instanceof SchemaUnknown)
        this.#entries.set(id, { malformed: error.message, untilMs: this.#now() + UNKNOWN_FOR_MS })
      else {
        this.#entries.delete(id)
        throw error
      }
    }
  }

  #entryFor(schema: string, references: string[]): Entry {
    try {
      const writer = parseSchema(schema, references)
      return { read: readerFor(writer, this.#reader ?? writer, this.#options) }
    } catch (error) {
      return { malformed: (error as Error).message, untilMs: Infinity }
    }
  }
}

class ConfluentDecoder<T> implements MessageDecoder<T> {
  readonly #schemas: WriterSchemas
  readonly #input = new Input()
  #lastId = -1
  #last: AvroReader | undefined

  constructor(schemas: WriterSchemas) {
    this.#schemas = schemas
  }

  decode(bytes: Buffer, start: number, end: number): T {
    if (end - start < HEADER_BYTES || bytes[start] !== 0)
      throw new MalformedMessage(
        end - start < HEADER_BYTES
          ? `it has ${end - start} bytes, wanted a zero byte, a schema's id of 4 bytes and a value`
          : `it begins with the byte ${bytes[start]}, wanted 0 before a schema's id`,
      )
    const id = bytes.readInt32BE(start + 1)
    if (id !== this.#lastId || this.#last === undefined) {
      if (id < 0) throw new MalformedMessage(`the schema's id is ${id}, wanted one from 0`)
      this.#last = this.#schemas.reader(id)
      this.#lastId = id
    }
    return readAll<T>(this.#last, this.#input, bytes, start + HEADER_BYTES, end)
  }
}

class ConfluentEncoder<T> implements MessageEncoder<T> {
  readonly #registry: Registry
  readonly #options: AvroConfluentOptions
  #id = 0
  #encoder: AvroMessageEncoder<T> | undefined

  constructor(registry: Registry, options: AvroConfluentOptions) {
    this.#registry = registry
    this.#options = options
  }

  async open(topic: string, part: 'key' | 'value'): Promise<void> {
    const { subject = `${topic}-${part}`, schema, autoRegister = true } = this.#options
    const registry = this.#registry
    let node: Node
    if (schema === undefined) {
      const latest = await registry.latest(subject)
      this.#id = latest.id
      node = parseSchema(latest.schema, latest.references)
    } else {
      node = parseSchema(schema)
      const text = typeof schema === 'string' && /^\s*[[{"]/.test(schema) ? schema : JSON.stringify(schema)
      this.#id = autoRegister ? await registry.register(subject, text) : await registry.lookUp(subject, text)
    }
    this.#encoder = new AvroMessageEncoder<T>(avroName(node), node, this.#options)
  }

  encode(value: T): Uint8Array | null {
    if (this.#encoder === undefined)
      throw new TailraceError('TR-INTERNAL-001', 'Cannot encode a message: the encoder has not been opened')
    const bytes = this.#encoder.encodeBehind(HEADER_BYTES, value)
    if (bytes === null) return null
    bytes[0] = 0
    bytes.writeInt32BE(this.#id, 1)
    return bytes
  }
}
