/**
 * Commits offsets to a group when a checkpoint is complete, for those who look at the group's lag; a restore never reads them [KS-08].
 *
 * One commit is under way at a time, the newest follows. A failure is counted, and the next commit says more anyway.
 */
import type { Counter, Gauge } from '../../../core/metrics.ts'
import type { KafkaClient } from '../client/client.ts'
import { KafkaProtocolError } from '../client/codes.ts'

export interface CommittedPartition {
  topic: string
  partition: number
  offset: number
}

export class OffsetCommits {
  readonly #client: KafkaClient
  readonly #groupId: string
  readonly #succeeded: Counter
  readonly #failed: Counter
  readonly #gauge: (of: CommittedPartition) => Gauge
  /** By checkpoint, ascending. */
  readonly #taken = new Map<number, CommittedPartition[]>()
  #next: CommittedPartition[] | undefined
  #running: Promise<void> | undefined

  constructor(
    client: KafkaClient,
    groupId: string,
    metrics: { succeeded: Counter; failed: Counter; committedOffset: (of: CommittedPartition) => Gauge },
  ) {
    this.#client = client
    this.#groupId = groupId
    this.#succeeded = metrics.succeeded
    this.#failed = metrics.failed
    this.#gauge = metrics.committedOffset
  }

  snapshot(checkpointId: number, positions: CommittedPartition[]): void {
    this.#taken.set(checkpointId, positions)
  }

  complete(checkpointId: number): void {
    const positions = this.#taken.get(checkpointId)
    for (const id of this.#taken.keys()) if (id <= checkpointId) this.#taken.delete(id)
    if (positions === undefined || positions.length === 0) return
    this.#next = positions
    this.#running ??= this.#run()
  }

  /** Resolves when nothing is under way. */
  async settled(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    for (let positions = this.#next; positions !== undefined && !this.#client.closed; positions = this.#next) {
      this.#next = undefined
      try {
        await this.#commit(positions)
        this.#succeeded.inc()
        for (const one of positions) this.#gauge(one).set(one.offset)
      } catch {
        this.#failed.inc()
        this.#client.forgetCoordinator('group', this.#groupId)
      }
    }
    this.#running = undefined
  }

  async #commit(positions: CommittedPartition[]): Promise<void> {
    const coordinator = await this.#client.coordinator('group', this.#groupId)
    const byTopic = Map.groupBy(positions, ({ topic }) => topic)
    const { responses } = await this.#client.call(coordinator, 'OffsetCommit', {
      groupId: this.#groupId,
      groupGenerationId: -1,
      memberId: '',
      retentionTime: -1,
      topics: [...byTopic].map(([topic, ofTopic]) => ({
        topic,
        partitions: ofTopic.map(({ partition, offset }) => ({ partition, offset: String(offset), metadata: '' })),
      })),
    })
    for (const { topic, partitions } of responses)
      for (const { partition, errorCode } of partitions)
        if (errorCode !== 0) throw new KafkaProtocolError(errorCode, `partition ${partition} of topic "${topic}"`)
  }
}
