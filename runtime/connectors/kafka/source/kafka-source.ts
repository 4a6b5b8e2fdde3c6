/**
 * The source that users make.
 */
import { backgroundSchedule, systemClock } from '../../../core/clock.ts'
import type { Source } from '../../../core/source.ts'
import type { MessageFormat } from '../../../formats/format.ts'
import { KafkaClient } from '../client/client.ts'
import { connectionSettings } from '../client/connection-settings.ts'
import { Properties } from '../properties.ts'
import {
  deserializerTaker,
  type KafkaDeserializer,
  type KafkaRecord,
  type RecordTaker,
  recordTaker,
  valueTaker,
} from './deserializer.ts'
import { type EnumeratorState, KafkaEnumerator } from './enumerator.ts'
import { checkOffsets, type StartingOffsets, type StoppingOffsets, textOf } from './offsets.ts'
import { KafkaReader, type OnBadKafkaRecord } from './reader.ts'
import type { KafkaSplit, SubscriptionOptions } from './split.ts'

export interface KafkaSourceCommonOptions {
  /** `host:port`, with commas between or as a list; else the property bootstrap.servers, or KAFKA_BOOTSTRAP_SERVERS of the environment. */
  bootstrapServers?: string | readonly string[]
  /** One topic or several; or `topicPattern`, or `partitions`. */
  topics?: string | readonly string[]
  /** All topics whose whole name matches, also those that are made later. */
  topicPattern?: RegExp
  partitions?: readonly { topic: string; partition: number }[]
  /** Whose offsets are committed when a checkpoint is complete; without it none are. */
  groupId?: string
  /** `earliest` when not given. Only at the first start: later the job goes on from its checkpoint. */
  startingOffsets?: StartingOffsets
  /** Ends each partition there, and the source when all have ended. Without it the source is endless. */
  bounded?: StoppingOffsets
  /** What happens to a record that its format cannot read: `fail` (default), `skip` (it is counted), or a tag: send it to that side output. */
  onError?: OnBadKafkaRecord
  /** Of Kafka's clients, by their names: docs/connectors/kafka.md lists them. */
  properties?: Readonly<Record<string, string | number | boolean>>
}

/** The value of each record. A record without one (a tombstone) is left out, and counted in `numRecordsWithoutValue`. */
export interface KafkaValueOptions<T> extends KafkaSourceCommonOptions {
  value: MessageFormat<T>
}

/** Each record whole: key, value, headers, and where it was. */
export interface KafkaRecordOptions<K, V> extends KafkaSourceCommonOptions {
  record: { key?: MessageFormat<K>; value: MessageFormat<V> }
}

/** What your own code makes of each record. */
export interface KafkaDeserializerOptions<T> extends KafkaSourceCommonOptions {
  deserializer: KafkaDeserializer<T>
}

export type KafkaSourceOptions<T> = KafkaValueOptions<T> | KafkaDeserializerOptions<T>

/**
 * Reads topics of Kafka. Order holds within a partition; a record's timestamp is Kafka's.
 *
 * Throws TypeError for options that contradict each other, and TR-KAFKA-001 for properties that cannot be used.
 *
 * @example
 * kafkaSource({ bootstrapServers: 'kafka:9092', topics: 'clicks', groupId: 'clicks-per-minute', value: json<Click>() })
 * kafkaSource({ topicPattern: /user-events-.+/, startingOffsets: { timestamp: Date.parse('2026-01-01') }, record: { key: textLines(), value: json<Click>() } })
 * kafkaSource({ topics: 'clicks', bounded: 'latest', value: json<Click>() })
 */
