/**
 * Reads partitions in turn, from what the fetcher has brought; decodes in place, in `poll`.
 *
 * What must hold:
 * - A snapshot's offset is that of the first record that was not emitted.
 * - A partition ends where its position says, not where a record was: transaction markers and what compaction took out count [KS-07].
 * - A record that cannot be decoded fails the job, is counted, or goes to a side output with its bytes and its place, as the option says.
 */
import { NO_TIMESTAMP } from '../../../core/clock.ts'
import { TailraceError } from '../../../core/errors.ts'
import type { Counter, Gauge, MetricGroup } from '../../../core/metrics.ts'
import type { OutputTag } from '../../../core/output-tag.ts'
import type { PollStatus, ReaderContext, ReaderOutput, SourceReader } from '../../../core/source.ts'
import { MalformedMessage, MessageNotReady } from '../../../formats/format.ts'
import type { KafkaClient } from '../client/client.ts'
import { type CommittedPartition, OffsetCommits } from './commit-offsets.ts'
import { type RawRecord, type RecordTaker, rawRecord } from './deserializer.ts'
import { Fetcher, type FetchSettings } from './fetcher.ts'
import { Partition } from './partition.ts'
import type { KafkaEvent, KafkaSplit } from './split.ts'

/** What a side output of undecodable records carries: the record as it stands, and why it could not be read. */
export interface BadKafkaRecord extends RawRecord {
  error: string
}

/** `fail` (standard), `skip` (counted), or a tag: send it to that side output. */
export type OnBadKafkaRecord = 'fail' | 'skip' | OutputTag<BadKafkaRecord>

export interface ReaderSettings<T> {
  createClient(context: ReaderContext): KafkaClient
  createTaker(): RecordTaker<T>
  onError: OnBadKafkaRecord
  fetch: FetchSettings
  maxPartitionBytes: number
  checkCrc: boolean
  groupId: string | undefined
  commitOffsets: boolean
}

interface Gauges {
  currentOffset: Gauge
  committedOffset: Gauge
  lag: Gauge
}

export class KafkaReader<T> implements SourceReader<T, KafkaSplit> {
  readonly #context: ReaderContext
  readonly #settings: ReaderSettings<T>
  readonly #client: KafkaClient
  readonly #fetcher: Fetcher
  readonly #commits: OffsetCommits | undefined
  readonly #taker: RecordTaker<T>
  readonly #partitions: Partition<T>[] = []
  /** By topic and partition. */
  readonly #gauges = new Map<string, Gauges[]>()
  readonly #metrics: MetricGroup
  readonly #errors: Counter
  readonly #tombstones: Counter
  readonly #pending: Gauge
  readonly #lagMax: Gauge
  readonly #bytesIn: Counter
  /** Whose turn it is. */
  #turn = 0
  /** Where partitions have ended, for the next commit. */
  readonly #finished: CommittedPartition[] = []
  #noMore = false

