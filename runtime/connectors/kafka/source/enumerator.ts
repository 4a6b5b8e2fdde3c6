/**
 * Finds partitions, decides where each begins and ends, and gives each to a reader at once [KS-03..KS-06].
 *
 * What must hold:
 * - Offsets are decided once, when a partition is found, and are in the state from then on: a job that fails before its first record begins where it would have.
 * - Partitions of the first look begin where the user says; later ones at their beginning.
 * - A partition that was deleted is forgotten only when the metadata says so; it may come again, then as a new one.
 */
import { TailraceError } from '../../../core/errors.ts'
import type { EnumeratorContext, SplitEnumerator } from '../../../core/source.ts'
import type { KafkaClient } from '../client/client.ts'
import { CODE, KafkaProtocolError } from '../client/codes.ts'
import {
  partitionId,
  resolveOffsets,
  type StartingOffsets,
  type StoppingOffsets,
  type TopicPartition,
  textOf,
} from './offsets.ts'
import type { KafkaEvent, KafkaSplit, SubscriptionOptions } from './split.ts'

export interface EnumeratorState {
  /** Found so far, and not deleted. */
  known: TopicPartition[]
  /** Not given to a reader. */
  pending: KafkaSplit[]
  /** The first look is over. */
  begun: boolean
}

export interface EnumeratorOptions {
  subscription: SubscriptionOptions
  starting: StartingOffsets
  /** undefined: never. */
  stopping: StoppingOffsets | undefined
  bounded: boolean
  groupId: string | undefined
  /** auto.offset.reset */
  reset: string | undefined
  /** undefined: look once. */
  discoveryMs: number | undefined
  createClient(): KafkaClient
  /** Once, where the enumerator runs. */
  warnings: readonly string[]
}

export class KafkaEnumerator implements SplitEnumerator<KafkaSplit, EnumeratorState> {
  readonly #context: EnumeratorContext<KafkaSplit>
  readonly #options: EnumeratorOptions
  readonly #known: Map<string, TopicPartition>
  /** By subtask. */
  #pending: KafkaSplit[]
  #begun: boolean
  #client: KafkaClient | undefined
  readonly #readers = new Set<number>()
  /** Subtasks that have asked and were not answered. */
  readonly #asking = new Set<number>()

  constructor(context: EnumeratorContext<KafkaSplit>, options: EnumeratorOptions, state?: EnumeratorState) {
    this.#context = context
    this.#options = options
    this.#known = new Map(state?.known.map((one) => [partitionId(one), one]))
    this.#pending = state?.pending ?? []
    this.#begun = state?.begun ?? false
  }

