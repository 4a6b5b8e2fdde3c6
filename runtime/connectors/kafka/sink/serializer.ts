/**
 * Values of a stream as records of Kafka: topic, key, value, headers, time and partition of each, by what the sink's options say.
 */
import { NO_TIMESTAMP } from '../../../core/clock.ts'
import type { MessageEncoder, MessageFormat } from '../../../formats/format.ts'
import type { Header, Part } from '../records/batch-writer.ts'
import { type KafkaPartitioner, partitionOfKey } from './partitioner.ts'

/** What a function gives for the headers of a record. */
export type HeadersOf = Readonly<Record<string, string | Uint8Array | null>> | readonly Header[]

export interface SerializerOptions<T> {
  /** Where records go, or what decides it for each. */
  topic: string | ((value: T) => string)
  /** How values are written; or what gives each one's bytes, or its text for UTF-8, or null for a tombstone. */
  value: MessageFormat<T> | ((value: T) => Uint8Array | string | null)
  /** The key of a record; null or undefined: none. With `keyFormat` any value that the format takes. */
  key?: (value: T) => unknown
  /** Text is written as UTF-8, and bytes as they are, when it is not given. */
  keyFormat?: MessageFormat<any>
  headers?: (value: T) => HeadersOf
  /** Milliseconds since 1970; the record's event time when not given, or the time of writing when it has none, or one before 1970. */
  timestamp?: (value: T, eventTimeMs: number | null) => number
  partitioner?: KafkaPartitioner<T>
}

/** One record at a time: its fields are those of the last {@link RecordSerializer.serialize}. */
export class RecordSerializer<T> {
  /** Known before the first record. */
  readonly topics: readonly string[]
  topic = ''
  key: Part = null
  value: Part = null
  headers: readonly Header[] | undefined
  /** NO_TIMESTAMP: none. */
  timestampMs = 0
  readonly #options: SerializerOptions<T>
  readonly #encoder: MessageEncoder<T>
  readonly #keyEncoder: MessageEncoder<any> | undefined
  readonly #topicOf: ((value: T) => string) | undefined
  readonly #subtask: number
  readonly #partitioner: KafkaPartitioner<T>
  /** Where records without a key go until {@link moveOn}, by topic. */
  readonly #sticky = new Map<string, { partition: number; turn: number }>()
  #turn = 0
  readonly #random: () => number

  constructor(options: SerializerOptions<T>, subtask: number, random: () => number) {
    const { topic } = options
    this.#options = options
    this.#encoder =
      typeof options.value === 'function' ? functionEncoder(options.value) : options.value.createMessageEncoder()
    this.#keyEncoder = options.keyFormat?.createMessageEncoder()
    this.#subtask = subtask
    this.#partitioner = options.partitioner ?? 'default'
    this.#random = random
    if (typeof topic === 'function') {
      this.#topicOf = topic
      this.topics = []
    } else {
      this.topic = topic
      this.topics = [topic]
    }
  }

  /** Schemas and the like, for a topic. */
  async openTopic(topic: string): Promise<void> {
    await this.#encoder.open?.(topic, 'value')
    await this.#keyEncoder?.open?.(topic, 'key')
  }

  /** Sets the fields. */
  serialize(value: T, eventTimeMs: number): void {
    const { key, headers, timestamp } = this.#options
    if (this.#topicOf !== undefined) this.topic = topicFrom(this.#topicOf(value))
    this.key = key === undefined ? null : this.#keyPart(key(value))
    this.value = this.#encoder.encode(value)
    this.headers = headers === undefined ? undefined : headerList(headers(value))
    this.timestampMs =
      timestamp === undefined
        ? timeOf(eventTimeMs)
        : timeFrom(timestamp(value, Number.isFinite(eventTimeMs) ? eventTimeMs : null))
  }

  /** Of the record that was serialized last. */
  partition(value: T, partitions: number): number {
    const partitioner = this.#partitioner
    if (typeof partitioner === 'function') return partitioner(value, this.key, partitions)
    if (partitioner === 'fixed') return this.#subtask % partitions
    if (partitioner === 'default' && this.key !== null) return partitionOfKey(this.key, partitions)
    let sticky = this.#sticky.get(this.topic)
    if (sticky === undefined) {
      sticky = { partition: Math.floor(this.#random() * partitions), turn: this.#turn }
      this.#sticky.set(this.topic, sticky)
    } else if (sticky.turn !== this.#turn || partitioner === 'round-robin') {
      sticky.partition = (sticky.partition + 1) % partitions
      sticky.turn = this.#turn
    }
    return sticky.partition
  }

  /** The same, when the number of partitions is known. */
  partitionLater(value: T): (partitions: number) => number {
    const { topic, key } = this
    const kept = typeof key === 'string' || key === null ? key : Uint8Array.from(key)
    return (partitions) => {
      this.topic = topic
      this.key = kept
      return this.partition(value, partitions)
    }
  }

  /** A batch was closed: records without a key go on elsewhere. */
  moveOn(): void {
    this.#turn++
  }

  #keyPart(key: unknown): Part {
    if (key === null || key === undefined) return null
    if (this.#keyEncoder !== undefined) return this.#keyEncoder.encode(key)
    if (typeof key === 'string' || key instanceof Uint8Array) return key
    if (typeof key === 'number' || typeof key === 'bigint' || typeof key === 'boolean') return String(key)
    throw new TypeError(
      `Cannot write a key that is ${Array.isArray(key) ? 'an array' : `a ${typeof key}`}: text, a number, bytes or null is wanted, or "keyFormat"`,
    )
  }
}

function functionEncoder<T>(write: (value: T) => Uint8Array | string | null): MessageEncoder<T> {
  return {
    encode(value) {
      const part: unknown = write(value)
      if (typeof part === 'string' || part === null || part instanceof Uint8Array) return part
      throw new TypeError(
        `Cannot write a value that is ${Array.isArray(part) ? 'an array' : `of type ${typeof part}`}: the function "value" must give text, bytes or null`,
      )
    },
  }
}

function topicFrom(topic: unknown): string {
  if (typeof topic === 'string' && topic !== '') return topic
  throw new TypeError(`Cannot write to the topic ${JSON.stringify(topic)}: the function "topic" must give a name`)
}

/** Kafka has whole milliseconds since 1970; what is before has none there. */
const timeOf = (eventTimeMs: number): number => (eventTimeMs >= 0 ? Math.floor(eventTimeMs) : NO_TIMESTAMP)

function timeFrom(timestampMs: unknown): number {
  if (typeof timestampMs === 'number' && Number.isSafeInteger(timestampMs) && timestampMs >= 0) return timestampMs
  throw new TypeError(
    `Cannot write a record with the time ${String(timestampMs)}: the function "timestamp" must give milliseconds since 1970`,
  )
}

function headerList(headers: HeadersOf): readonly Header[] {
  return Array.isArray(headers) ? headers : Object.entries(headers as Record<string, Part>)
}
