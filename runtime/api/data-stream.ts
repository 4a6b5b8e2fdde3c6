/**
 * Streams as the author writes them. A stream is one or more outputs of operators, with how the next operator will read them; each
 * method adds a node to the environment's graph and nothing runs before execute.
 */

import type { Duration } from '../core/duration.ts'
import { TailraceError } from '../core/errors.ts'
import type {
  FilterFunction,
  FlatMapFunction,
  Key,
  KeySelector,
  MapFunction,
  ProcessFunction,
} from '../core/functions.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type { Sink } from '../core/sink.ts'
import type { MapStateDescriptor } from '../core/state.ts'
import { type Type, types } from '../core/types.ts'
import type { WatermarkStrategy } from '../core/watermarks.ts'
import type { LogicalNode, Partitioner } from '../graph/model.ts'
import type { OperatorSpec } from '../graph/operator-spec.ts'
import { BroadcastConnectedStream, BroadcastStream } from './broadcast-stream.ts'
import { collect, collectAsync } from './collect.ts'
import { ConnectedStreams } from './connected-streams.ts'
import { DataStreamSink } from './data-stream-sink.ts'
import type { StreamExecutionEnvironment } from './environment.ts'
import { checkSameEnvironment, type StreamInput } from './graph-builder.ts'
import type { KeyedStream } from './keyed-stream.ts'
import {
  setBufferTimeout,
  setMaxParallelism,
  setName,
  setParallelism,
  setSlotSharingGroup,
  setUid,
} from './node-settings.ts'

type MakeKeyedStream = <T, K extends Key>(
  environment: StreamExecutionEnvironment,
  inputs: readonly StreamInput[],
  keyOf: KeySelector<T, K>,
) => KeyedStream<T, K>

let makeKeyedStream: MakeKeyedStream

/** @internal KeyedStream extends DataStream, so this file cannot import it: keyed-stream.ts calls this. */
export function setKeyedStream(make: MakeKeyedStream): void {
  makeKeyedStream = make
}

/**
 * A stream of records of type T.
 *
 * @example
 * const env = StreamExecutionEnvironment.getExecutionEnvironment()
 * env.fromData('a b', 'b').flatMap((line) => line.split(' ')).map((word) => ({ word, n: 1 })).print()
 * await env.execute('words')
 */
export class DataStream<T> {
  readonly environment: StreamExecutionEnvironment
  /** @internal */
  readonly inputs: readonly StreamInput[]

  /** @internal Environments and streams make streams. */
  constructor(environment: StreamExecutionEnvironment, inputs: readonly StreamInput[]) {
    this.environment = environment
    this.inputs = inputs
  }

  /** One record out for each record in. */
  map<R>(fn: MapFunction<T, R>): SingleOutputStreamOperator<R> {
    return this.transform('Map', { module: 'map', options: { fn } })
  }

  /** Passes the records for which the function gives true. */
  filter<S extends T>(fn: (value: T) => value is S): SingleOutputStreamOperator<S>
  filter(fn: FilterFunction<T>): SingleOutputStreamOperator<T>
  filter(fn: FilterFunction<T>): SingleOutputStreamOperator<T> {
    return this.transform('Filter', { module: 'filter', options: { fn } })
  }

  /**
   * Any number of records out for each record in: returned, or given to `out`.
   *
   * @example
   * lines.flatMap((line) => line.split(' '))
   * lines.flatMap<string>((line, out) => { for (const word of line.split(' ')) out.collect(word) })
   */
  flatMap<R>(fn: FlatMapFunction<T, R>): SingleOutputStreamOperator<R> {
    return this.transform('Flat Map', { module: 'flat-map', options: { fn } })
  }

  /** Records, timestamps and side outputs; for state and timers {@link keyBy} first. */
  process<R>(fn: ProcessFunction<T, R>): SingleOutputStreamOperator<R> {
    if ('onTimer' in fn) {
      throw new TailraceError(
        'TR-STATE-002',
        `Cannot run ${fn.constructor.name} on a stream that is not keyed: it has onTimer(); call keyBy() before process()`,
      )
    }
    return this.transform('Process', { module: 'process', options: { fn } })
  }

