/**
 * What an author passes to a stream: a lambda, or an object (or class) with a life: open → calls → close.
 */
import type { Counter, MetricGroup } from './metrics.ts'
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

export interface TaskInfo {
  readonly taskName: string
  readonly operatorName: string
  /** From 0. */
  readonly subtaskIndex: number
  readonly parallelism: number
  readonly maxParallelism: number
  /** From 0. */
  readonly attemptNumber: number
}

/** What a function knows of the place where it runs. Given to `open`. */
export interface RuntimeContext {
  readonly task: TaskInfo
  /** Job parameters: `--name value` of the command line and what the program set. */
  readonly parameters: Readonly<Record<string, string>>
  readonly metrics: MetricGroup
  /** A counter that is summed over all subtasks into the job's result. */
  accumulator(name: string): Counter
  /** Keyed state; throws TR-STATE-002 when the stream is not keyed. */
  getState<T>(descriptor: ValueStateDescriptor<T>): ValueState<T>
  getListState<T>(descriptor: ListStateDescriptor<T>): ListState<T>
  getMapState<K extends string | number | boolean | bigint, V>(descriptor: MapStateDescriptor<K, V>): MapState<K, V>
  getReducingState<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T>
  getAggregatingState<I, A, O>(descriptor: AggregatingStateDescriptor<I, A, O>): AggregatingState<I, O>
}

/** Life of a function object. */
export interface RichFunction {
  open?(context: RuntimeContext): void | Promise<void>
  /** After the last record of a bounded input, before close. */
  finish?(): void
  /** Always called once after open, also when the task failed. */
  close?(): void | Promise<void>
}

/** Takes results. The value must not be null or undefined. */
export interface Collector<T> {
  collect(value: T): void
}

export type MapFunction<T, R> = ((value: T) => R) | (RichFunction & { map(value: T): R })
export type FilterFunction<T> = ((value: T) => boolean) | (RichFunction & { filter(value: T): boolean })
export type FlatMapFunction<T, R> =
  | ((value: T, out: Collector<R>) => Iterable<R> | void)
  | (RichFunction & { flatMap(value: T, out: Collector<R>): Iterable<R> | void })
export type ReduceFunction<T> = ((a: T, b: T) => T) | (RichFunction & { reduce(a: T, b: T): T })
export type KeySelector<T, K> = (value: T) => K

/** Values that can be keys; tuples of them too. Equal by value; see core/hash.ts. */
export type Key = boolean | number | bigint | string | Uint8Array | readonly Key[]

export interface TimerService {
  /** Milliseconds since 1970 by the task's clock. */
  currentProcessingTime(): number
  /** -Infinity before the first watermark, Infinity at the end of the input. */
  currentWatermark(): number
  registerEventTimeTimer(timestampMs: number): void
  registerProcessingTimeTimer(timestampMs: number): void
  deleteEventTimeTimer(timestampMs: number): void
  deleteProcessingTimeTimer(timestampMs: number): void
}

export interface ProcessContext {
  /** Milliseconds; null when the record has none, and in a processing-time timer. */
  timestamp(): number | null
  readonly timerService: TimerService
  /** Emits to a side output with the current timestamp. */
  output<X>(tag: OutputTag<X>, value: X): void
}

export interface KeyedProcessContext<K> extends ProcessContext {
  getCurrentKey(): K
}

export interface OnTimerContext<K> extends KeyedProcessContext<K> {
  readonly timeDomain: 'event' | 'processing'
}

/** One record in, any number out. On a stream that is not keyed timers throw TR-STATE-002. */
export abstract class ProcessFunction<I, O> implements RichFunction {
  open(_context: RuntimeContext): void | Promise<void> {}
  abstract processElement(value: I, context: ProcessContext, out: Collector<O>): void
  finish(): void {}
  close(): void | Promise<void> {}
}

/**
 * One record in, any number out, with state and timers of the record's key. `processElement` and `onTimer` never run at once.
 *
 * @example
 * class CountPerUser extends KeyedProcessFunction<string, Click, { user: string; n: number }> {
 *   #count!: ValueState<number>
 *   open(context: RuntimeContext) {
 *     this.#count = context.getState(new ValueStateDescriptor<number>('count'))
 *   }
 *   processElement(click: Click, context: KeyedProcessContext<string>, out: Collector<{ user: string; n: number }>) {
 *     const n = (this.#count.value() ?? 0) + 1
 *     this.#count.update(n)
 *     out.collect({ user: context.getCurrentKey(), n })
 *   }
 * }
 */
export abstract class KeyedProcessFunction<K, I, O> implements RichFunction {
  open(_context: RuntimeContext): void | Promise<void> {}
  abstract processElement(value: I, context: KeyedProcessContext<K>, out: Collector<O>): void
  onTimer(_timestampMs: number, _context: OnTimerContext<K>, _out: Collector<O>): void {}
  finish(): void {}
  close(): void | Promise<void> {}
}

/** Incremental aggregation: `add` may change and return its accumulator. `merge` is needed by merging windows only. */
export interface AggregateFunction<I, A, O> {
  createAccumulator(): A
  add(value: I, accumulator: A): A
  getResult(accumulator: A): O
  merge?(a: A, b: A): A
}
