/**
 * Writes records to topics: encodes each into the open batch of its partition at once, and sends by sender.ts.
 *
 * - `none`: nobody waits. `at-least-once`: a checkpoint is acknowledged when the brokers have everything before its barrier.
 * - `exactly-once`: one transaction from barrier to barrier; at a barrier it is prepared (everything is sent and acknowledged, nothing is visible) and the next one
 *   begins, with a producer that was made ready before. The committer makes it visible when the checkpoint is complete.
 *
 * Records of a topic whose partitions are not known yet wait in their order.
 */
import { NO_TIMESTAMP } from '../../../core/clock.ts'
import { TailraceError } from '../../../core/errors.ts'
import type { Counter } from '../../../core/metrics.ts'
import type { SinkContext, SinkWriter } from '../../../core/sink.ts'
import type { KafkaClient } from '../client/client.ts'
import type { Header, Part } from '../records/batch-writer.ts'
import { endTransaction, idempotentProducer } from './requests.ts'
import { newSession, Sender, type SenderSettings, type Session } from './sender.ts'
import type { RecordSerializer } from './serializer.ts'
import type { KafkaWriterState, Producer, TransactionHandle, Transactions } from './transactions.ts'

export interface WriterSettings<T> {
  createSerializer(subtask: number): RecordSerializer<T>
  guarantee: 'none' | 'at-least-once' | 'exactly-once'
  idempotent: boolean
  sender: SenderSettings
  lingerMs: number
  bufferBytesMax: number
  recordBytesMax: number
}

interface Parked {
  session: Session
  partition: (partitions: number) => number
  key: Part
  value: Part
  headers: readonly Header[] | undefined
  timestampMs: number
}

/** How long the end of a task may wait until what is open is aborted. */
const ABORT_MS = 1_000

export class KafkaWriter<T> implements SinkWriter<T, TransactionHandle, KafkaWriterState> {
  readonly prepareCommit: SinkWriter<T, TransactionHandle>['prepareCommit']
  readonly snapshotState: SinkWriter<T, TransactionHandle, KafkaWriterState>['snapshotState']
  readonly #context: SinkContext
  readonly #settings: WriterSettings<T>
  readonly #client: KafkaClient
  readonly #sender: Sender
  readonly #serializer: RecordSerializer<T>
  readonly #transactions: Transactions | undefined
  readonly #parked = new Map<string, Parked[]>()
  readonly #drained = new Map<Session, (() => void)[]>()
  readonly #bytesSent: Counter
  readonly #errors: Counter
  #session: Session
  #lingering: number | undefined
  #full = false
  /** As of the beginning of the turn, for records without a time. */
  #nowMs: number
  #closing = false