  start(): void {
    for (const warning of this.#options.warnings) console.warn(warning)
    const { bounded, discoveryMs } = this.#options
    if (this.#begun && (bounded || discoveryMs === undefined)) return
    this.#context.callAsync(
      () => this.#look(),
      (found) => this.#found(found),
      bounded ? undefined : discoveryMs,
    )
  }

  addReader(subtask: number): void {
    this.#readers.add(subtask)
    this.#assign()
  }

  /** Answered behind the first look: a reader without partitions is idle only when it is known that there are none for it. */
  handleSplitRequest(subtask: number): void {
    this.#asking.add(subtask)
    if (this.#begun) this.#answer()
  }

  addSplitsBack(splits: KafkaSplit[], subtask: number): void {
    this.#readers.delete(subtask)
    this.#asking.delete(subtask)
    this.#pending.push(...splits)
  }

  handleEvent(subtask: number, event: unknown): void {
    const { type, topic, partition } = event as Extract<KafkaEvent, { type: 'missing' }>
    if (type !== 'missing') return
    const id = partitionId({ topic, partition })
    this.#context.callAsync(
      () => this.#isThere({ topic, partition }),
      (there) => {
        if (!there && this.#options.bounded)
          throw new TailraceError(
            'TR-KAFKA-006',
            `Cannot read partition ${partition} of topic "${topic}" to its end: it was deleted`,
          )
        if (!there) this.#known.delete(id)
        this.#context.sendEvent(subtask, { type: there ? 'there' : 'deleted', id } satisfies KafkaEvent)
      },
    )
  }

  snapshot(): EnumeratorState {
    return { known: [...this.#known.values()], pending: [...this.#pending], begun: this.#begun }
  }

  close(): void {
    void this.#client?.close()
  }

  get #kafka(): KafkaClient {
    this.#client ??= this.#options.createClient()
    return this.#client
  }

  /** Partitions that are not known, with where they begin and end. */
  async #look(): Promise<KafkaSplit[]> {
    const partitions = (await this.#partitions()).filter((one) => !this.#known.has(partitionId(one)))
    if (partitions.length === 0) return []
    const { starting, stopping, groupId, reset } = this.#options
    const first = !this.#begun
    const client = this.#kafka
    const starts = await resolveOffsets(client, first ? starting : 'earliest', partitions, groupId, reset)
    const stops =
      stopping === undefined ? undefined : await resolveOffsets(client, stopping, partitions, groupId, undefined)
    return partitions.map(({ topic, partition }) => {
      const id = partitionId({ topic, partition })
      return { id, topic, partition, offset: starts.get(id)!, stop: stops?.get(id) ?? null }
    })
  }

  #found(splits: KafkaSplit[]): void {
    for (const { id, topic, partition } of splits) {
      // Two looks may have been under way.
      if (!this.#known.has(id)) this.#pending.push(splits.find((split) => split.id === id)!)
      this.#known.set(id, { topic, partition })
    }
    this.#begun = true
    this.#assign()
    this.#answer()
  }

  /** Partitions were given before, and readers of a bounded source know that no more will come. */
  #answer(): void {
    if (!this.#options.bounded) for (const subtask of this.#asking) this.#context.noSplitsNow(subtask)
    this.#asking.clear()
  }

  #assign(): void {
    const left: KafkaSplit[] = []
    for (const split of this.#pending) {
      const subtask = ownerOf(split, this.#context.parallelism)
      if (this.#readers.has(subtask)) this.#context.assign(split, subtask)
      else left.push(split)
    }
    this.#pending = left
    if (!this.#options.bounded || !this.#begun) return
    for (const subtask of this.#readers) {
      if (!left.some((split) => ownerOf(split, this.#context.parallelism) === subtask))
        this.#context.noMoreSplits(subtask)
    }
  }

  async #partitions(): Promise<TopicPartition[]> {
    const { topics, pattern, partitions } = this.#options.subscription
    const wanted = topics ?? (partitions === undefined ? undefined : [...new Set(partitions.map(({ topic }) => topic))])
    const client = this.#kafka
    const what = wanted === undefined ? `look for topics that match ${pattern}` : `find ${textOf(wanted)}`
    const infos = await client.retrying(what, async () => {
      const found = await client.fetchMetadata(wanted)
      for (const { topic, errorCode } of found) {
        // What was read before may have been deleted; its reader tells.
        const mayBeGone = errorCode === CODE.UNKNOWN_TOPIC_OR_PARTITION && this.#begun
        if (errorCode !== 0 && wanted !== undefined && !mayBeGone)
          throw new KafkaProtocolError(errorCode, `topic "${topic}"`)
      }
      return found.filter(({ errorCode }) => errorCode === 0)
    })
    if (partitions !== undefined) {
      for (const { topic, partition } of this.#begun ? [] : partitions) {
        if (infos.some((info) => info.topic === topic && info.partitions.some((one) => one.partition === partition)))
          continue
        throw new TailraceError(
          'TR-KAFKA-006',
          `Cannot read partition ${partition} of topic "${topic}": the topic has no such partition`,
        )
      }
      return [...partitions]
    }
    return infos
      .filter(({ topic, isInternal }) => pattern === undefined || (!isInternal && matches(pattern, topic)))
      .flatMap(({ topic, partitions: ofTopic }) => ofTopic.map(({ partition }) => ({ topic, partition })))
  }

  async #isThere({ topic, partition }: TopicPartition): Promise<boolean> {
    const client = this.#kafka
    const infos = await client.retrying(`find topic "${topic}"`, () => client.fetchMetadata([topic]))
    return infos.some((info) => info.errorCode === 0 && info.partitions.some((one) => one.partition === partition))
  }
}

/** The whole name, whatever flags the pattern has. */
function matches(pattern: RegExp, topic: string): boolean {
  pattern.lastIndex = 0
  return pattern.exec(topic)?.[0] === topic
}

/** Partitions of a topic go to readers in turn, beginning at one that depends on the topic [KS-05]. */
export function ownerOf({ topic, partition }: TopicPartition, parallelism: number): number {
  let hash = 0
  for (let i = 0; i < topic.length; i++) hash = (Math.imul(hash, 31) + topic.charCodeAt(i)) | 0
  const start = (Math.imul(hash, 31) & 0x7fffffff) % parallelism
  return (start + partition) % parallelism
}
