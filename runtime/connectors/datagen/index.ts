/**
 * Records made by a function of their number: for tests, demonstrations and load.
 *
 * Exactness: record i depends on i and the seed alone, however many subtasks there are and whatever was restored. The pace is kept
 * against a fixed start, so it does not drift; after a pause (a blocked output) what is due is made up for.
 */
import { type Clock, NO_TIMESTAMP } from '../../core/clock.ts'
import type { ReaderContext, Source, SplitOutput } from '../../core/source.ts'
import { ENDLESS, IndexedEnumerator, IndexedReader, type IndexedSplit, stridedSplits } from '../indexed.ts'

/** Numbers in [0, 1), as Math.random gives them. */
export type Random = () => number

export interface DataGenOptions<T> {
  /** Makes record `index` (from 0). `random` begins anew for each record: the same numbers for the same index and seed. */
  generate: (index: number, random: Random) => T
  /** How many records in all; without it the source never ends. */
  count?: number
  /** Records per second of all subtasks together; without it as fast as the job takes them. */
  recordsPerSecond?: number
  /** Any number; 0 when not given. */
  seed?: number
}

/** At high rates the reader does not ask for a turn per record but for one per this time. */
const WAKE_INTERVAL_MS_MIN = 0.5

/**
 * A source of generated records. With a parallelism p subtask i makes records i, i + p, i + 2p, ..., so times that rise with the
 * index stay close together among subtasks.
 *
 * Throws RangeError when `count` or `recordsPerSecond` is out of its range.
 *
 * @example
 * dataGenSource({
 *   generate: (index, random) => ({ user: `user-${Math.floor(random() * 100)}`, at: index * 10 }),
 *   recordsPerSecond: 1000,
 * })
 */
export function dataGenSource<T>(options: DataGenOptions<T>): Source<T, IndexedSplit, IndexedSplit[]> {
  const { generate, count, recordsPerSecond, seed = 0 } = options
  if (typeof generate !== 'function')
    throw new TypeError(`Cannot generate records with ${String(generate)}: "generate" must be a function`)
  if (count !== undefined && !(Number.isSafeInteger(count) && count >= 0))
    throw new RangeError(`Cannot generate ${count} records: "count" must be a whole number from 0`)
  if (recordsPerSecond !== undefined && !(recordsPerSecond > 0))
    throw new RangeError(`Cannot generate ${recordsPerSecond} records per second: "recordsPerSecond" must be above 0`)
  if (!Number.isFinite(seed)) throw new RangeError(`Cannot use ${seed} as a seed: it must be a finite number`)
  return {
    boundedness: count === undefined ? 'unbounded' : 'bounded',
    createEnumerator: (context) => new IndexedEnumerator(context, stridedSplits(count ?? ENDLESS, context.parallelism)),
    restoreEnumerator: (context, state) => new IndexedEnumerator(context, state),
    createReader: (context) => new DataGenReader(context, options),
    describe: () => `datagen(${count ?? 'endless'}${recordsPerSecond === undefined ? '' : `, ${recordsPerSecond}/s`})`,
  }
}

class DataGenReader<T> extends IndexedReader<T> {
  readonly #generate: (index: number, random: Random) => T
  readonly #seed: number
  readonly #pace: Pace | undefined
  readonly #context: ReaderContext

  constructor(context: ReaderContext, options: DataGenOptions<T>) {
    super()
    this.#context = context
    this.#generate = options.generate
    this.#seed = mix(Math.imul(Math.floor(options.seed ?? 0), 0x9e3779b1) ^ 0x85ebca6b)
    if (options.recordsPerSecond !== undefined && options.recordsPerSecond !== Infinity)
      this.#pace = new Pace(context.clock, options.recordsPerSecond / context.parallelism)
  }

  protected override admit(max: number): number {
    const pace = this.#pace
    if (pace === undefined) return max
    const admitted = pace.admit(max)
    if (admitted === 0) this.#context.wakeAt(pace.nextMs())
    return admitted
  }

  protected override emit(split: IndexedSplit, output: SplitOutput<T>, max: number): void {
    const generate = this.#generate
    const seed = this.#seed
    const before = split.next
    const end = Math.min(split.end, before + max * split.step)
    let state = 0
    const random = () => {
      state = (state + 0x6d2b79f5) | 0
      return (mix(state) >>> 0) / 4294967296
    }
    let i = before
    for (; i < end; i += split.step) {
      state = seed ^ Math.imul(i | 0, 0x9e3779b1) ^ Math.imul((i / 4294967296) | 0, 0xc2b2ae35)
      output.collect(generate(i, random), NO_TIMESTAMP)
    }
    split.next = i
    this.#pace?.took((i - before) / split.step)
  }
}

/** Scrambles 32 bits (the finisher of murmur3). */
function mix(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return h ^ (h >>> 16)
}

/** Admits `perSecond` records a second, counted from the first question. The first record is due at once. */
export class Pace {
  readonly #clock: Clock
  readonly #perMs: number
  #startMs: number | undefined
  #taken = 0

  constructor(clock: Clock, perSecond: number) {
    this.#clock = clock
    this.#perMs = perSecond / 1000
  }
  admit(max: number): number {
    const nowMs = this.#clock.monotonic()
    this.#startMs ??= nowMs
    const due = Math.floor((nowMs - this.#startMs) * this.#perMs + 1e-6) + 1 - this.#taken
    return Math.max(0, Math.min(max, due))
  }
  took(records: number): void {
    this.#taken += records
  }
  /** When the next record is due, but not sooner than is worth a turn. */
  nextMs(): number {
    const dueMs = (this.#startMs ?? 0) + this.#taken / this.#perMs
    return Math.max(dueMs, this.#clock.monotonic() + WAKE_INTERVAL_MS_MIN)
  }
}