  private constructor(
    context: SinkContext,
    settings: WriterSettings<T>,
    client: KafkaClient,
    transactions: Transactions | undefined,
    session: Session,
  ) {
    this.#context = context
    this.#settings = settings
    this.#client = client
    this.#transactions = transactions
    this.#session = session
    this.#nowMs = context.clock.now()
    this.#serializer = settings.createSerializer(context.task.subtaskIndex)
    const { clock, metrics } = context
    this.#bytesSent = metrics.counter('numBytesSend')
    this.#errors = metrics.counter('numRecordsSendErrors')
    const sendTime = metrics.gauge('currentSendTime')
    this.#sender = new Sender(client, settings.sender, {
      clock,
      answered: (ms) => sendTime.set(ms),
      fail: (error) => this.#fail(error),
      taken: (bytes) => this.#taken(bytes),
      drained: (drained) => this.#resolve(drained),
    })
    if (transactions !== undefined) {
      this.prepareCommit = () => this.#prepare(transactions)
      this.snapshotState = async (checkpointId) => [await transactions.snapshot(checkpointId)]
    }
  }

  /** Open, with what it needs to know of its topics. */
  static async open<T>(
    context: SinkContext,
    settings: WriterSettings<T>,
    client: KafkaClient,
    transactions: Transactions | undefined,
  ): Promise<KafkaWriter<T>> {
    const session =
      transactions === undefined
        ? newSession(settings.idempotent ? idempotentProducer(client) : undefined)
        : begin(transactions)
    session.producer?.catch(() => {})
    const writer = new KafkaWriter(context, settings, client, transactions, session)
    for (const topic of writer.#serializer.topics) await writer.#learn(topic)
    await session.producer
    writer.#refreshLater()
    return writer
  }

  write(value: T, timestamp: number): void {
    const serializer = this.#serializer
    serializer.serialize(value, timestamp)
    const { topic, key, value: bytes, headers } = serializer
    const timestampMs = serializer.timestampMs === NO_TIMESTAMP ? this.#nowMs : serializer.timestampMs
    const partitions = this.#sender.partitions(topic)
    if (partitions === undefined) {
      this.#park(topic, {
        session: this.#session,
        partition: serializer.partitionLater(value),
        key: copyOf(key),
        value: copyOf(bytes),
        headers,
        timestampMs,
      })
      return
    }
    this.#append(
      this.#session,
      topic,
      serializer.partition(value, partitions),
      partitions,
      key,
      bytes,
      headers,
      timestampMs,
    )
  }

  pending(): boolean {
    this.#nowMs = this.#context.clock.now()
    if (this.#settings.lingerMs === 0 && this.#lingering !== undefined) this.#linger()
    this.#full = this.#sender.bytes >= this.#settings.bufferBytesMax
    return this.#full
  }

  flush(endOfInput: boolean): void | Promise<void> {
    this.#sender.closeAll()
    const { guarantee } = this.#settings
    if (guarantee === 'none' && !endOfInput) return
    const session = this.#session
    // What is written from now on is waited for by the next flush.
    if (guarantee !== 'exactly-once') this.#session = { ...newSession(session.producer), ready: session.ready }
    return this.#whenDrained(session)
  }

  async close(): Promise<void> {
    this.#closing = true
    if (this.#lingering !== undefined && this.#settings.lingerMs > 0) this.#context.cancelTimer(this.#lingering)
    this.#sender.close()
    await Promise.race([
      this.#abortOpen(),
      this.#client.pause(Math.ceil(Math.log2(ABORT_MS / Math.max(1, this.#client.settings.retryBackoffMs))) + 1),
    ])
    await this.#client.close()
  }

  // --- transactions

  async #prepare(transactions: Transactions): Promise<TransactionHandle[]> {
    const session = this.#session
    if (session.records === 0) return []
    this.#sender.closeAll()
    this.#session = begin(transactions)
    const handle = session.producer!.then((producer) => handleOf(producer))
    transactions.prepare(handle)
    await this.#whenDrained(session)
    return [await handle]
  }

  /** So that readers need not wait until its time is over. What is prepared stays. */
  async #abortOpen(): Promise<void> {
    const { ready, added } = this.#session
    if (this.#transactions === undefined || ready === undefined || added.size === 0) return
    await endTransaction(this.#client, handleOf(ready), false).catch(() => {})
  }

  #whenDrained(session: Session): Promise<void> {
    if (session.open === 0) return Promise.resolve()
    return new Promise((resolve) => {
      const waiting = this.#drained.get(session)
      if (waiting === undefined) this.#drained.set(session, [resolve])
      else waiting.push(resolve)
    })
  }

  #resolve(session: Session): void {
    const waiting = this.#drained.get(session) ?? []
    this.#drained.delete(session)
    for (const resolve of waiting) resolve()
  }

  // --- records

  #append(
    session: Session,
    topic: string,
    partition: number,
    partitions: number,
    key: Part,
    value: Part,
    headers: readonly Header[] | undefined,
    timestampMs: number,
  ): void {
    if (!(partition >= 0 && partition < partitions && Number.isInteger(partition))) {
      throw new TailraceError(
        'TR-KAFKA-008',
        `Cannot write to partition ${partition} of topic "${topic}": it has partitions 0 to ${partitions - 1}`,
      )
    }
    const before = this.#sender.bytes
    const appended = this.#sender.append(session, topic, partition, key, value, headers, timestampMs)
    if (this.#sender.bytes - before > this.#settings.recordBytesMax) {
      throw new TailraceError(
        'TR-KAFKA-008',
        `Cannot write a record of ${this.#sender.bytes - before} bytes to topic "${topic}": max.request.size is ${this.#settings.recordBytesMax}; the topic's max.message.bytes counts, too`,
      )
    }
    if (appended === 'closed') this.#serializer.moveOn()
    else if (appended === 'begun' && this.#lingering === undefined) this.#lingerLater()
  }

  #lingerLater(): void {
    const { lingerMs } = this.#settings
    // Without a time to wait, `pending` is the end of the turn.
    this.#lingering =
      lingerMs === 0 ? 0 : this.#context.registerTimer(this.#context.clock.now() + lingerMs, () => this.#linger())
  }

  #linger(): void {
    this.#lingering = undefined
    this.#serializer.moveOn()
    this.#sender.due()
  }

  #taken(bytes: number): void {
    this.#bytesSent.inc(bytes)
    if (this.#full && this.#sender.bytes < this.#settings.bufferBytesMax) {
      this.#full = false
      this.#context.wake()
    }
  }

  #fail(error: unknown): void {
    if (this.#closing) return
    this.#errors.inc()
    this.#context.fail(error)
  }

  // --- topics

  async #learn(topic: string): Promise<void> {
    const { partitions } = await this.#client.retrying(
      `find topic "${topic}"`,
      () => this.#client.topic(topic),
      () => this.#client.forget(topic),
    )
    await this.#serializer.openTopic(topic)
    this.#sender.setPartitions(topic, partitions.length)
  }

  #park(topic: string, record: Parked): void {
    const waiting = this.#parked.get(topic)
    if (waiting !== undefined) {
      if (waiting.at(-1)?.session !== record.session) record.session.open++
      waiting.push(record)
      return
    }
    record.session.open++
    this.#parked.set(topic, [record])
    this.#learn(topic).then(
      () => this.#unpark(topic),
      (error) => this.#fail(error),
    )
  }

  #unpark(topic: string): void {
    const records = this.#parked.get(topic)!
    this.#parked.delete(topic)
    const partitions = this.#sender.partitions(topic)!
    const sessions = new Set<Session>()
    try {
      for (const { session, partition, key, value, headers, timestampMs } of records) {
        if (!sessions.has(session)) this.#sender.closeAll()
        sessions.add(session)
        this.#append(session, topic, partition(partitions), partitions, key, value, headers, timestampMs)
      }
    } catch (error) {
      this.#fail(error)
      return
    }
    this.#sender.closeAll()
    for (const session of sessions) if (--session.open === 0) this.#resolve(session)
  }

  /** Topics get more partitions. */
  #refreshLater(): void {
    const { clock } = this.#context
    this.#context.registerTimer(clock.now() + this.#client.settings.metadataMaxAgeMs, () => {
      for (const topic of this.#sender.topics) {
        this.#client.topic(topic).then(
          ({ partitions }) => this.#sender.setPartitions(topic, partitions.length),
          // Sending tells what is wrong.
          () => {},
        )
      }
      this.#refreshLater()
    })
  }
}

function begin(transactions: Transactions): Session {
  const producer = transactions.begin()
  transactions.prepareNext()
  return newSession(producer)
}

const handleOf = ({ transactionalId, producerId, epoch }: Producer): TransactionHandle => ({
  transactionalId: transactionalId!,
  producerId: String(producerId),
  epoch,
})

/** The serializer may use bytes again. */
const copyOf = (part: Part): Part => (part === null || typeof part === 'string' ? part : Uint8Array.from(part))
