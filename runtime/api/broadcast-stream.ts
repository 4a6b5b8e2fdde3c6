/**
 * Streams of which every subtask gets all records, and what they are connected to [B-01, B-02].
 */
import type { BroadcastProcessFunction, KeyedBroadcastProcessFunction } from '../core/broadcast-functions.ts'
import type { Key, KeySelector } from '../core/functions.ts'
import type { MapStateDescriptor } from '../core/state.ts'
import type { OperatorSpec } from '../graph/operator-spec.ts'
import { addTwoInput, refuseTimers } from './connected-streams.ts'
import type { DataStream, SingleOutputStreamOperator } from './data-stream.ts'
import type { StreamExecutionEnvironment } from './environment.ts'
import type { StreamInput } from './graph-builder.ts'

/** A stream with the states in which every subtask of the operator behind `connect` keeps what it makes of the records. */
export class BroadcastStream<T> {
  readonly environment: StreamExecutionEnvironment
  /** @internal */
  readonly inputs: readonly StreamInput[]
  readonly descriptors: readonly MapStateDescriptor<any, any>[]
  /** Never set; keeps T for inference. */
  readonly _type?: T

  /** @internal DataStream.broadcast makes them. */
  constructor(
    environment: StreamExecutionEnvironment,
    inputs: readonly StreamInput[],
    descriptors: readonly MapStateDescriptor<any, any>[],
  ) {
    for (const { name, ttl } of descriptors) {
      if (ttl === undefined) continue
      throw new TypeError(
        `Cannot broadcast into state "${name}" with a time to live: every subtask has a copy, and copies must not expire one after the other; remove what is old by a record`,
      )
    }
    this.environment = environment
    this.inputs = inputs
    this.descriptors = descriptors
  }
}

/**
 * A stream and a broadcast one; see {@link BroadcastProcessFunction}.
 */
export class BroadcastConnectedStream<A, B> {
  readonly first: DataStream<A>
  readonly second: BroadcastStream<B>

  /** @internal DataStream.connect makes them. */
  constructor(first: DataStream<A>, second: BroadcastStream<B>) {
    this.first = first
    this.second = second
  }

  /** Records against broadcast state; for state and timers of a key, key the stream before {@link DataStream.connect}. */
  process<R>(fn: BroadcastProcessFunction<A, B, R> & { onTimer?: never }): SingleOutputStreamOperator<R> {
    refuseTimers(fn)
    return this.run('Co-Process-Broadcast', { module: 'broadcast-process', options: { fn } })
  }

  /** @internal */
  protected run(name: string, { module, options }: OperatorSpec): SingleOutputStreamOperator<any> {
    const { descriptors } = this.second
    return addTwoInput(name, { module, options: { ...options, descriptors } }, this.first, this.second)
  }
}

/** A keyed stream and a broadcast one. */
export class KeyedBroadcastConnectedStream<A, B, K extends Key> extends BroadcastConnectedStream<A, B> {
  readonly keyOf: KeySelector<A, K>

  /** @internal KeyedStream.connect makes them. */
  constructor(first: DataStream<A>, second: BroadcastStream<B>, keyOf: KeySelector<A, K>) {
    super(first, second)
    this.keyOf = keyOf
  }

  /** Records with state and timers of their key against broadcast state. */
  override process<R>(fn: KeyedBroadcastProcessFunction<K, A, B, R>): SingleOutputStreamOperator<R>
  override process<R>(fn: BroadcastProcessFunction<A, B, R> & { onTimer?: never }): SingleOutputStreamOperator<R>
  override process<R>(
    fn: KeyedBroadcastProcessFunction<K, A, B, R> | BroadcastProcessFunction<A, B, R>,
  ): SingleOutputStreamOperator<R> {
    const options = { fn, keyOf: this.keyOf }
    return this.run('Co-Process-Broadcast-Keyed', { module: 'keyed-broadcast-process', options })
  }
}
