/**
 * A client of one Kafka cluster: who leads what, who coordinates what, requests, and tries again. One for each reader, writer or enumerator, in its thread.
 *
 * What must hold:
 * - A try that fails in a way that may pass (a leader that moved, a connection that broke) makes what we know stale and comes again after a pause that grows,
 *   until `default.api.timeout.ms`; then the error names what was tried, whom we asked and what was said.
 *   Tries that go on for some seconds are told of, once.
 * - No two requests for the same knowledge are under way.
 */
import type { Clock, Schedule } from '../../../core/clock.ts'
import { CODE, KafkaProtocolError } from './codes.ts'
import type { ConnectionSettings } from './connection-settings.ts'
import { isFinal, kafkaFailure } from './failures.ts'
import { type ApiName, type Broker, createBroker, type Protocol, protocolOf, type Versions } from './kafkajs.ts'
import { decodeProduce, type ProducedPartition, type ProduceRequest, produceRequest } from './produce.ts'

export interface PartitionInfo {
  partition: number
  /** Node id; -1: none at the moment. */
  leader: number
}

export interface TopicInfo {
  topic: string
  /** Of the topic; 0: none. */
  errorCode: number
  isInternal: boolean
  /** Ascending. */
  partitions: PartitionInfo[]
}

/** What a client takes from outside. */
export interface ClientPorts {
  clock: Clock
  schedule: Schedule
  /** From 0 up to 1. */
  random(): number
  /** Tells the user of tries that go on for a while. */
  warn(text: string): void
}

type Coordination = 'group' | 'transaction'
/** While the broker ends a transaction. */
const CONCURRENT_MS = 10
/** Tries that go on for longer are told of: a name with a typing error should not look like a job that hangs. */
const SILENT_MS = 5_000
const COORDINATOR_TYPE: Record<Coordination, number> = { group: 0, transaction: 1 }

export class KafkaClient {
  readonly settings: ConnectionSettings
  readonly #ports: ClientPorts
  readonly #brokers = new Map<number, Broker>()
  /** Of the newest metadata; others may be in #brokers still. */
  #alive: readonly number[] = []
  readonly #seeds: (Broker | undefined)[]
  #versions: Versions | undefined
  readonly #topics = new Map<string, { info: TopicInfo; atMs: number }>()
  readonly #asked = new Map<string, Promise<TopicInfo>>()
  readonly #coordinators = new Map<string, number>()
  readonly #pauses = new Set<() => void>()
  #closed = false

  constructor(settings: ConnectionSettings, ports: ClientPorts) {
    this.settings = settings
    this.#ports = ports
    this.#seeds = settings.bootstrapServers.map(() => undefined)
  }

  get servers(): string {
    return this.settings.bootstrapServers.join(', ')
  }

  /** Who logs in. */
  get user(): string | undefined {
    return this.settings.sasl?.username
  }

  /** security.protocol */
  get protocol(): string {
    const { sasl, ssl } = this.settings
    return `${sasl === undefined ? '' : 'SASL_'}${ssl !== undefined ? 'SSL' : 'PLAINTEXT'}`
  }