  constructor(context: ReaderContext, settings: ReaderSettings<T>) {
    this.#context = context
    this.#settings = settings
    this.#client = settings.createClient(context)
    this.#taker = settings.createTaker()
    const { metrics } = context
    this.#metrics = metrics.group('KafkaSourceReader')
    this.#errors = metrics.counter('numRecordsInErrors')
    this.#tombstones = metrics.counter('numRecordsWithoutValue')
    this.#pending = metrics.gauge('pendingRecords')
    this.#lagMax = this.#metrics.group('KafkaConsumer').gauge('records-lag-max')
    this.#bytesIn = metrics.counter('numBytesIn')
    const resets = this.#metrics.counter('offsetResets')
    this.#fetcher = new Fetcher(this.#client, settings.fetch, {
      clock: context.clock,
      wake: () => context.wake(),
      fail: (error) => context.fail(error),
      missing: ({ split: { topic, partition } }) =>
        context.sendEvent({ type: 'missing', topic, partition } satisfies KafkaEvent),
      received: (bytes) => this.#bytesIn.inc(bytes),
      reset: ({ split: { topic, partition }, fetchOffset }, from) => {
        resets.inc()
        console.warn(
          `Partition ${partition} of topic "${topic}" had no offset ${from} any more and is read on from ${fetchOffset} (auto.offset.reset is ${settings.fetch.reset})`,
        )
      },
    })
    if (settings.groupId !== undefined && settings.commitOffsets) {
      this.#commits = new OffsetCommits(this.#client, settings.groupId, {
        succeeded: this.#metrics.counter('commitsSucceeded'),
        failed: this.#metrics.counter('commitsFailed'),
        committedOffset: ({ topic, partition }) => this.#gaugesOf(topic, partition).committedOffset,
      })
    }
  }

  /** Partitions come without being asked for. That there are none for it is what it asks: until it knows, it holds the watermark back. */
  start(): void {
    this.#context.requestSplit()
  }

  poll(output: ReaderOutput<T>, max: number): PollStatus {
    const partitions = this.#partitions
    let left = max
    for (let looked = partitions.length; looked > 0 && left > 0; looked--) {
      if (this.#turn >= partitions.length) this.#turn = 0
      const partition = partitions[this.#turn]!
      if (!partition.paused && !partition.deleted) left -= this.#read(partition, output, left)
      if (partition.atStop || partition.deleted) this.#finish(partition, output)
      else this.#turn++
    }
    if (left < max) this.#publishLag()
    if (partitions.length === 0 && this.#noMore) return 'end'
    return left < max ? 'more' : 'idle'
  }

  addSplits(splits: KafkaSplit[]): void {
    const { maxPartitionBytes, fetch, checkCrc } = this.#settings
    for (const split of splits) {
      const partition = new Partition<T>(split, maxPartitionBytes, fetch.readCommitted, checkCrc)
      this.#partitions.push(partition)
      if (!partition.atStop) this.#fetcher.add(partition)
    }
    this.#context.wake()
  }

  noMoreSplits(): void {
    this.#noMore = true
    this.#context.wake()
  }

  snapshot(checkpointId: number): KafkaSplit[] {
    const splits = this.#partitions.map(({ split, position }) => ({ ...split, offset: position }))
    const positions = splits.map(({ topic, partition, offset }) => ({ topic, partition, offset }))
    this.#commits?.snapshot(checkpointId, [...positions, ...this.#finished])
    return splits
  }

  notifyCheckpointComplete(checkpointId: number): void {
    this.#commits?.complete(checkpointId)
  }

  pauseOrResumeSplits(pause: string[], resume: string[]): void {
    for (const partition of this.#partitions) {
      if (pause.includes(partition.split.id)) partition.paused = true
      if (resume.includes(partition.split.id)) partition.paused = false
    }
    this.#fetcher.pump()
    this.#context.wake()
  }

  handleEvent(event: unknown): void {
    const { type, id } = event as Extract<KafkaEvent, { id: string }>
    const partition = this.#partitions.find(({ split }) => split.id === id)
    if (partition === undefined) return
    if (type === 'there') {
      this.#fetcher.isThere(partition)
      return
    }
    const { topic, partition: number } = partition.split
    console.warn(`Partition ${number} of topic "${topic}" was deleted: it was read up to offset ${partition.position}`)
    this.#metrics.counter('deletedPartitions').inc()
    // `poll` has the output.
    partition.deleted = true
    this.#context.wake()
  }

  async close(): Promise<void> {
    await this.#fetcher.close()
    await this.#commits?.settled()
  }

  /** Emits from one partition, as much as is there; returns how many records were taken. */
  #read(partition: Partition<T>, output: ReaderOutput<T>, max: number): number {
    const { cursor } = partition
    const { id, topic, partition: number, stop } = partition.split
    partition.output ??= output.split(id)
    const out = partition.output
    const taker = this.#taker
    const end = stop ?? Number.POSITIVE_INFINITY
    let count = 0
    while (count < max) {
      if (partition.held) partition.held = false
      else if (!cursor.next()) {
        if (!partition.nextPart()) break
        this.#fetcher.pump()
        continue
      }
      if (cursor.offset >= end) break
      try {
        const timestamp = cursor.timestampMs < 0 ? NO_TIMESTAMP : cursor.timestampMs
        if (!taker.take(cursor, topic, number, out, timestamp)) this.#tombstones.inc()
      } catch (error) {
        if (error instanceof MessageNotReady) {
          partition.held = true
          this.#waitFor(error.ready)
          break
        }
        if (!(error instanceof MalformedMessage)) throw error
        this.#bad(partition, output, error)
      }
      count++
    }
    if (count > 0) this.#gaugesOf(topic, number).currentOffset.set(cursor.offset)
    return count
  }

  #waitFor(ready: Promise<void>): void {
    ready.then(
      () => this.#context.wake(),
      (error) => this.#context.fail(error),
    )
  }

  #bad(
    { cursor, split: { topic, partition } }: Partition<T>,
    output: ReaderOutput<T>,
    { message }: MalformedMessage,
  ): void {
    const { onError } = this.#settings
    this.#errors.inc()
    if (onError === 'fail') {
      throw new TailraceError(
        'TR-RECORD-004',
        `Cannot read the record at offset ${cursor.offset} of partition ${partition} of topic "${topic}": ${message}; to go on without such records, set onError to 'skip' or to a side output`,
      )
    }
    if (onError !== 'skip')
      output.sideOutput?.(onError.id, { ...rawRecord(cursor, topic, partition, true), error: message })
  }

  #finish(partition: Partition<T>, output: ReaderOutput<T>): void {
    this.#fetcher.remove(partition)
    const { id, topic, partition: number } = partition.split
    this.#finished.push({ topic, partition: number, offset: partition.position })
    this.#partitions.splice(this.#partitions.indexOf(partition), 1)
    output.split(id)
    output.release(id)
  }

  /** Records that are in the partitions and not emitted. */
  #publishLag(): void {
    let most = 0
    let all = 0
    for (const { endOffset, cursor, split } of this.#partitions) {
      if (endOffset < 0) continue
      const lag = Math.max(0, endOffset - cursor.position)
      this.#gaugesOf(split.topic, split.partition).lag.set(lag)
      most = Math.max(most, lag)
      all += lag
    }
    this.#pending.set(all)
    this.#lagMax.set(most)
  }

  #gaugesOf(topic: string, partition: number): Gauges {
    let ofTopic = this.#gauges.get(topic)
    if (ofTopic === undefined) {
      ofTopic = []
      this.#gauges.set(topic, ofTopic)
    }
    let gauges = ofTopic[partition]
    if (gauges === undefined) {
      const group = this.#metrics.group('topic', topic).group('partition', String(partition))
      const lag = this.#metrics.group('KafkaConsumer').group('topic', topic).group('partition', String(partition))
      gauges = {
        currentOffset: group.gauge('currentOffset'),
        committedOffset: group.gauge('committedOffset'),
        lag: lag.gauge('records-lag'),
      }
      // As Flink has them until there is one.
      gauges.currentOffset.set(-1)
      gauges.committedOffset.set(-1)
      ofTopic[partition] = gauges
    }
    return gauges
  }
}
