/**
 * What an author passes to a window beside reduce and aggregate functions [W-22, W-23]: a lambda, or an object that knows its
 * context. Both are called when a window fires; `results` holds all records of the window, or the one result of the reduce or
 * aggregate function that runs before.
 */
import type { Collector, RichFunction, RuntimeContext } from './functions.ts'
import type { OutputTag } from './output-tag.ts'
import type {
  AggregatingState,
  AggregatingStateDescriptor,
  ListState,
  ListStateDescriptor,
  MapState,
  MapStateDescriptor,
  ReducingState,
  ReducingStateDescriptor,
  ValueState,
  ValueStateDescriptor,
} from './state.ts'
import type { TimeWindow } from './windows.ts'

/** Keyed state of one scope: of a key and window, or of a key. */
export interface KeyedStateStore {
  getState<T>(descriptor: ValueStateDescriptor<T>): ValueState<T>
  getListState<T>(descriptor: ListStateDescriptor<T>): ListState<T>
  getMapState<K extends string | number | boolean | bigint, V>(descriptor: MapStateDescriptor<K, V>): MapState<K, V>
  getReducingState<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T>
  getAggregatingState<I, A, O>(descriptor: AggregatingStateDescriptor<I, A, O>): AggregatingState<I, O>
}

/** What a {@link ProcessWindowFunction} may ask. One object that is reused: valid during the call only. */
export interface ProcessWindowContext<W = TimeWindow> {
  window(): W
  /** Milliseconds since 1970 by the task's clock. */
  currentProcessingTime(): number
  currentWatermark(): number
  /** State of this key and window; clear it in {@link ProcessWindowFunction.clear}. */
  windowState(): KeyedStateStore
  /** State of this key, shared by its windows. */
  globalState(): KeyedStateStore
  /** Emits to a side output with the window's last timestamp. */
  output<X>(tag: OutputTag<X>, value: X): void
}

/**
 * Called once per firing of a window of a key. What it returns is emitted after what it has given to `out`.
 *
 * @example
 * windowed.aggregate(count, (user, window, [n]) => [{ user, from: window.start, n }])
 */
export type WindowFunction<I, O, K, W = TimeWindow> = (
  key: K,
  window: W,
  results: Iterable<I>,
  out: Collector<O>,
) => Iterable<O> | void

/**
 * A window function with a life, a context and state.
 *
 * @example
 * class Median extends ProcessWindowFunction<number, number, string> {
 *   process(key: string, context: ProcessWindowContext, results: Iterable<number>, out: Collector<number>) {
 *     const sorted = [...results].sort((a, b) => a - b)
 *     out.collect(sorted[sorted.length >> 1])
 *   }
 * }
 */
export abstract class ProcessWindowFunction<I, O, K, W = TimeWindow> implements RichFunction {
  open(_context: RuntimeContext): void | Promise<void> {}
  abstract process(key: K, context: ProcessWindowContext<W>, results: Iterable<I>, out: Collector<O>): void
  /** The window is cleaned up: clear its `windowState`. */
  clear(_context: ProcessWindowContext<W>): void {}
  finish(): void {}
  close(): void | Promise<void> {}
}
