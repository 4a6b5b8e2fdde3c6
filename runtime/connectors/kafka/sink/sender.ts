/**
 * Sends batches: one request is under way to each broker, with the oldest batch of each partition that it leads; what comes meanwhile makes the next one larger.
 *
 * What must hold:
 * - Batches of a partition arrive in the order in which their records were written, also after tries that failed: one of them is under way at a time, and
 *   one that failed keeps its sequence number and is sent again before any other.
 * - A partition is made known to its transaction before its first batch.
 * - A failure that may pass is tried again until delivery.timeout.ms; any other fails the job, with the partition's name.
 */
import type { Clock } from '../../../core/clock.ts'
import { TailraceError } from '../../../core/errors.ts'
import type { KafkaClient } from '../client/client.ts'
import { CODE, codeText, KafkaProtocolError } from '../client/codes.ts'
import { isFinal, kafkaFailure } from '../client/failures.ts'
import type { ProducedPartition } from '../client/produce.ts'
import { BatchWriter, type Header, type Part } from '../records/batch-writer.ts'
import { type Compression, HEAD_BYTES } from '../records/layout.ts'
import { addPartitions } from './requests.ts'
import type { Producer } from './transactions.ts'

export interface SenderSettings {
  acks: -1 | 0 | 1
  compression: Compression
  batchBytes: number
  requestBytesMax: number
  deliveryTimeoutMs: number
  requestTimeoutMs: number
}

/** Whom batches belong to: a transaction, or all that a writer without transactions writes. */
export interface Session {
  /** undefined: no numbers against doubles. */
  readonly producer: Promise<Producer> | undefined
  /** Once it is there. */
  ready: Producer | undefined
  /** Partition ids that the transaction knows. */
  readonly added: Set<string>
  /** Batches that brokers have not taken. */
  open: number
  records: number
}

export const newSession = (producer: Promise<Producer> | undefined): Session => ({
  producer,
  ready: undefined,
  added: new Set(),
  open: 0,
  records: 0,
})

interface Batch {
  readonly writer: BatchWriter
  readonly session: Session
  readonly closedAtMs: number
  /** The same for every try. */
  bytes: Buffer | undefined
  tries: number
}

/** A partition of a topic in a writer. */
interface Lane {
  readonly topic: string
  readonly partition: number
  readonly id: string
  node: number
  open: BatchWriter | undefined
  session: Session | undefined
  /** The open batch has waited long enough. */
  due: boolean
  readonly closed: Batch[]
  sending: boolean
  /** Tries that failed one after the other. */
  failures: number
  finding: boolean
}

export interface SenderPorts {
  clock: Clock
  /** A request was answered, so many whole milliseconds after it was sent. */
  answered(ms: number): void
  fail(error: unknown): void
  /** Bytes that brokers have taken; there is room again. */
  taken(bytes: number): void
  /** All batches of a session are taken. */
  drained(session: Session): void
}

/** What became of the batch that took a record. */
export type Appended = 'begun' | 'goes on' | 'closed'

/** Memory of batches that were sent, for the next ones. */
const SPARE_BATCHES_MAX = 64

export class Sender {
  readonly #client: KafkaClient
  readonly #settings: SenderSettings
  readonly #ports: SenderPorts
  readonly #lanes = new Map<string, Lane[]>()
  readonly #busy = new Set<number>()
  readonly #spare: Buffer[] = []
  /** Of batches that brokers have not taken. */
  bytes = 0
  #closed = false

  constructor(client: KafkaClient, settings: SenderSettings, ports: SenderPorts) {
    this.#client = client
    this.#settings = settings
    this.#ports = ports
  }

  /** How many partitions a topic has; undefined: not known. */
  partitions(topic: string): number | undefined {
    return this.#lanes.get(topic)?.length
  }

  /** The topic has (now) so many. */
  setPartitions(topic: string, count: number): void {
    let lanes = this.#lanes.get(topic)
    if (lanes === undefined) {
      lanes = []
      this.#lanes.set(topic, lanes)
    }
    for (let partition = lanes.length; partition < count; partition++) {
      lanes.push({
        topic,
        partition,
        id: `${topic}-${partition}`,
        node: this.#client.knownLeader(topic, partition) ?? -1,
        open: undefined,
        session: undefined,
        due: false,
        closed: [],
        sending: false,
        failures: 0,
        finding: false,
      })
    }
  }

  get topics(): Iterable<string> {
    return this.#lanes.keys()
  }

