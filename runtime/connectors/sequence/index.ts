/**
 * Whole numbers in order.
 */
import { NO_TIMESTAMP } from '../../core/clock.ts'
import type { Source, SplitOutput } from '../../core/source.ts'
import { contiguousSplits, IndexedEnumerator, IndexedReader, type IndexedSplit } from '../indexed.ts'

/**
 * A bounded source of the whole numbers from `from` to `to`, both included; each subtask reads one run of them.
 *
 * Throws RangeError when a bound is no safe integer. An empty range gives an empty source.
 *
 * @example
 * env.fromSource(sequenceSource(1, 1000), WatermarkStrategy.noWatermarks(), 'numbers')
 */
export function sequenceSource(from: number, to: number): Source<number, IndexedSplit, IndexedSplit[]> {
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to))
    throw new RangeError(`Cannot count from ${from} to ${to}: both must be whole numbers below 2^53`)
  const count = Math.max(0, to - from + 1)
  return {
    boundedness: 'bounded',
    createEnumerator: (context) => new IndexedEnumerator(context, contiguousSplits(count, context.parallelism)),
    restoreEnumerator: (context, state) => new IndexedEnumerator(context, state),
    createReader: () => new SequenceReader(from),
    describe: () => `sequence(${from} to ${to})`,
  }
}

class SequenceReader extends IndexedReader<number> {
  readonly #from: number
  constructor(from: number) {
    super()
    this.#from = from
  }
  protected override emit(split: IndexedSplit, output: SplitOutput<number>, max: number): void {
    const from = this.#from
    const end = Math.min(split.end, split.next + max * split.step)
    let i = split.next
    for (; i < end; i += split.step) output.collect(from + i, NO_TIMESTAMP)
    split.next = i
  }
}
