/**
 * Fetches for the partitions of one reader: one request is under way to each broker, with all partitions of it that want more, and the next one goes out
 * while the answer is decoded [KS-11].
 *
 * A partition that cannot be fetched is asked for again after a pause, with new metadata; the others go on. What is said of it meanwhile:
 * - unknown for a while: the enumerator looks whether it was deleted;
 * - the offset is not there: auto.offset.reset decides, or the job fails;
 * - nothing else helps within default.api.timeout.ms: the job fails.
 */
import type { Clock } from '../../../core/clock.ts'
import { TailraceError } from '../../../core/errors.ts'
import type { KafkaClient } from '../client/client.ts'
import { CODE, KafkaProtocolError } from '../client/codes.ts'
import { isFinal, kafkaFailure } from '../client/failures.ts'
import { type FetchAnswer, type FetchedPartition, fetchProtocol } from '../client/fetch.ts'
import { resolveOffsets } from './offsets.ts'
import type { Partition } from './partition.ts'

export interface FetchSettings {
  readCommitted: boolean
  minBytes: number
  maxWaitMs: number
  maxBytes: number
  rack: string
  /** earliest, latest or none. */
  reset: string | undefined
}

export interface FetcherPorts {
  clock: Clock
  /** Data has come. */
  wake(): void
  fail(error: unknown): void
  /** The brokers do not know it. */
  missing(partition: Partition<any>): void
  /** It was read on from elsewhere, since its records were not there any more. */
  reset(partition: Partition<any>, from: number): void
  /** Bytes of answers. */
  received(bytes: number): void
}

/** While a partition waits for its reader, another one's request must end soon, since it can take part only in the next. */
const WAIT_BESIDE_FULL_MS = 10
/** A partition that is unknown for this long may have been deleted. */
const MISSING_MS = 5_000

export class Fetcher {
  readonly #client: KafkaClient
  readonly #settings: FetchSettings
  readonly #ports: FetcherPorts
  readonly #partitions = new Set<Partition<any>>()
  /** Brokers with a request under way. */
  readonly #busy = new Set<number>()
  readonly #finding = new Set<Partition<any>>()
  /** Their offset is not there; they are not in #partitions. */
  readonly #resetting = new Set<Partition<any>>()
  #closed = false

  constructor(client: KafkaClient, settings: FetchSettings, ports: FetcherPorts) {
    this.#client = client
    this.#settings = settings
    this.#ports = ports
  }

  add(partition: Partition<any>): void {
    this.#partitions.add(partition)
    this.pump()
  }

  remove(partition: Partition<any>): void {
    this.#partitions.delete(partition)
    this.#resetting.delete(partition)
  }

