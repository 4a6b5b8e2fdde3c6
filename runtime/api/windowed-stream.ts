/**
 * Windows of a keyed stream: what happens to the records of a key and window when it ends.
 */
import { type Duration, durationMs } from '../core/duration.ts'
import { TailraceError } from '../core/errors.ts'
import type { AggregateFunction, Key } from '../core/functions.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type { ProcessWindowFunction, WindowFunction } from '../core/window-functions.ts'
import type { WindowAssigner } from '../core/windows.ts'
import type { SingleOutputStreamOperator } from './data-stream.ts'
import { type ComparableField, extremeBy, extremeOf, type NumericField, sumOf } from './field-functions.ts'
import type { KeyedStream } from './keyed-stream.ts'

/** Incremental window functions have no life of their own [W-22]; what needs one goes into the function that runs at the end. */
export type WindowReduceFunction<T> = ((a: T, b: T) => T) | { reduce(a: T, b: T): T }

/**
 * A keyed stream cut into windows. Results carry the last timestamp of their window.
 *
 * @example
 * clicks
 *   .keyBy((click) => click.page)
 *   .window(TumblingEventTimeWindows.of('1 min'))
 *   .aggregate(count, (page, window, [n]) => [{ page, from: window.start, n }])
 */
export class WindowedStream<T, K extends Key> {
  readonly #stream: KeyedStream<T, K>
  readonly #assigner: WindowAssigner
  #allowedLatenessMs = 0
  #lateTag: string | undefined

  /** @internal KeyedStream.window makes them. */
  constructor(stream: KeyedStream<T, K>, assigner: WindowAssigner) {
    this.#stream = stream
    this.#assigner = assigner
  }

  /** How long after its end a window still takes records; each one fires it again with the whole result. */
  allowedLateness(lateness: Duration): this {
    const latenessMs = durationMs(lateness)
    if (!(latenessMs >= 0)) {
      throw new TailraceError('TR-GRAPH-005', `Cannot allow a lateness of ${lateness}: 0 or more is wanted`)
    }
    this.#allowedLatenessMs = latenessMs
    return this
  }

  /** Sends records that come too late to a side output of the result, instead of counting and dropping them. */
  sideOutputLateData(tag: OutputTag<T>): this {
    this.#lateTag = tag.id
    return this
  }

  /** Combines the records of a window as they come; with a second function to see the result with its key and window. */
  reduce(fn: WindowReduceFunction<T>): SingleOutputStreamOperator<T>
  reduce<R>(
    fn: WindowReduceFunction<T>,
    windowFn: WindowFunction<T, R, K> | ProcessWindowFunction<T, R, K>,
  ): SingleOutputStreamOperator<R>
  reduce<R>(
    fn: WindowReduceFunction<T>,
    windowFn?: WindowFunction<T, R, K> | ProcessWindowFunction<T, R, K>,
  ): SingleOutputStreamOperator<R> {
    refuseLife(fn, 'reduce')
    return this.#apply({ kind: 'reduce', reduce: fn, windowFn })
  }

  /** Adds records to an accumulator as they come; state is one accumulator per key and window. */
  aggregate<A, R>(fn: AggregateFunction<T, A, R>): SingleOutputStreamOperator<R>
  aggregate<A, V, R>(
    fn: AggregateFunction<T, A, V>,
    windowFn: WindowFunction<V, R, K> | ProcessWindowFunction<V, R, K>,
  ): SingleOutputStreamOperator<R>
  aggregate<A, V, R>(
    fn: AggregateFunction<T, A, V>,
    windowFn?: WindowFunction<V, R, K> | ProcessWindowFunction<V, R, K>,
  ): SingleOutputStreamOperator<R> {
    refuseLife(fn, 'aggregate')
    return this.#apply({ kind: 'aggregate', aggregate: fn, windowFn })
  }

  /** Keeps all records of a window and gives them to the function at its end. Prefer aggregate where that can do it. */
  process<R>(fn: ProcessWindowFunction<T, R, K>): SingleOutputStreamOperator<R>
  process<R>(fn: WindowFunction<T, R, K>): SingleOutputStreamOperator<R>
  process<R>(fn: WindowFunction<T, R, K> | ProcessWindowFunction<T, R, K>): SingleOutputStreamOperator<R> {
    return this.#apply({ kind: 'process', windowFn: fn })
  }

  /** Flink's name for {@link process} with a lambda. */
  apply<R>(fn: WindowFunction<T, R, K>): SingleOutputStreamOperator<R> {
    return this.process(fn)
  }

  /** Sum of a field over the window; the other fields are those of its first record. See KeyedStream.sum. */
  sum(this: WindowedStream<number, K> | WindowedStream<bigint, K>): SingleOutputStreamOperator<T>
  sum(field: NumericField<T>): SingleOutputStreamOperator<T>
  sum(field?: any): SingleOutputStreamOperator<T> {
    return this.#apply({ kind: 'reduce', reduce: sumOf<T>(field), field })
  }
  min(
    this: WindowedStream<number, K> | WindowedStream<bigint, K> | WindowedStream<string, K>,
  ): SingleOutputStreamOperator<T>
  min(field: ComparableField<T>): SingleOutputStreamOperator<T>
  min(field?: any): SingleOutputStreamOperator<T> {
    return this.#apply({ kind: 'reduce', reduce: extremeOf<T>('min', field), field })
  }
  max(
    this: WindowedStream<number, K> | WindowedStream<bigint, K> | WindowedStream<string, K>,
  ): SingleOutputStreamOperator<T>
  max(field: ComparableField<T>): SingleOutputStreamOperator<T>
  max(field?: any): SingleOutputStreamOperator<T> {
    return this.#apply({ kind: 'reduce', reduce: extremeOf<T>('max', field), field })
  }
  /** The record with the smallest value in the window; of equal ones the first, or with `first` false the last. */
  minBy(field: ComparableField<T>, first = true): SingleOutputStreamOperator<T> {
    return this.#apply({ kind: 'reduce', reduce: extremeBy<T>('min', field, first), field, first })
  }
  maxBy(field: ComparableField<T>, first = true): SingleOutputStreamOperator<T> {
    return this.#apply({ kind: 'reduce', reduce: extremeBy<T>('max', field, first), field, first })
  }

  #apply<R>(options: object): SingleOutputStreamOperator<R> {
    const { time, sizeMs } = this.#assigner
    const name = time === 'event' ? 'TumblingEventTimeWindows' : 'TumblingProcessingTimeWindows'
    return this.#stream
      .transform<R>(name, {
        module: 'window',
        options: {
          assigner: this.#assigner,
          keyOf: this.#stream.keyOf,
          allowedLatenessMs: this.#allowedLatenessMs,
          lateTag: this.#lateTag,
          ...options,
        },
      })
      .setDescription(`${name}(${sizeMs} ms)`)
  }
}

function refuseLife(fn: object, where: string): void {
  if (typeof fn === 'function' || !('open' in fn || 'finish' in fn || 'close' in fn)) return
  throw new TypeError(
    `Cannot ${where} windows with a function that has open(), finish() or close(): put these into the window function given beside it`,
  )
}
