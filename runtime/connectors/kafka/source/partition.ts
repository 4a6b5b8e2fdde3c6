/**
 * One partition in a reader: parts that were fetched and wait, and the place in the current one.
 */
import { TailraceError } from '../../../core/errors.ts'
import type { SplitOutput } from '../../../core/source.ts'
import type { FetchedPartition } from '../client/fetch.ts'
import { AbortedTransactions } from '../records/aborted.ts'
import { RecordCursor } from '../records/cursor.ts'
import {
  BASE_OFFSET,
  BATCH_LENGTH,
  HEAD_BYTES,
  LAST_OFFSET_DELTA,
  LEADER_EPOCH,
  MAGIC,
  MAGIC_AT,
  readInt64,
} from '../records/layout.ts'
import type { KafkaSplit } from './split.ts'

/** Of one partition, beside the one that is read: one is read while the other comes. */
const PARTS_MAX = 2
/** What a request can ask for. */
const PART_BYTES_MAX = 2 ** 31 - 1

export class Partition<T> {
  readonly split: KafkaSplit
  readonly cursor: RecordCursor
  /** undefined until the first poll. */
  output: SplitOutput<T> | undefined
  /** The cursor's record was not taken: it waits for its format. */
  held = false
  paused = false
  deleted = false
  /** Of the next fetch. */
  fetchOffset: number
  /** Of one part; grows when a batch does not fit. */
  maxBytes: number
  /** Who is asked; -1: the leader, to be found. */
  node = -1
  /** End of the partition, as the last answer has told; -1: not known. */
  endOffset = -1
  /** Tries that failed one after the other. */
  failures = 0
  /** Since when; monotonic milliseconds. */
  failingSinceMs = 0
  readonly #parts: FetchedPartition[] = []
  readonly #readCommitted: boolean

  constructor(split: KafkaSplit, maxBytes: number, readCommitted: boolean, checkCrc: boolean) {
    this.split = split
    this.fetchOffset = split.offset
    this.maxBytes = maxBytes
    this.#readCommitted = readCommitted
    this.cursor = new RecordCursor(`partition ${split.partition} of topic "${split.topic}"`, split.offset, checkCrc)
  }

  /** Wants another part. */
  get hungry(): boolean {
    const { stop } = this.split
    return !this.paused && this.#parts.length < PARTS_MAX && (stop === null || this.fetchOffset < stop)
  }

  /** Everything that is to be read is read. */
  get atStop(): boolean {
    const { stop } = this.split
    return stop !== null && !this.held && this.cursor.position >= stop
  }

  /** Of the next record that was not emitted. */
  get position(): number {
    return this.held ? this.cursor.offset : this.cursor.position
  }

  /** Takes an answer. Returns its bytes. Throws TR-KAFKA-002 when its first batch never comes whole. */
  add(fetched: FetchedPartition): number {
    const { records } = fetched
    this.endOffset = fetched.highWatermark
    const next = endOf(records)
    if (next < 0 && isCutOff(records)) {
      if (records.length > 0) this.#askForMore()
      return 0
    }
    this.fetchOffset = Math.max(this.fetchOffset, next)
    this.#parts.push(fetched)
    return records.length
  }

  #askForMore(): void {
    if (this.maxBytes === PART_BYTES_MAX) {
      const { topic, partition } = this.split
      throw new TailraceError(
        'TR-KAFKA-002',
        `Cannot read the batch at offset ${this.fetchOffset} of partition ${partition} of topic "${topic}": it says that it has more bytes than the broker sends`,
      )
    }
    this.maxBytes = Math.min(2 * this.maxBytes, PART_BYTES_MAX)
  }

  /** Goes on with the next part; false when there is none. */
  nextPart(): boolean {
    const part = this.#parts.shift()
    if (part === undefined) return false
    this.cursor.open(part.records, this.#readCommitted ? new AbortedTransactions(part.aborted) : undefined)
    return true
  }

  /** Goes on elsewhere: what was fetched is thrown away. */
  seek(offset: number): void {
    this.#parts.length = 0
    this.fetchOffset = offset
    this.cursor.seek(offset)
  }
}

/** It may be whole in a larger part; otherwise the cursor tells what is wrong. */
function isCutOff(records: Buffer): boolean {
  const magic = records[MAGIC_AT]
  return magic === undefined || (magic === MAGIC && records.readInt32BE(BATCH_LENGTH) >= HEAD_BYTES - LEADER_EPOCH)
}

/** Offset behind the last whole batch; -1: there is none. */
function endOf(records: Buffer): number {
  let next = -1
  for (let at = 0; records.length - at >= HEAD_BYTES; ) {
    const end = at + LEADER_EPOCH + records.readInt32BE(at + BATCH_LENGTH)
    if (end > records.length || end <= at) break
    next = readInt64(records, at + BASE_OFFSET) + records.readInt32BE(at + LAST_OFFSET_DELTA) + 1
    at = end
  }
  return next
}
