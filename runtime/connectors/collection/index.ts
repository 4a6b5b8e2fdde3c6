/**
 * Values that the program holds. Every thread that runs the program has them, so a split is only a range of their numbers.
 */
import { NO_TIMESTAMP } from '../../core/clock.ts'
import type { Source, SplitOutput } from '../../core/source.ts'
import { contiguousSplits, IndexedEnumerator, IndexedReader, type IndexedSplit } from '../indexed.ts'

/**
 * A bounded source of the given values, in their order; with a parallelism above 1 each subtask reads one run of them. The
 * program must make the same values each time it runs (env.once() keeps what would differ).
 *
 * Throws TypeError when a value is null or undefined.
 *
 * @example
 * env.fromSource(collectionSource(['to', 'be', 'or']), WatermarkStrategy.noWatermarks(), 'words')
 */
export function collectionSource<T>(values: Iterable<T>): Source<T, IndexedSplit, IndexedSplit[]> {
  const array: readonly T[] = Array.isArray(values) ? values : Array.from(values)
  for (let i = 0; i < array.length; i++) {
    if (array[i] === null || array[i] === undefined)
      throw new TypeError(`Cannot read the collection: value ${i} is ${String(array[i])}, a record must be something`)
  }
  return {
    boundedness: 'bounded',
    createEnumerator: (context) => new IndexedEnumerator(context, contiguousSplits(array.length, context.parallelism)),
    restoreEnumerator: (context, state) => new IndexedEnumerator(context, state),
    createReader: () => new CollectionReader(array),
    describe: () => `collection(${array.length} values)`,
  }
}

class CollectionReader<T> extends IndexedReader<T> {
  readonly #values: readonly T[]
  constructor(values: readonly T[]) {
    super()
    this.#values = values
  }
  protected override emit(split: IndexedSplit, output: SplitOutput<T>, max: number): void {
    const values = this.#values
    const end = Math.min(split.end, split.next + max * split.step)
    let i = split.next
    for (; i < end; i += split.step) output.collect(values[i]!, NO_TIMESTAMP)
    split.next = i
  }
}