  /** Asks brokers for what is wanted, as far as none is asked already. */
  pump(): void {
    if (this.#closed) return
    const wanted = new Map<number, Partition<any>[]>()
    for (const partition of this.#partitions) {
      if (!partition.hungry) continue
      if (partition.node < 0) void this.#find(partition)
      else if (!this.#busy.has(partition.node)) {
        const ofNode = wanted.get(partition.node)
        if (ofNode === undefined) wanted.set(partition.node, [partition])
        else ofNode.push(partition)
      }
    }
    for (const [node, partitions] of wanted) void this.#fetch(node, partitions)
  }

  /** The deleted partition is there after all. */
  isThere(partition: Partition<any>): void {
    partition.failures = 0
  }

  async close(): Promise<void> {
    this.#closed = true
    await this.#client.close()
  }

  async #find(partition: Partition<any>): Promise<void> {
    if (this.#finding.has(partition)) return
    this.#finding.add(partition)
    const { topic, partition: number } = partition.split
    try {
      if (partition.failures > 0) await this.#client.pause(partition.failures)
      partition.node = await this.#client.leader(topic, number)
    } catch (error) {
      this.#failed(partition, error)
    }
    this.#finding.delete(partition)
    if (this.#partitions.has(partition)) this.pump()
  }

  async #fetch(node: number, partitions: Partition<any>[]): Promise<void> {
    this.#busy.add(node)
    const { readCommitted, minBytes, maxBytes, rack } = this.#settings
    let full = false
    for (const one of this.#partitions) if (one.node === node && !one.hungry && !one.paused) full = true
    const request = {
      readCommitted,
      minBytes,
      maxBytes,
      rack,
      requestTimeoutMs: this.#client.settings.requestTimeoutMs,
      maxWaitMs: full ? Math.min(WAIT_BESIDE_FULL_MS, this.#settings.maxWaitMs) : this.#settings.maxWaitMs,
      partitions: partitions.map((one) => ({
        topic: one.split.topic,
        partition: one.split.partition,
        offset: one.fetchOffset,
        maxBytes: one.maxBytes,
      })),
    }
    let answer: FetchAnswer | undefined
    try {
      answer = (await this.#client.send(node, fetchProtocol(request))) as FetchAnswer
      if (answer.errorCode !== 0) throw new KafkaProtocolError(answer.errorCode, `broker ${node}`)
    } catch (error) {
      for (const one of partitions) this.#failed(one, error)
    }
    this.#busy.delete(node)
    if (this.#closed) return
    try {
      if (answer !== undefined) this.#take(answer, partitions)
    } catch (error) {
      this.#ports.fail(error)
      return
    }
    this.pump()
  }

  #take({ partitions: answers }: FetchAnswer, asked: Partition<any>[]): void {
    let bytes = 0
    for (const fetched of answers) {
      const partition = asked.find(
        ({ split }) => split.partition === fetched.partition && split.topic === fetched.topic,
      )
      if (partition === undefined || !this.#partitions.has(partition)) continue
      if (fetched.errorCode !== 0) this.#refused(partition, fetched)
      else {
        partition.failures = 0
        bytes += partition.add(fetched)
        if (fetched.preferredReplica >= 0) partition.node = fetched.preferredReplica
      }
    }
    this.#ports.received(bytes)
    this.#ports.wake()
  }

  #refused(partition: Partition<any>, { errorCode }: FetchedPartition): void {
    const { topic, partition: number } = partition.split
    if (errorCode === CODE.OFFSET_OUT_OF_RANGE) void this.#outOfRange(partition)
    else this.#failed(partition, new KafkaProtocolError(errorCode, `partition ${number} of topic "${topic}"`))
  }

  #failed(partition: Partition<any>, error: unknown): void {
    if (this.#closed || !this.#partitions.has(partition)) return
    const { topic, partition: number } = partition.split
    const nowMs = this.#ports.clock.monotonic()
    if (partition.failures++ === 0) partition.failingSinceMs = nowMs
    partition.node = -1
    this.#client.forget(topic)
    const forMs = nowMs - partition.failingSinceMs
    const unknown = error instanceof KafkaProtocolError && error.code === CODE.UNKNOWN_TOPIC_OR_PARTITION
    if (unknown) {
      if (forMs < MISSING_MS) return
      partition.failures = 0
      this.#ports.missing(partition)
    } else if (isFinal(error) || forMs >= this.#client.settings.apiTimeoutMs) {
      this.#ports.fail(
        kafkaFailure(`read partition ${number} of topic "${topic}"`, error, this.#client, partition.failures),
      )
    }
  }

  async #outOfRange(partition: Partition<any>): Promise<void> {
    const { topic, partition: number, id } = partition.split
    const from = partition.fetchOffset
    const { reset } = this.#settings
    // Nothing is asked for until it is known where to go on.
    this.#partitions.delete(partition)
    this.#resetting.add(partition)
    const offsetAt = async (end: 'earliest' | 'latest'): Promise<number> =>
      (await resolveOffsets(this.#client, end, [{ topic, partition: number }], undefined, undefined)).get(id)!
    try {
      if (reset === 'earliest' || reset === 'latest') {
        const offset = await offsetAt(reset)
        // Meanwhile it may have been taken away.
        if (this.#closed || !this.#resetting.delete(partition)) return
        partition.seek(offset)
        this.#ports.reset(partition, from)
        this.add(partition)
        return
      }
      const [first, end] = await Promise.all([offsetAt('earliest'), offsetAt('latest')])
      const why = from < first ? 'what was before is deleted' : 'it was made anew, or has lost records'
      throw new TailraceError(
        'TR-KAFKA-009',
        `Cannot read partition ${number} of topic "${topic}" at offset ${from}: the cluster at ${this.#client.servers} has offsets ${first} to ${end} (exclusive), ${why}; to go on without, set the property auto.offset.reset to earliest or latest`,
      )
    } catch (error) {
      if (!this.#closed && this.#resetting.delete(partition)) this.#ports.fail(error)
    }
  }
}
