/**
 * Two streams that one operator reads, each with a type of its own [T-03]. Records of the two come in any order; event time is the least of
 * both. With keys they share state and timers.
 */
import type {
  CoFlatMapFunction,
  CoMapFunction,
  CoProcessFunction,
  KeyedCoProcessFunction,
} from '../core/co-functions.ts'
import { TailraceError } from '../core/errors.ts'
import type { Collector, Key, KeySelector } from '../core/functions.ts'
import type { Partitioner } from '../graph/model.ts'
import type { OperatorSpec } from '../graph/operator-spec.ts'
import type { CoOptions } from '../operators/co-calls.ts'
import { type DataStream, SingleOutputStreamOperator } from './data-stream.ts'
import type { StreamInput } from './graph-builder.ts'

type FlatMap<T, R> = (value: T, out: Collector<R>) => Iterable<R> | void

/**
 * @example
 * orders.connect(payments).map((order) => order.amount, (payment) => -payment.amount)
 */
export class ConnectedStreams<A, B> {
  readonly first: DataStream<A>
  readonly second: DataStream<B>

  /** @internal DataStream.connect makes them. */
  constructor(first: DataStream<A>, second: DataStream<B>) {
    this.first = first
    this.second = second
  }

  /**
   * Groups both by key: records of equal keys meet in one subtask, whichever stream they come from. Both functions must give the same type.
   *
   * @example
   * orders.connect(payments).keyBy((order) => order.customer, (payment) => payment.customer)
   */
  keyBy<const K extends Key>(first: KeySelector<A, K>, second: KeySelector<B, K>): KeyedConnectedStreams<A, B, K> {
    return new KeyedConnectedStreams(this.first, this.second, first, second)
  }

  /** One record out for each record of either: by two functions, or an object with `map1` and `map2`. */
  map<R1, R2 = R1>(fn: CoMapFunction<A, B, R1, R2>): SingleOutputStreamOperator<R1 | R2>
  map<R1, R2 = R1>(first: (value: A) => R1, second: (value: B) => R2): SingleOutputStreamOperator<R1 | R2>
  map(fn: any, second?: (value: B) => unknown): SingleOutputStreamOperator<any> {
    return this.run('Co-Map', { kind: 'map', fn: second === undefined ? fn : { map1: fn, map2: second } })
  }

  /** Any number of records out for each record of either: by two functions, or an object with `flatMap1` and `flatMap2`. */
  flatMap<R1, R2 = R1>(fn: CoFlatMapFunction<A, B, R1, R2>): SingleOutputStreamOperator<R1 | R2>
  flatMap<R1, R2 = R1>(first: FlatMap<A, R1>, second: FlatMap<B, R2>): SingleOutputStreamOperator<R1 | R2>
  flatMap(fn: any, second?: FlatMap<B, unknown>): SingleOutputStreamOperator<any> {
    return this.run('Co-Flat Map', {
      kind: 'flatMap',
      fn: second === undefined ? fn : { flatMap1: fn, flatMap2: second },
    })
  }

  /** Records, timestamps and side outputs of both; for state and timers {@link keyBy} first. */
  process<R>(fn: CoProcessFunction<A, B, R> & { onTimer?: never }): SingleOutputStreamOperator<R> {
    refuseTimers(fn)
    return this.run('Co-Process', { kind: 'process', fn })
  }

  /** @internal */
  protected run(name: string, options: CoOptions): SingleOutputStreamOperator<any> {
    return addTwoInput(name, { module: 'co-process', options }, this.first, this.second)
  }
}

/**
 * Two streams with a common key.
 *
 * @example
 * orders.keyBy((order) => order.customer).connect(payments.keyBy((payment) => payment.customer))
 */
export class KeyedConnectedStreams<A, B, K extends Key> extends ConnectedStreams<A, B> {
  readonly keyOf1: KeySelector<A, K>
  readonly keyOf2: KeySelector<B, K>

  /** @internal KeyedStream.connect and ConnectedStreams.keyBy make them. */
  constructor(first: DataStream<A>, second: DataStream<B>, keyOf1: KeySelector<A, K>, keyOf2: KeySelector<B, K>) {
    super(first, second)
    this.keyOf1 = keyOf1
    this.keyOf2 = keyOf2
  }

  /** Records of both with state and timers of their key. */
  override process<R>(fn: KeyedCoProcessFunction<K, A, B, R>): SingleOutputStreamOperator<R>
  override process<R>(fn: CoProcessFunction<A, B, R> & { onTimer?: never }): SingleOutputStreamOperator<R>
  override process<R>(
    fn: KeyedCoProcessFunction<K, A, B, R> | CoProcessFunction<A, B, R>,
  ): SingleOutputStreamOperator<R> {
    return this.run('Co-Keyed-Process', { kind: 'process', fn })
  }

  /** @internal Objects that map may have state of the key, too. */
  protected override run(name: string, options: CoOptions): SingleOutputStreamOperator<any> {
    const { keyOf1, keyOf2 } = this
    const spec = { module: 'keyed-co-process', options: { ...options, keyOf1, keyOf2 } }
    return addTwoInput(name, spec, partitioned(this.first, keyOf1), partitioned(this.second, keyOf2))
  }
}

/** An input whose records go by key. */
export function partitioned({ environment, inputs }: TwoInputSide, keyOf: (value: any) => Key): TwoInputSide {
  const partitioner: Partitioner = { kind: 'key', keyOf }
  return { environment, inputs: inputs.map((input) => ({ ...input, partitioner })) }
}

export interface TwoInputSide {
  readonly environment: DataStream<any>['environment']
  readonly inputs: readonly StreamInput[]
}

export function addTwoInput(
  name: string,
  spec: OperatorSpec,
  first: TwoInputSide,
  second: TwoInputSide,
): SingleOutputStreamOperator<any> {
  const { environment } = first
  const node = environment.builder.add({ name, spec, inputs: first.inputs, secondInputs: second.inputs })
  return new SingleOutputStreamOperator(environment, node)
}

/** For programs whose types were not checked. */
export function refuseTimers(fn: object): void {
  if (!('onTimer' in fn)) return
  throw new TailraceError(
    'TR-STATE-002',
    `Cannot run ${fn.constructor.name} on a stream that is not keyed: it has onTimer(); call keyBy() before process()`,
  )
}