export function kafkaSource<K = string, V = any>(
  options: KafkaRecordOptions<K, V>,
): Source<KafkaRecord<K, V>, KafkaSplit, EnumeratorState>
export function kafkaSource<T>(options: KafkaSourceOptions<T>): Source<T, KafkaSplit, EnumeratorState>
export function kafkaSource(options: any): Source<any, KafkaSplit, EnumeratorState> {
  const {
    groupId: group,
    startingOffsets = 'earliest',
    bounded,
    onError = 'fail',
  } = options as KafkaSourceCommonOptions
  const properties = new Properties(options.properties)
  const connection = connectionSettings(properties, options.bootstrapServers, process.env)
  const subscription = subscriptionOf(options)
  const groupId = group ?? properties.text('group.id')
  const createTaker = takerOf(options)
  checkOffsets('startingOffsets', startingOffsets)
  if (bounded !== undefined) checkOffsets('bounded', bounded)
  for (const given of [startingOffsets, bounded]) {
    const asksGroup = given === 'committed' || (typeof given === 'object' && 'committed' in given)
    if (asksGroup && groupId === undefined)
      throw new TypeError('Cannot use committed offsets of a Kafka source without a "groupId"')
  }
  const resetText = properties.text('auto.offset.reset')
  const reset =
    resetText === undefined ? undefined : properties.word('auto.offset.reset', ['earliest', 'latest', 'none'])
  const discoveryMs = properties.integer('partition.discovery.interval.ms', { atLeast: Number.MIN_SAFE_INTEGER })
  const fetch = {
    readCommitted: properties.word('isolation.level', ['read_uncommitted', 'read_committed']) === 'read_committed',
    minBytes: properties.integer('fetch.min.bytes', { atLeast: 0 }),
    maxWaitMs: properties.integer('fetch.max.wait.ms', { atLeast: 0 }),
    maxBytes: properties.integer('fetch.max.bytes', { atLeast: 1 }),
    rack: properties.text('client.rack') ?? '',
    reset,
  }
  const enumerator = {
    subscription,
    starting: startingOffsets,
    stopping: bounded,
    bounded: bounded !== undefined,
    groupId,
    reset,
    discoveryMs: discoveryMs > 0 ? discoveryMs : undefined,
    createClient: () =>
      new KafkaClient(connection, {
        clock: systemClock,
        schedule: backgroundSchedule,
        random: Math.random,
        warn: console.warn,
      }),
    warnings: properties.warnings,
  }
  const reader = {
    createTaker,
    onError,
    fetch,
    maxPartitionBytes: properties.integer('max.partition.fetch.bytes', { atLeast: 1 }),
    checkCrc: properties.boolean('check.crcs'),
    groupId,
    commitOffsets: properties.boolean('commit.offsets.on.checkpoint'),
  }
  return {
    boundedness: bounded === undefined ? 'unbounded' : 'bounded',
    createEnumerator: (context) => new KafkaEnumerator(context, enumerator),
    restoreEnumerator: (context, state) => new KafkaEnumerator(context, enumerator, state),
    createReader: (context) =>
      new KafkaReader(context, {
        ...reader,
        createClient: ({ clock }) =>
          new KafkaClient(connection, { clock, schedule: backgroundSchedule, random: Math.random, warn: console.warn }),
      }),
    describe: () => `kafka(${describe(subscription)})`,
  }
}

function subscriptionOf({ topics, topicPattern, partitions }: KafkaSourceCommonOptions): SubscriptionOptions {
  const given = [topics, topicPattern, partitions].filter((one) => one !== undefined)
  if (given.length !== 1)
    throw new TypeError('Cannot read Kafka: one of "topics", "topicPattern" and "partitions" is wanted')
  if (topicPattern !== undefined) return { pattern: topicPattern }
  if (partitions !== undefined) {
    if (partitions.length === 0) throw new TypeError('Cannot read Kafka: "partitions" is an empty list')
    return { partitions }
  }
  const list = (typeof topics === 'string' ? topics.split(',') : [...topics!])
    .map((topic) => topic.trim())
    .filter((topic) => topic !== '')
  if (list.length === 0) throw new TypeError('Cannot read Kafka: "topics" is empty')
  return { topics: [...new Set(list)] }
}

function takerOf(options: {
  value?: MessageFormat<any>
  record?: { key?: MessageFormat<any>; value: MessageFormat<any> }
  deserializer?: KafkaDeserializer<any>
}): () => RecordTaker<any> {
  const { value, record, deserializer } = options
  if ([value, record, deserializer].filter((one) => one !== undefined).length !== 1)
    throw new TypeError('Cannot read Kafka: one of "value", "record" and "deserializer" is wanted')
  for (const [name, format] of [
    ['value', value],
    ['record.value', record?.value],
    ['record.key', record?.key],
  ] as const) {
    if (format !== undefined && typeof format.createMessageDecoder !== 'function')
      throw new TypeError(`Cannot read Kafka: "${name}" must be a message format, such as json()`)
  }
  if (value !== undefined) return () => valueTaker(value)
  if (record !== undefined) {
    if (record.value === undefined) throw new TypeError('Cannot read Kafka: "record.value" is missing')
    return () => recordTaker(record.key, record.value)
  }
  return () => deserializerTaker(deserializer!)
}

function describe({ topics, pattern, partitions }: SubscriptionOptions): string {
  if (topics !== undefined) return topics.length > 5 ? `${topics.length} topics` : topics.join(', ')
  if (pattern !== undefined) return String(pattern)
  return textOf([...new Set(partitions!.map(({ topic }) => topic))])
}
