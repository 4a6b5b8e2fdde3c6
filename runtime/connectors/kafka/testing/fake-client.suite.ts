/**
 * A client whose cluster is in the test's hands: who leads what, and what requests are answered. Tries, pauses and what the client believes until it forgets are those of the real one, in
 * time that stands still until {@link FakeClient.pass}.
 */
import { ManualClock } from '../../../core/clock.ts'
import { KafkaClient, type TopicInfo } from '../client/client.ts'
import { CODE, KafkaProtocolError } from '../client/codes.ts'
import { connectionSettings } from '../client/connection-settings.ts'
import type { FetchAnswer } from '../client/fetch.ts'
import type { ApiName, Protocol } from '../client/kafkajs.ts'
import type { ProducedPartition, ProduceRequest } from '../client/produce.ts'
import { Properties } from '../properties.ts'

/** The error of a connection that breaks. */
export const brokenConnection = (): Error =>
  Object.assign(new Error('connect ECONNREFUSED'), { name: 'KafkaJSConnectionError', broker: 'kafka:9092' })

/** Promises that can go on have gone on. */
export async function settled(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve))
}

interface Timer {
  atMs: number
  callback: () => void
}

export class FakeClient extends KafkaClient {
  readonly clock: ManualClock
  readonly #timers: Set<Timer>
  readonly #believed = new Map<string, TopicInfo>()
  readonly #coordinators = new Map<string, number>()
  /** What is there: topics, and the leader of each partition. */
  leaders: Record<string, number[]> = {}
  /** How often who leads what was asked for. */
  metadataRequests = 0
  warnings: string[]
  onProduce: (node: number, request: ProduceRequest) => Promise<ProducedPartition[] | undefined> = unexpected
  onFetch: (node: number, protocol: Protocol) => Promise<FetchAnswer> = unexpected
  onCall: (node: number, api: ApiName, args: any) => Promise<any> = unexpected
  onConnect: (node: number) => Promise<void> = async () => {}

  constructor(properties: Record<string, string | number> = {}) {
    const clock = new ManualClock()
    const timers = new Set<Timer>()
    const warnings: string[] = []
    super(connectionSettings(new Properties({ 'retry.backoff.ms': 100, ...properties }), 'kafka:9092', {}), {
      clock,
      schedule(ms, callback) {
        const timer = { atMs: clock.monotonic() + ms, callback }
        timers.add(timer)
        return () => timers.delete(timer)
      },
      random: () => 0.5,
      warn: (text) => void warnings.push(text),
    })
    this.clock = clock
    this.#timers = timers
    this.warnings = warnings
  }

  /** Lets time go by; what comes due happens at its time. */
  async pass(ms: number): Promise<void> {
    const endMs = this.clock.monotonic() + ms
    await settled()
    for (;;) {
      const next = [...this.#timers].reduce<Timer | undefined>(
        (a, b) => (a !== undefined && a.atMs <= b.atMs ? a : b),
        undefined,
      )
      if (next === undefined || next.atMs > endMs) break
      this.#timers.delete(next)
      this.clock.set(Math.max(next.atMs, this.clock.monotonic()))
      next.callback()
      await settled()
    }
    this.clock.set(endMs)
    await settled()
  }

  override async fetchMetadata(topics: readonly string[] = Object.keys(this.leaders)): Promise<TopicInfo[]> {
    this.metadataRequests++
    return topics.map((topic) => {
      const leaders = this.leaders[topic]
      const info: TopicInfo = {
        topic,
        errorCode: leaders === undefined ? CODE.UNKNOWN_TOPIC_OR_PARTITION : 0,
        isInternal: topic.startsWith('__'),
        partitions: (leaders ?? []).map((leader, partition) => ({ partition, leader })),
      }
      if (info.errorCode === 0) this.#believed.set(topic, info)
      return info
    })
  }

  override async topic(topic: string): Promise<TopicInfo> {
    const known = this.#believed.get(topic)
    if (known !== undefined) return known
    const [info] = await this.fetchMetadata([topic])
    if (info!.errorCode !== 0) throw new KafkaProtocolError(info!.errorCode, `topic "${topic}"`)
    return info!
  }

  override knownLeader(topic: string, partition: number): number | undefined {
    return this.#believed.get(topic)?.partitions[partition]?.leader
  }

  override forget(topic: string): void {
    this.#believed.delete(topic)
  }

  /** Asked for by FindCoordinator, which `onCall` answers with a node. */
  override async coordinator(kind: 'group' | 'transaction', id: string): Promise<number> {
    const known = this.#coordinators.get(id)
    if (known !== undefined) return known
    const node: number = await this.onCall(-1, 'GroupCoordinator', { kind, id })
    this.#coordinators.set(id, node)
    return node
  }

  override forgetCoordinator(_kind: 'group' | 'transaction', id: string): void {
    this.#coordinators.delete(id)
  }

  override connect(nodeId: number): Promise<void> {
    return this.onConnect(nodeId)
  }

  override call(nodeId: number, api: ApiName, args: unknown): Promise<any> {
    return this.onCall(nodeId, api, args)
  }

  override send(nodeId: number, protocol: Protocol): Promise<any> {
    return this.onFetch(nodeId, protocol)
  }

  override produce(nodeId: number, request: ProduceRequest): Promise<ProducedPartition[] | undefined> {
    return this.onProduce(nodeId, request)
  }
}

async function unexpected(): Promise<never> {
  throw new TypeError('Cannot answer: the test expects no such request')
}
