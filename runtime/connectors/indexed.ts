/**
 * Sources whose records are numbered from 0: collection, sequence, datagen. A split is a run of numbers, one per reader.
 *
 * Everything of a split is in its four fields, so a snapshot of it resumes exactly, at any parallelism.
 */
import type {
  EnumeratorContext,
  PollStatus,
  ReaderOutput,
  SourceReader,
  SourceSplit,
  SplitEnumerator,
  SplitOutput,
} from '../core/source.ts'

/** Numbers `next`, `next + step`, ... below `end`. */
export interface IndexedSplit extends SourceSplit {
  readonly id: string
  next: number
  readonly end: number
  readonly step: number
}

/** In place of an end that is not there; JSON has no Infinity. */
export const ENDLESS = Number.MAX_SAFE_INTEGER

/** Runs of neighbours, as equal as can be: the order of the numbers holds within a reader. */
export function contiguousSplits(count: number, parallelism: number): IndexedSplit[] {
  const splits: IndexedSplit[] = []
  for (let i = 0; i < parallelism; i++) {
    const next = Math.floor((i * count) / parallelism)
    const end = Math.floor(((i + 1) * count) / parallelism)
    if (next < end) splits.push({ id: String(i), next, end, step: 1 })
  }
  return splits
}

/** Every `parallelism`-th number: readers stay side by side in the numbering, hence in time when times rise with it. */
export function stridedSplits(count: number, parallelism: number): IndexedSplit[] {
  const splits: IndexedSplit[] = []
  for (let i = 0; i < parallelism && i < count; i++)
    splits.push({ id: String(i), next: i, end: count, step: parallelism })
  return splits
}

/** Hands split i to subtask i, and all there is to a reader as soon as it is there. */
export class IndexedEnumerator implements SplitEnumerator<IndexedSplit, IndexedSplit[]> {
  readonly #context: EnumeratorContext<IndexedSplit>
  #waiting: IndexedSplit[]

  constructor(context: EnumeratorContext<IndexedSplit>, splits: IndexedSplit[]) {
    this.#context = context
    this.#waiting = splits
  }
  start(): void {}
  addReader(subtask: number): void {
    const mine = (split: IndexedSplit) => Number(split.id) % this.#context.parallelism === subtask
    for (const split of this.#waiting) if (mine(split)) this.#context.assign(split, subtask)
    this.#waiting = this.#waiting.filter((split) => !mine(split))
    this.#context.noMoreSplits(subtask)
  }
  handleSplitRequest(): void {}
  addSplitsBack(splits: IndexedSplit[]): void {
    this.#waiting.push(...splits)
  }
  snapshot(): IndexedSplit[] {
    return this.#waiting.map((split) => ({ ...split }))
  }
  close(): void {}
}

interface Reading<T> {
  split: IndexedSplit
  output: SplitOutput<T>
}

/** Reads its splits in turn. */
export abstract class IndexedReader<T> implements SourceReader<T, IndexedSplit> {
  /** Not yet opened: opening needs the output, which comes with `poll`. */
  #assigned: IndexedSplit[] = []
  #reading: Reading<T>[] = []
  #turn = 0
  #noMore = false

  /** Emits at most `max` records from `split.next` on and moves it. */
  protected abstract emit(split: IndexedSplit, output: SplitOutput<T>, max: number): void

  /** How many of `max` records may be emitted now; 0 when it has asked for a later time by `wakeAt`. */
  protected admit(max: number): number {
    return max
  }

  start(): void {}

  poll(output: ReaderOutput<T>, max: number): PollStatus {
    // All before the first record: each holds the watermark back from then on.
    for (const split of this.#assigned) this.#reading.push({ split, output: output.split(split.id) })
    this.#assigned = []
    if (this.#reading.length === 0) return this.#noMore ? 'end' : 'idle'
    const admitted = this.admit(max)
    if (admitted === 0) return 'idle'
    this.#turn = (this.#turn + 1) % this.#reading.length
    const reading = this.#reading[this.#turn]!
    const { split } = reading
    this.emit(split, reading.output, admitted)
    if (split.next >= split.end) {
      output.release(split.id)
      this.#reading.splice(this.#turn, 1)
    }
    return 'more'
  }

  addSplits(splits: IndexedSplit[]): void {
    for (const split of splits) this.#assigned.push({ ...split })
  }
  noMoreSplits(): void {
    this.#noMore = true
  }
  snapshot(): IndexedSplit[] {
    return [...this.#reading.map(({ split }) => split), ...this.#assigned].map((split) => ({ ...split }))
  }
  close(): void {}
}
