/**
 * The sink that users make.
 */
import { backgroundSchedule } from '../../../core/clock.ts'
import type { Sink, SinkContext } from '../../../core/sink.ts'
import { KafkaClient } from '../client/client.ts'
import { connectionSettings } from '../client/connection-settings.ts'
import { Properties } from '../properties.ts'
import type { Compression } from '../records/layout.ts'
import { KafkaCommitter } from './committer.ts'
import { listTransactions, takeOver, takeOverUnlisted } from './lingering.ts'
import { initFirstAnswered, initProducer, transactionTimeoutMax } from './requests.ts'
import { RecordSerializer, type SerializerOptions } from './serializer.ts'
import { transactionTimeout } from './timeouts.ts'
import { type KafkaWriterState, type TransactionHandle, Transactions } from './transactions.ts'
import { KafkaWriter, type WriterSettings } from './writer.ts'

/** Flink's spelling is understood, too: `EXACTLY_ONCE`. */
export type DeliveryGuarantee = 'none' | 'at-least-once' | 'exactly-once' | 'NONE' | 'AT_LEAST_ONCE' | 'EXACTLY_ONCE'

export interface KafkaSinkOptions<T> extends SerializerOptions<T> {
  /** `host:port`, with commas between or as a list; else the property bootstrap.servers, or KAFKA_BOOTSTRAP_SERVERS of the environment. */
  bootstrapServers?: string | readonly string[]
  /**
   * - `none`: records may be lost, and doubled, when something fails.
   * - `at-least-once` (standard): a checkpoint is complete when the brokers have everything before it; after a failure records may be there twice.
   * - `exactly-once`: records appear when their checkpoint is complete, to readers of isolation level read_committed. Needs checkpoints and `transactionalIdPrefix`.
   */
  deliveryGuarantee?: DeliveryGuarantee
  /** Of the ids of transactions: no other sink of the Kafka cluster may have it, nor one that begins with it and a dash. */
  transactionalIdPrefix?: string
  /** Of Kafka's clients, by their names: docs/connectors/kafka.md lists them. */
  properties?: Readonly<Record<string, string | number | boolean>>
}

/**
 * Brokers are asked again for what is open: what a process that was killed has sent may come later, and a broker that has just started lists nothing before it has loaded what it
 * coordinates, without saying so. The pause doubles up to the longer one.
 */
const LOOK_AGAIN_MS = 1_000
const LOOK_AGAIN_MAX_MS = 60_000
/** A transactional id must fit into 16 bits of length with the numbers that follow. */
const PREFIX_BYTES_MAX = 64_000
const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const satisfies readonly Compression[]

/**
 * Writes to topics of Kafka.
 *
 * Throws TypeError for options that contradict each other, and TR-KAFKA-001 for properties that cannot be used.
 *
 * @example
 * payments.sinkTo(
 *   kafkaSink({
 *     bootstrapServers: 'kafka:9092',
 *     topic: 'payments',
 *     key: (payment) => payment.customer,
 *     value: json<Payment>(),
 *     deliveryGuarantee: 'exactly-once',
 *     transactionalIdPrefix: 'payments-of-shop',
 *   }),
 * )
 */