  /**
   * Groups records by key: all records of a key meet in one subtask. Keys are booleans, numbers other than NaN, bigints, strings,
   * Uint8Arrays and arrays of these, compared by value.
   *
   * @example
   * clicks.keyBy((click) => [click.page, click.user])
   */
  keyBy<const K extends Key>(keyOf: KeySelector<T, K>): KeyedStream<T, K> {
    return makeKeyedStream(this.environment, this.inputs, keyOf)
  }

  /** The records of all, in no order among streams. A stream united with itself gives each record twice. */
  union(...others: DataStream<T>[]): DataStream<T> {
    for (const other of others) checkSameEnvironment('unite', this.environment, other.environment)
    return new DataStream(this.environment, [...this.inputs, ...others.flatMap((other) => other.inputs)])
  }

  /**
   * Two streams for one operator, each with its own type; they may share state. With a broadcast stream: every subtask gets all records of it.
   *
   * @example
   * orders.connect(payments).map((order) => order.amount, (payment) => -payment.amount)
   */
  connect<U>(other: BroadcastStream<U>): BroadcastConnectedStream<T, U>
  connect<U>(other: DataStream<U>): ConnectedStreams<T, U>
  connect<U>(other: BroadcastStream<U> | DataStream<U>): BroadcastConnectedStream<T, U> | ConnectedStreams<T, U> {
    checkSameEnvironment('connect', this.environment, other.environment)
    return 'descriptors' in other ? new BroadcastConnectedStream(this, other) : new ConnectedStreams(this, other)
  }

  /** Sets event time in the middle of a stream; at a source, give the strategy to fromSource. */
  assignTimestampsAndWatermarks(strategy: WatermarkStrategy<T>): SingleOutputStreamOperator<T> {
    return this.transform('Timestamps/Watermarks', { module: 'timestamps', options: { strategy } })
  }

  /** To the subtask of the same index; the parallelism of both sides must be equal. */
  forward(): DataStream<T> {
    return this.#partition({ kind: 'forward' })
  }
  /** To all subtasks in turn. */
  rebalance(): DataStream<T> {
    return this.#partition({ kind: 'rebalance' })
  }
  /** To the subtasks of the own group in turn: from 2 to 6, each sender serves 3. */
  rescale(): DataStream<T> {
    return this.#partition({ kind: 'rescale' })
  }
  /** To a random subtask. */
  shuffle(): DataStream<T> {
    return this.#partition({ kind: 'shuffle' })
  }
  /**
   * To every subtask. With descriptors: a stream to {@link connect} to, whose records every subtask keeps in the states that they describe.
   *
   * @example
   * const blocked = new MapStateDescriptor<string, boolean>('blocked')
   * clicks.connect(lines.broadcast(blocked))
   */
  broadcast(): DataStream<T>
  broadcast(...descriptors: [MapStateDescriptor<any, any>, ...MapStateDescriptor<any, any>[]]): BroadcastStream<T>
  broadcast(...descriptors: MapStateDescriptor<any, any>[]): DataStream<T> | BroadcastStream<T> {
    const all = this.#partition({ kind: 'broadcast' })
    return descriptors.length === 0 ? all : new BroadcastStream(this.environment, all.inputs, descriptors)
  }
  /** To the first subtask. */
  global(): DataStream<T> {
    return this.#partition({ kind: 'global' })
  }
  /**
   * To the subtask that `partition` names, from 0 to `channels` - 1. The key comes first, against Flink's order, so that its type
   * is known in `partition`.
   */
  partitionCustom<K>(keyOf: (value: T) => K, partition: (key: K, channels: number) => number): DataStream<T> {
    return this.#partition({ kind: 'custom', keyOf, partition })
  }