  /** Of these topics, or of all; one try. Topics that are not there have an error code. */
  async fetchMetadata(topics?: readonly string[]): Promise<TopicInfo[]> {
    if (topics?.length === 0) return []
    const { brokers, topicMetadata } = await this.#ask(await this.#anyBroker(), 'Metadata', {
      // An empty list asks for all.
      topics: [...(topics ?? [])],
      allowAutoTopicCreation: false,
    })
    await this.#know(brokers)
    this.#alive = brokers.map(({ nodeId }: { nodeId: number }) => nodeId)
    const atMs = this.#ports.clock.monotonic()
    return topicMetadata.map((one: any): TopicInfo => {
      const info: TopicInfo = {
        topic: one.topic,
        errorCode: one.topicErrorCode,
        isInternal: one.isInternal,
        partitions: one.partitionMetadata
          .map(({ partitionId, leader }: any) => ({ partition: partitionId, leader }))
          .sort((a: PartitionInfo, b: PartitionInfo) => a.partition - b.partition),
      }
      this.#topics.set(info.topic, { info, atMs })
      return info
    })
  }

  /** Of one topic, as it is known. Throws when it is not there. */
  async topic(topic: string): Promise<TopicInfo> {
    const known = this.#topics.get(topic)
    if (
      known !== undefined &&
      known.info.errorCode === 0 &&
      this.#ports.clock.monotonic() - known.atMs < this.settings.metadataMaxAgeMs
    )
      return known.info
    let asked = this.#asked.get(topic)
    if (asked === undefined) {
      asked = this.fetchMetadata([topic])
        .then(([info]) => {
          const code = info?.errorCode ?? CODE.UNKNOWN_TOPIC_OR_PARTITION
          if (code !== 0) throw new KafkaProtocolError(code, `topic "${topic}"`)
          return info!
        })
        .finally(() => this.#asked.delete(topic))
      this.#asked.set(topic, asked)
    }
    return asked
  }

  /** Node id of a partition's leader. */
  async leader(topic: string, partition: number): Promise<number> {
    const info = await this.topic(topic)
    const found = info.partitions.find((one) => one.partition === partition)
    if (found === undefined) {
      this.forget(topic)
      throw new KafkaProtocolError(CODE.UNKNOWN_TOPIC_OR_PARTITION, `partition ${partition} of topic "${topic}"`)
    }
    if (found.leader >= 0) return found.leader
    this.forget(topic)
    throw new KafkaProtocolError(CODE.LEADER_NOT_AVAILABLE, `partition ${partition} of topic "${topic}"`)
  }

  /** The leader as it is known, without asking; undefined: not known. */
  knownLeader(topic: string, partition: number): number | undefined {
    const leader = this.#topics.get(topic)?.info.partitions.find((one) => one.partition === partition)?.leader
    return leader === -1 ? undefined : leader
  }

  /** What is known of this topic may be wrong. */
  forget(topic: string): void {
    this.#topics.delete(topic)
  }

  /** Node id of who coordinates a group or a transactional id. */
  async coordinator(kind: Coordination, id: string): Promise<number> {
    const key = `${kind} ${id}`
    const known = this.#coordinators.get(key)
    if (known !== undefined) return known
    const { errorCode, coordinator } = await this.#ask(await this.#anyBroker(), 'GroupCoordinator', {
      groupId: id,
      coordinatorType: COORDINATOR_TYPE[kind],
    })
    if (errorCode !== 0)
      throw new KafkaProtocolError(errorCode, `${kind === 'group' ? 'group' : 'transactional id'} "${id}"`)
    await this.#know([coordinator])
    this.#coordinators.set(key, coordinator.nodeId)
    return coordinator.nodeId
  }

  forgetCoordinator(kind: Coordination, id: string): void {
    this.#coordinators.delete(`${kind} ${id}`)
  }

  /** So that what fails in a request behind it may have been sent. */
  async connect(nodeId: number): Promise<void> {
    await this.#broker(nodeId)
  }

  /** One request of kafkajs to a broker; the answer as it came, error codes in it. */
  async call(nodeId: number, api: ApiName, args: unknown): Promise<any> {
    return this.#ask(await this.#broker(nodeId), api, args)
  }

  /** One request of our own. Throws UNSUPPORTED_VERSION when the broker does not know it: it would close the connection. */
  async send(nodeId: number, protocol: Protocol): Promise<any> {
    const broker = await this.#broker(nodeId)
    const { apiKey, apiName } = protocol.request
    if (broker.versions !== null && broker.versions?.[apiKey] === undefined)
      throw new KafkaProtocolError(CODE.UNSUPPORTED_VERSION, `${apiName} of broker ${nodeId}`)
    return sendTo(broker, protocol)
  }

  /** Sends batches; undefined: nobody answers. */
  async produce(nodeId: number, request: ProduceRequest): Promise<ProducedPartition[] | undefined> {
    const broker = await this.#broker(nodeId)
    const answer = await givenUpWhenSilent(broker, () => broker.sendParts(produceRequest(request)))
    if (answer === null) return undefined
    const { clientSideThrottleTime, partitions } = decodeProduce(answer)
    broker.throttle(clientSideThrottleTime)
    return partitions
  }

  /** Node ids of the brokers that are there now: one that has died is not among them for long. */
  async nodes(): Promise<number[]> {
    await this.fetchMetadata(['__consumer_offsets'])
    return [...this.#alive]
  }

  /**
   * Does it until it succeeds; see the head of this file.
   *
   * @param what for the error: `read the offsets of topic "clicks"`
   * @param stale what to forget before the next try
   */
  async retrying<T>(
    what: string,
    attempt: () => Promise<T>,
    stale?: () => void,
    timeoutMs = this.settings.apiTimeoutMs,
  ): Promise<T> {
    const { clock } = this.#ports
    const startMs = clock.monotonic()
    const endMs = startMs + timeoutMs
    let told = false
    for (let tries = 1; ; tries++) {
      try {
        return await attempt()
      } catch (error) {
        const nowMs = clock.monotonic()
        if (this.#closed || isFinal(error) || nowMs >= endMs) throw kafkaFailure(what, error, this, tries)
        if (error instanceof KafkaProtocolError && error.code === CODE.CONCURRENT_TRANSACTIONS) {
          // The broker is just ending it: a matter of milliseconds.
          await this.soon()
          continue
        }
        stale?.()
        if (!told && nowMs - startMs >= SILENT_MS) {
          told = true
          const { message } = kafkaFailure(what, error, this, tries)
          this.#ports.warn(`${message}. Trying on, for ${Math.ceil((endMs - nowMs) / 1000)} s at most`)
        }
        await this.pause(tries)
        if (this.#closed) throw kafkaFailure(what, error, this, tries)
      }
    }
  }

  /** While the broker ends a transaction. */
  soon(): Promise<void> {
    return this.#sleep(CONCURRENT_MS)
  }

  /** Before try `tries + 1`. */
  pause(tries: number): Promise<void> {
    const { retryBackoffMs, retryBackoffMaxMs } = this.settings
    const ms = Math.min(retryBackoffMaxMs, retryBackoffMs * 2 ** Math.min(tries - 1, 20))
    return this.#sleep(ms * (0.8 + 0.4 * this.#ports.random()))
  }

  /** Ends when the client is closed. */
  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        this.#pauses.delete(stop)
        resolve()
      }
      const cancel = this.#ports.schedule(ms, done)
      const stop = () => {
        cancel()
        done()
      }
      this.#pauses.add(stop)
    })
  }

  get closed(): boolean {
    return this.#closed
  }

  /** Ends pauses and connections; what is under way fails. */
  async close(): Promise<void> {
    this.#closed = true
    for (const stop of [...this.#pauses]) stop()
    const all = new Set([...this.#brokers.values(), ...this.#seeds.filter((seed) => seed !== undefined)])
    for (const broker of all) broker.abandon('the client was closed')
    await Promise.all([...all].map((broker) => broker.disconnect().catch(() => {})))
  }

  // --- connections

  async #ask(broker: Broker, api: ApiName, args: unknown): Promise<any> {
    const { request, response, ...rest } = protocolOf(broker, api, args)
    // Error codes are for us to judge.
    return sendTo(broker, {
      ...rest,
      request,
      response: { decode: response.decode, parse: async (data) => data },
      logResponseError: false,
    })
  }

  async #broker(nodeId: number): Promise<Broker> {
    let broker = this.#brokers.get(nodeId)
    if (broker === undefined) {
      await this.fetchMetadata(['__consumer_offsets'])
      broker = this.#brokers.get(nodeId)
      if (broker === undefined) throw new KafkaProtocolError(CODE.BROKER_NOT_AVAILABLE, `broker ${nodeId}`)
    }
    return this.#connected(broker)
  }

  async #connected(broker: Broker): Promise<Broker> {
    if (this.#closed) throw new Error('the client was closed')
    if (broker.isConnected()) return broker
    await broker.connect()
    this.#versions = broker.versions ?? this.#versions
    return broker
  }

  /** One that is connected, or can be: of those that we know, then of those that the user gave. */
  async #anyBroker(): Promise<Broker> {
    const known = [...this.#brokers.values()]
    const connected = known.find((broker) => broker.isConnected())
    if (connected !== undefined) return connected
    const failures: unknown[] = []
    for (const broker of known) {
      try {
        return await this.#connected(broker)
      } catch (error) {
        failures.push(error)
      }
    }
    for (const [i, server] of this.settings.bootstrapServers.entries()) {
      const at = server.lastIndexOf(':')
      this.#seeds[i] ??= this.#create({
        host: server.slice(0, at).replace(/^\[(.*)\]$/, '$1'),
        port: Number(server.slice(at + 1)),
      })
      try {
        return await this.#connected(this.#seeds[i])
      } catch (error) {
        failures.push(error)
      }
    }
    throw failures.find((error) => isFinal(error)) ?? failures.at(-1)
  }

  #create({ host, port, rack, nodeId }: { host: string; port: number; rack?: string; nodeId?: number }): Broker {
    const { clientId, ssl, sasl, connectionTimeoutMs, requestTimeoutMs, socketFactory } = this.settings
    return createBroker({
      host,
      port,
      rack,
      nodeId,
      versions: this.#versions,
      clientId,
      ssl,
      sasl,
      connectionTimeoutMs,
      requestTimeoutMs,
      socketFactory,
    })
  }

  /** Brokers may have moved to other addresses. */
  async #know(brokers: { nodeId: number; host: string; port: number; rack?: string }[]): Promise<void> {
    for (const { nodeId, host, port, rack } of brokers) {
      const known = this.#brokers.get(nodeId)
      if (known?.connectionPool.host === host && known.connectionPool.port === port) continue
      if (nodeId < 0 || host === '') continue
      this.#brokers.set(
        nodeId,
        this.#create(rack === undefined ? { nodeId, host, port } : { nodeId, host, port, rack }),
      )
      known?.abandon(`broker ${nodeId} has moved`)
    }
  }
}

const sendTo = (broker: Broker, protocol: Protocol): Promise<any> =>
  givenUpWhenSilent(broker, () => broker.connectionPool.send(protocol))

/** A connection on which an answer does not come is given up, or it would swallow the next request, too. */
async function givenUpWhenSilent<T>(broker: Broker, send: () => Promise<T>): Promise<T> {
  try {
    return await send()
  } catch (error) {
    if ((error as Error).name === 'KafkaJSRequestTimeoutError') broker.abandon('an answer did not come in time')
    throw error
  }
}
