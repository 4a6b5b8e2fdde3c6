/**
 * Streams grouped by key: state, timers, rolling aggregates and windows of each key.
 */
import type { Key, KeyedProcessFunction, KeySelector, ProcessFunction, ReduceFunction } from '../core/functions.ts'
import type { WindowAssigner } from '../core/windows.ts'
import { type BroadcastStream, KeyedBroadcastConnectedStream } from './broadcast-stream.ts'
import { ConnectedStreams, KeyedConnectedStreams } from './connected-streams.ts'
import { DataStream, type SingleOutputStreamOperator, setKeyedStream } from './data-stream.ts'
import type { StreamExecutionEnvironment } from './environment.ts'
import { type ComparableField, extremeBy, extremeOf, type NumericField, sumOf } from './field-functions.ts'
import { checkSameEnvironment, type StreamInput } from './graph-builder.ts'
import { WindowedStream } from './windowed-stream.ts'

/** A stream that is not keyed: one with keys of another type must not be taken for it. */
type WithoutKey<T> = DataStream<T> & { readonly keyOf?: never }

/**
 * A stream of which all records of a key meet in one subtask.
 *
 * @example
 * orders.keyBy((order) => order.customer).sum('amount')
 */
export class KeyedStream<T, K extends Key> extends DataStream<T> {
  readonly keyOf: KeySelector<T, K>

  /** @internal keyBy makes keyed streams. */
  constructor(environment: StreamExecutionEnvironment, inputs: readonly StreamInput[], keyOf: KeySelector<T, K>) {
    super(
      environment,
      inputs.map((input) => ({ ...input, partitioner: { kind: 'key' as const, keyOf } })),
    )
    this.keyOf = keyOf
  }

  /** Records with state and timers of their key. */
  override process<R>(fn: KeyedProcessFunction<K, T, R>): SingleOutputStreamOperator<R>
  override process<R>(fn: ProcessFunction<T, R> & { onTimer?: never }): SingleOutputStreamOperator<R>
  override process<R>(fn: KeyedProcessFunction<K, T, R> | ProcessFunction<T, R>): SingleOutputStreamOperator<R> {
    return this.transform('KeyedProcess', { module: 'keyed-process', options: { fn, keyOf: this.keyOf } })
  }

  /** Combines each record with the last result of its key and emits every result; a key's first record is its first result. */
  reduce(fn: ReduceFunction<T>): SingleOutputStreamOperator<T> {
    return this.#rolling('Keyed Reduce', { reduce: fn })
  }

  /** Sum of a field so far; the other fields are those of the key's first record. Without a field: of the numbers themselves. */
  sum(this: KeyedStream<number, K> | KeyedStream<bigint, K>): SingleOutputStreamOperator<T>
  sum(field: NumericField<T>): SingleOutputStreamOperator<T>
  sum(field?: any): SingleOutputStreamOperator<T> {
    return this.#rolling('Keyed Sum', { reduce: sumOf<T>(field), field })
  }
  /** Smallest value of a field so far; the other fields are those of the key's first record. See {@link minBy}. */
  min(this: KeyedStream<number, K> | KeyedStream<bigint, K> | KeyedStream<string, K>): SingleOutputStreamOperator<T>
  min(field: ComparableField<T>): SingleOutputStreamOperator<T>
  min(field?: any): SingleOutputStreamOperator<T> {
    return this.#rolling('Keyed Min', { reduce: extremeOf<T>('min', field), field })
  }
  max(this: KeyedStream<number, K> | KeyedStream<bigint, K> | KeyedStream<string, K>): SingleOutputStreamOperator<T>
  max(field: ComparableField<T>): SingleOutputStreamOperator<T>
  max(field?: any): SingleOutputStreamOperator<T> {
    return this.#rolling('Keyed Max', { reduce: extremeOf<T>('max', field), field })
  }
  /** The record with the smallest value so far; of equal ones the first, or with `first` false the last. */
  minBy(field: ComparableField<T>, first = true): SingleOutputStreamOperator<T> {
    return this.#rolling('Keyed MinBy', { reduce: extremeBy<T>('min', field, first), field, first })
  }
  maxBy(field: ComparableField<T>, first = true): SingleOutputStreamOperator<T> {
    return this.#rolling('Keyed MaxBy', { reduce: extremeBy<T>('max', field, first), field, first })
  }

  /**
   * With another keyed stream: records of equal keys meet, and share state and timers; both key selectors must give the same type. With a
   * broadcast stream: every subtask gets all records of it. With any other stream: two inputs without a common key.
   */
  override connect<U>(other: BroadcastStream<U>): KeyedBroadcastConnectedStream<T, U, K>
  override connect<U>(other: KeyedStream<U, K>): KeyedConnectedStreams<T, U, K>
  override connect<U>(other: WithoutKey<U>): ConnectedStreams<T, U>
  override connect(other: any): any {
    checkSameEnvironment('connect', this.environment, other.environment)
    if ('descriptors' in other) return new KeyedBroadcastConnectedStream(this, other, this.keyOf)
    if ('keyOf' in other) return new KeyedConnectedStreams(this, other, this.keyOf, other.keyOf)
    return new ConnectedStreams(this, other)
  }

  /** Cuts the records of each key into windows. */
  window(assigner: WindowAssigner): WindowedStream<T, K> {
    return new WindowedStream(this, assigner)
  }

  /** `field` and `first` stand beside the function for the plan: a generated function's text says less. */
  #rolling(
    name: string,
    options: { reduce: ReduceFunction<T>; field?: unknown; first?: boolean },
  ): SingleOutputStreamOperator<T> {
    return this.transform(name, { module: 'keyed-reduce', options: { ...options, keyOf: this.keyOf } })
  }
}

setKeyedStream((environment, inputs, keyOf) => new KeyedStream(environment, inputs, keyOf))