  #partition(partitioner: Partitioner): DataStream<T> {
    return new DataStream(
      this.environment,
      this.inputs.map((input) => ({ ...input, partitioner })),
    )
  }

  sinkTo(sink: Sink<T>): DataStreamSink {
    const { builder } = this.environment
    const writer = builder.add({
      name: 'Writer',
      spec: { module: 'sink', options: { sink } },
      inputs: this.inputs,
      isSink: true,
    })
    if (sink.createGlobalCommitter === undefined) return new DataStreamSink(writer)
    // Reports of committables: each of its own shape.
    writer.outputType = types.any().description
    const committer = builder.add({
      name: 'Global Committer',
      spec: { module: 'global-committer', options: { sink } },
      inputs: [{ node: writer, tag: undefined, partitioner: { kind: 'global' } }],
      isSink: true,
      forceNonParallel: true,
    })
    return new DataStreamSink(writer, committer)
  }

  /** One line per record on standard output; with `n> ` before it when there are several subtasks, counted from 1. */
  print(prefix?: string): DataStreamSink {
    return this.#end('Print to Std. Out', { module: 'print', options: { stream: 'stdout', prefix } })
  }
  printToErr(prefix?: string): DataStreamSink {
    return this.#end('Print to Std. Err', { module: 'print', options: { stream: 'stderr', prefix } })
  }

  #end(name: string, spec: OperatorSpec): DataStreamSink {
    return new DataStreamSink(this.environment.builder.add({ name, spec, inputs: this.inputs, isSink: true }))
  }

  /** An operator of an own module; for extensions. */
  transform<R>(name: string, spec: OperatorSpec): SingleOutputStreamOperator<R> {
    const node = this.environment.builder.add({ name, spec, inputs: this.inputs })
    return new SingleOutputStreamOperator(this.environment, node)
  }

  /**
   * Runs the job and gives the records of this stream; at most `limit`, then the job is cancelled. For bounded streams, or with a
   * limit.
   *
   * @example
   * await env.fromData(1, 2).map((n) => n * 2).executeAndCollect() // [2, 4]
   */
  executeAndCollect(limit?: number): Promise<T[]>
  executeAndCollect(jobName: string, limit?: number): Promise<T[]>
  executeAndCollect(a?: number | string, b?: number): Promise<T[]> {
    return typeof a === 'string' ? collect(this, a, b) : collect(this, undefined, a)
  }

  /** Runs the job at the first `next()` and gives its records as they come; ending the loop cancels the job. */
  collectAsync(jobName?: string): AsyncIterable<T> {
    return collectAsync(this, jobName)
  }
}

/** A stream that one operator makes. Its methods set that operator. */
export class SingleOutputStreamOperator<T> extends DataStream<T> {
  readonly #node: LogicalNode

  /** @internal */
  constructor(environment: StreamExecutionEnvironment, node: LogicalNode) {
    super(environment, [{ node, tag: undefined, partitioner: { kind: 'auto' } }])
    this.#node = node
  }

  /** What the operator emits under this tag. */
  getSideOutput<X>(tag: OutputTag<X>): DataStream<X> {
    return new DataStream(this.environment, [{ node: this.#node, tag: tag.id, partitioner: { kind: 'auto' } }])
  }

  /** Shown in the plan, the page, metrics and errors. */
  name(name: string): this {
    setName(this.#node, name)
    return this
  }
  /** State is found again under it, whatever becomes of the graph around; unique in the job. */
  uid(uid: string): this {
    setUid(this.#node, uid)
    return this
  }
  setDescription(description: string): this {
    this.#node.description = description
    return this
  }
  setParallelism(parallelism: number): this {
    setParallelism(this.#node, parallelism)
    return this
  }
  /** The number of key groups: how far the operator can ever be scaled while keeping its state. */
  setMaxParallelism(maxParallelism: number): this {
    setMaxParallelism(this.#node, maxParallelism)
    return this
  }
  /** Operators of different groups never share a slot. */
  slotSharingGroup(group: string): this {
    setSlotSharingGroup(this.#node, group)
    return this
  }
  /** Runs the operator in a task of its own. */
  disableChaining(): this {
    this.#node.chaining = 'never'
    return this
  }
  /** The operator begins a task; what follows may be chained to it. */
  startNewChain(): this {
    this.#node.chaining = 'head'
    return this
  }
  /** How long records wait for others before they are sent on; 0 sends each at once, -1 full batches only. */
  setBufferTimeout(timeout: Duration): this {
    setBufferTimeout(this.#node, timeout)
    return this
  }
  /** Declares the type of the records, instead of having it inferred from the first ones. */
  returns<R extends T>(type: Type<R>): SingleOutputStreamOperator<R> {
    this.#node.outputType = type.description
    return this as unknown as SingleOutputStreamOperator<R>
  }
}