  /** Takes a record; what became of its batch. The topic's partitions are known. */
  append(
    session: Session,
    topic: string,
    partition: number,
    key: Part,
    value: Part,
    headers: readonly Header[] | undefined,
    timestampMs: number,
  ): Appended {
    const lane = this.#lanes.get(topic)![partition]!
    if (lane.session !== undefined && lane.session !== session) this.#close(lane)
    let writer = lane.open
    const begins = writer === undefined
    if (writer === undefined) {
      writer = new BatchWriter(this.#spare.pop() ?? Buffer.allocUnsafe(this.#settings.batchBytes + 1024))
      lane.open = writer
      lane.session = session
      lane.due = false
      session.open++
    }
    session.records++
    this.bytes += writer.append(key, value, headers, timestampMs)
    if (writer.size >= this.#settings.batchBytes) {
      this.#close(lane)
      this.pump()
      return 'closed'
    }
    return begins ? 'begun' : 'goes on'
  }

  /** The batches that are open now have waited long enough. */
  due(): void {
    for (const lanes of this.#lanes.values()) for (const lane of lanes) if (lane.open !== undefined) lane.due = true
    this.pump()
  }

  /** Nothing more comes into the batches that are open. */
  closeAll(): void {
    for (const lanes of this.#lanes.values()) for (const lane of lanes) if (lane.open !== undefined) this.#close(lane)
    this.pump()
  }

  /** Sends what can be sent now. */
  pump(): void {
    if (this.#closed) return
    const byNode = new Map<number, Lane[]>()
    for (const lanes of this.#lanes.values()) {
      for (const lane of lanes) {
        if (lane.sending || (lane.closed.length === 0 && !lane.due)) continue
        if (lane.node < 0) void this.#find(lane)
        else if (!this.#busy.has(lane.node)) {
          const ofNode = byNode.get(lane.node)
          if (ofNode === undefined) byNode.set(lane.node, [lane])
          else ofNode.push(lane)
        }
      }
    }
    for (const [node, lanes] of byNode) void this.#send(node, lanes)
  }

  close(): void {
    this.#closed = true
  }

  #close(lane: Lane): void {
    lane.closed.push({
      writer: lane.open!,
      session: lane.session!,
      closedAtMs: this.#ports.clock.monotonic(),
      bytes: undefined,
      tries: 0,
    })
    lane.open = undefined
    lane.session = undefined
    lane.due = false
  }

  async #find(lane: Lane): Promise<void> {
    if (lane.finding) return
    lane.finding = true
    try {
      if (lane.failures > 0) await this.#client.pause(lane.failures)
      lane.node = await this.#client.leader(lane.topic, lane.partition)
    } catch (error) {
      if (lane.closed.length === 0) this.#close(lane)
      this.#failed(lane, lane.closed[0]!, error)
    }
    lane.finding = false
    this.pump()
  }

  async #send(node: number, lanes: Lane[]): Promise<void> {
    this.#busy.add(node)
    const chosen = this.#choose(lanes)
    const { session } = chosen[0]!.closed[0]!
    for (const lane of chosen) lane.sending = true
    try {
      const producer = session.producer === undefined ? undefined : (session.ready ??= await session.producer)
      // What is open is being aborted: nothing may be added to it any more.
      if (this.#closed) return
      if (producer?.transactionalId != null) await this.#addPartitions(session, producer, chosen)
      if (this.#closed) return
      const sentAtMs = this.#ports.clock.monotonic()
      const answer = await this.#produce(node, producer, chosen)
      this.#ports.answered(Math.round(this.#ports.clock.monotonic() - sentAtMs))
      for (const lane of chosen) {
        const found = answer?.find(({ topic, partition }) => topic === lane.topic && partition === lane.partition)
        this.#answered(lane, answer === undefined ? 0 : (found?.errorCode ?? -1))
      }
    } catch (error) {
      for (const lane of chosen) this.#failed(lane, lane.closed[0]!, error)
    }
    for (const lane of chosen) lane.sending = false
    this.#busy.delete(node)
    this.pump()
  }

  /** As many as fit, all of one session: that of the oldest batch. */
  #choose(lanes: Lane[]): Lane[] {
    for (const lane of lanes) if (lane.closed.length === 0) this.#close(lane)
    const oldest = lanes.reduce((a, b) => (b.closed[0]!.closedAtMs < a.closed[0]!.closedAtMs ? b : a))
    const { session } = oldest.closed[0]!
    const chosen = [oldest]
    let bytes = oldest.closed[0]!.writer.size
    for (const lane of lanes) {
      const batch = lane.closed[0]!
      if (lane === oldest || batch.session !== session || bytes + batch.writer.size > this.#settings.requestBytesMax)
        continue
      bytes += batch.writer.size
      chosen.push(lane)
    }
    return chosen
  }

  async #addPartitions(session: Session, producer: Producer, lanes: Lane[]): Promise<void> {
    const missing = lanes.filter(({ id }) => !session.added.has(id))
    if (missing.length === 0) return
    await addPartitions(this.#client, producer, missing)
    for (const { id } of missing) session.added.add(id)
  }

  async #produce(
    node: number,
    producer: Producer | undefined,
    lanes: Lane[],
  ): Promise<ProducedPartition[] | undefined> {
    const { acks, compression, requestTimeoutMs } = this.#settings
    const batches = lanes.map(({ topic, partition, id, closed }) => {
      const batch = closed[0]!
      batch.tries++
      if (batch.bytes === undefined) {
        const sequence = producer === undefined ? -1 : (producer.sequences.get(id) ?? 0)
        if (producer !== undefined) producer.sequences.set(id, (sequence + batch.writer.count) % 2 ** 31)
        batch.bytes = batch.writer.finish({
          producerId: producer?.producerId ?? -1n,
          producerEpoch: producer?.epoch ?? -1,
          sequence,
          transactional: producer?.transactionalId != null,
          compression,
        })
      }
      return { topic, partition, bytes: batch.bytes }
    })
    const transactionalId = producer?.transactionalId ?? null
    return this.#client.produce(node, { transactionalId, acks, timeoutMs: requestTimeoutMs, batches })
  }

  #answered(lane: Lane, errorCode: number): void {
    const batch = lane.closed[0]!
    // A batch that was sent before: it is there.
    if (errorCode === 0 || errorCode === CODE.DUPLICATE_SEQUENCE_NUMBER) {
      lane.closed.shift()
      lane.failures = 0
      const { writer, session } = batch
      this.bytes -= writer.size - HEAD_BYTES
      if (this.#spare.length < SPARE_BATCHES_MAX) this.#spare.push(writer.memory)
      this.#ports.taken(batch.bytes!.length)
      if (--session.open === 0) this.#ports.drained(session)
    } else
      this.#failed(
        lane,
        batch,
        new KafkaProtocolError(errorCode, `partition ${lane.partition} of topic "${lane.topic}"`),
      )
  }

  #failed(lane: Lane, batch: Batch, error: unknown): void {
    if (this.#closed) return
    lane.failures++
    lane.node = -1
    this.#client.forget(lane.topic)
    const forMs = this.#ports.clock.monotonic() - batch.closedAtMs
    if (isFinal(error) || forMs >= this.#settings.deliveryTimeoutMs) this.#ports.fail(this.#failure(lane, batch, error))
  }

  #failure({ topic, partition }: Lane, { tries, writer }: Batch, error: unknown): TailraceError {
    const what = `write to partition ${partition} of topic "${topic}"`
    if (error instanceof KafkaProtocolError) {
      const { code } = error
      if (code === CODE.MESSAGE_TOO_LARGE || code === CODE.RECORD_LIST_TOO_LARGE)
        return new TailraceError(
          'TR-KAFKA-008',
          `Cannot ${what}: the cluster at ${this.#client.servers} takes no batch of ${batchText(writer)}, ${codeText(code)}; wanted is a larger max.message.bytes of the topic${writer.count > 1 ? ', or a smaller batch.size' : ''}`,
          { cause: error },
        )
      if (code === CODE.INVALID_TIMESTAMP)
        return new TailraceError(
          'TR-KAFKA-008',
          `Cannot ${what}: a record's time is too far from the clock of the cluster at ${this.#client.servers}, ${codeText(code)}; wanted is another "timestamp" of the sink, or other message.timestamp.before.max.ms and message.timestamp.after.max.ms (an hour unless set) of the topic`,
          { cause: error },
        )
      if (code === CODE.UNSUPPORTED_COMPRESSION_TYPE || code === CODE.INVALID_RECORD)
        return new TailraceError(
          'TR-KAFKA-008',
          `Cannot ${what}: the cluster at ${this.#client.servers} does not take it, ${codeText(code)}`,
          { cause: error },
        )
    }
    return kafkaFailure(what, error, this.#client, tries)
  }
}

const batchText = ({ size, count }: BatchWriter): string =>
  `${size} bytes with ${count === 1 ? 'one record' : `${count} records`}`