export function kafkaSink<T>(options: KafkaSinkOptions<T>): Sink<T, TransactionHandle, KafkaWriterState> {
  const { topic, value, transactionalIdPrefix: prefix = '' } = options
  const properties = new Properties(options.properties)
  const connection = connectionSettings(properties, options.bootstrapServers, process.env)
  const guarantee = guaranteeOf(options.deliveryGuarantee)
  if (typeof topic !== 'function' && (typeof topic !== 'string' || topic === ''))
    throw new TypeError('Cannot write to Kafka: "topic" must be a name, or a function that gives one')
  if (typeof value !== 'function' && typeof value?.createMessageEncoder !== 'function')
    throw new TypeError('Cannot write to Kafka: "value" must be a message format, such as json(), or a function')
  const exactlyOnce = guarantee === 'exactly-once'
  if (exactlyOnce && prefix === '')
    throw new TypeError(
      'Cannot write to Kafka exactly once without a "transactionalIdPrefix": a text that no other sink of the cluster has',
    )
  if (Buffer.byteLength(prefix) > PREFIX_BYTES_MAX)
    throw new TypeError(
      `Cannot use a "transactionalIdPrefix" of ${Buffer.byteLength(prefix)} bytes: ${PREFIX_BYTES_MAX} at most`,
    )
  const acks = exactlyOnce ? 'all' : properties.word('acks', ['all', '-1', '1', '0'])
  const idempotent = exactlyOnce || ((acks === 'all' || acks === '-1') && properties.boolean('enable.idempotence'))
  if (
    !idempotent &&
    acks !== 'all' &&
    acks !== '-1' &&
    properties.isSet('enable.idempotence') &&
    properties.boolean('enable.idempotence')
  )
    throw properties.refusal('acks', 'all (enable.idempotence is true)')
  const settings: WriterSettings<T> = {
    createSerializer: (subtask) => new RecordSerializer(options, subtask, Math.random),
    guarantee,
    idempotent,
    lingerMs: properties.integer('linger.ms', { atLeast: 0 }),
    bufferBytesMax: properties.integer('buffer.memory', { atLeast: 1 }),
    recordBytesMax: properties.integer('max.request.size', { atLeast: 1 }),
    sender: {
      acks: acks === 'all' || acks === '-1' ? -1 : (Number(acks) as 0 | 1),
      compression: properties.word('compression.type', COMPRESSIONS),
      batchBytes: properties.integer('batch.size', { atLeast: 1 }),
      requestBytesMax: properties.integer('max.request.size', { atLeast: 1 }),
      deliveryTimeoutMs: properties.integer('delivery.timeout.ms', { atLeast: 1 }),
      requestTimeoutMs: connection.requestTimeoutMs,
    },
  }
  const givenTimeoutMs = properties.isSet('transaction.timeout.ms')
    ? properties.integer('transaction.timeout.ms', { atLeast: 1 })
    : undefined
  const createClient = (clock: SinkContext['clock']) =>
    new KafkaClient(connection, { clock, schedule: backgroundSchedule, random: Math.random, warn: console.warn })
  /** Of the writer and the committer of a subtask. */
  const transactionsOf = new Map<number, Transactions>()

  const open = async (context: SinkContext, states: readonly KafkaWriterState[]): Promise<KafkaWriter<T>> => {
    const { clock, task, checkpointTimes } = context
    if (task.subtaskIndex === 0) for (const warning of properties.warnings) console.warn(warning)
    const client = createClient(clock)
    const { closing } = context
    if (!exactlyOnce) return orClose(client, closing, KafkaWriter.open(context, settings, client, undefined))
    const begin = async () => {
      const times = {
        givenMs: givenTimeoutMs,
        brokerMaxMs: await transactionTimeoutMax(client),
        checkpoints: checkpointTimes,
      }
      const { timeoutMs, warning } = transactionTimeout(times)
      if (warning !== undefined && task.subtaskIndex === 0) console.warn(warning)
      const transactions = await recover(client, context, states, timeoutMs)
      transactionsOf.set(task.subtaskIndex, transactions)
      return KafkaWriter.open(context, settings, client, transactions)
    }
    return orClose(client, closing, begin())
  }

  const recover = async (
    client: KafkaClient,
    { task, ownerEpoch, clock, closing, registerTimer }: SinkContext,
    states: readonly KafkaWriterState[],
    timeoutMs: number,
  ): Promise<Transactions> => {
    const { subtaskIndex: subtask, parallelism, attemptNumber } = task
    const listed = await listTransactions(client)
    const generation = listed === undefined ? undefined : { epoch: ownerEpoch, attempt: attemptNumber }
    const begin = (nextId: () => string) => initFirstAnswered(client, nextId, timeoutMs)
    const transactions = new Transactions({ prefix, generation, subtask, parallelism, begin })
    const held = new Map(states.flatMap(({ handles }) => handles.map((handle) => [handle.transactionalId, handle])))
    for (const id of held.keys()) transactions.setAside(id)
    // What the committer beside this writer may have been given; at another parallelism nobody knows who was given what.
    for (const state of states)
      if (state.parallelism !== parallelism || state.subtask === subtask) transactions.carry(state.handles)
    const init = (id: string) => initProducer(client, id, timeoutMs, () => void transactions.setAside(id), closing)
    const lingering = {
      client,
      prefixes: [...new Set([prefix, ...states.map((state) => state.prefix)])],
      generation,
      subtask,
      parallelism,
      held,
      idsKnown: Math.max(0, ...states.map(({ ids }) => ids)),
      parallelismKnown: Math.max(0, ...states.map((state) => state.parallelism)),
      init,
      setAside: (id: string) => transactions.setAside(id),
    }
    if (listed === undefined) {
      await takeOverUnlisted(lingering)
      return transactions
    }
    // From here on a failure costs readers the time-out of a transaction at most, and no record.
    const whenOurs = (ids: readonly string[]) => {
      if (ids.length > 0) transactions.stillOurs().then(() => Promise.all(ids.map(init)).catch(() => {}))
    }
    whenOurs(await takeOver(lingering, listed))
    const lookAgain = async () => whenOurs(await takeOver(lingering, (await listTransactions(client)) ?? []))
    const lookIn = (ms: number): void =>
      void registerTimer(clock.now() + ms, () => {
        lookAgain().catch(() => {})
        lookIn(Math.min(LOOK_AGAIN_MAX_MS, 2 * ms))
      })
    lookIn(LOOK_AGAIN_MS)
    return transactions
  }

  const sink: Sink<T, TransactionHandle, KafkaWriterState> = {
    createWriter: (context) => open(context, []),
    describe: () => `kafka(${typeof topic === 'function' ? 'topics by record' : topic})`,
  }
  if (!exactlyOnce) return sink
  return {
    ...sink,
    writerState: 'union',
    restoreWriter: (context, states) => open(context, states),
    // Made before the writer where a job goes on from a checkpoint, and behind it where it begins.
    createCommitter({ clock, task, closing }) {
      const client = createClient(clock)
      // A commit that is under way need not be waited for: the checkpoint holds it.
      closing.addEventListener('abort', () => void client.close(), { once: true })
      return new KafkaCommitter(client, () => transactionsOf.get(task.subtaskIndex))
    },
  }
}

function guaranteeOf(given: DeliveryGuarantee = 'at-least-once'): WriterSettings<any>['guarantee'] {
  const word = given.toLowerCase().replaceAll('_', '-')
  if (word === 'none' || word === 'at-least-once' || word === 'exactly-once') return word
  throw new TypeError(
    `Cannot use ${JSON.stringify(given)} as "deliveryGuarantee": none, at-least-once or exactly-once is wanted`,
  )
}

/** No connection stays behind when a writer cannot be opened; and when it is not wanted any more, nothing more is asked of the brokers. */
async function orClose<R>(client: KafkaClient, closing: AbortSignal, opened: Promise<R>): Promise<R> {
  const close = () => void client.close()
  closing.addEventListener('abort', close, { once: true })
  try {
    return await opened
  } catch (error) {
    await client.close()
    throw error
  } finally {
    closing.removeEventListener('abort', close)
  }
}
