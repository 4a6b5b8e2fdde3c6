/**
 * What an author passes to a stream that is connected with a broadcast one [B-01, B-02]: every subtask gets all records of the broadcast
 * side and keeps what it makes of them in broadcast state, which the other side reads.
 *
 * Copies of the state stay equal only if each subtask changes them by the same records: so the broadcast side alone may write. Broadcast
 * records of several senders may come in another order in each subtask [B-03]; what is written must not depend on it.
 */
import type { Collector, OnTimerContext, RichFunction, RuntimeContext, TimerService } from './functions.ts'
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

/** Kinds of values that can be keys of broadcast state. */
export type BroadcastKey = string | number | boolean | bigint

/** A map that is the same in all subtasks, as the side that is not broadcast sees it. Do not change the values that it gives. */
export interface ReadOnlyBroadcastState<K extends BroadcastKey, V> {
  get(key: K): V | undefined
  contains(key: K): boolean
  /** In the order in which the keys were put first. */
  entries(): Iterable<[K, V]>
  keys(): Iterable<K>
  values(): Iterable<V>
  isEmpty(): boolean
}

/** As the broadcast side sees it. */
export interface BroadcastState<K extends BroadcastKey, V> extends ReadOnlyBroadcastState<K, V> {
  put(key: K, value: V): void
  putAll(entries: Iterable<readonly [K, V]>): void
  remove(key: K): void
  clear(): void
}

/** What both sides may ask. One object that is reused: valid during the call only. */
export interface BroadcastBaseContext {
  /** Milliseconds; null when the record has none. */
  timestamp(): number | null
  /** Milliseconds since 1970 by the task's clock. */
  currentProcessingTime(): number
  /** The least of both sides; -Infinity before the first, Infinity when both have ended. */
  currentWatermark(): number
  /** Emits to a side output with the current timestamp. */
  output<X>(tag: OutputTag<X>, value: X): void
}

/** In `processElement`: broadcast state can be read. */
export interface BroadcastReadContext extends BroadcastBaseContext {
  /** Throws TR-STATE-004 when `broadcast()` was not given the descriptor. */
  getBroadcastState<K extends BroadcastKey, V>(descriptor: MapStateDescriptor<K, V>): ReadOnlyBroadcastState<K, V>
}

/** In `processBroadcastElement`: broadcast state can be changed. */
export interface BroadcastWriteContext extends BroadcastBaseContext {
  /** Throws TR-STATE-004 when `broadcast()` was not given the descriptor. */
  getBroadcastState<K extends BroadcastKey, V>(descriptor: MapStateDescriptor<K, V>): BroadcastState<K, V>
}

export interface KeyedBroadcastReadContext<K> extends BroadcastReadContext {
  getCurrentKey(): K
  readonly timerService: TimerService
}

/** In `onTimer`. */
export interface BroadcastOnTimerContext<K> extends KeyedBroadcastReadContext<K> {
  readonly timeDomain: OnTimerContext<K>['timeDomain']
}

export interface KeyedBroadcastWriteContext<K> extends BroadcastWriteContext {
  /**
   * Calls `visit` for each key of this subtask that has this state, in no order. The state that it gets is the key's, to read and to change; other
   * states of the function are the key's, too, during the call. No record is processed meanwhile.
   */
  applyToKeyedState<T>(descriptor: ValueStateDescriptor<T>, visit: (key: K, state: ValueState<T>) => void): void
  applyToKeyedState<T>(descriptor: ListStateDescriptor<T>, visit: (key: K, state: ListState<T>) => void): void
  applyToKeyedState<MK extends BroadcastKey, MV>(
    descriptor: MapStateDescriptor<MK, MV>,
    visit: (key: K, state: MapState<MK, MV>) => void,
  ): void
  applyToKeyedState<T>(descriptor: ReducingStateDescriptor<T>, visit: (key: K, state: ReducingState<T>) => void): void
  applyToKeyedState<I, A, O>(
    descriptor: AggregatingStateDescriptor<I, A, O>,
    visit: (key: K, state: AggregatingState<I, O>) => void,
  ): void
}

/**
 * Records of a stream against broadcast state, without keys: any number of records out for each.
 *
 * @example
 * const blocked = new MapStateDescriptor<string, boolean>('blocked')
 * class Allowed extends BroadcastProcessFunction<Click, string, Click> {
 *   processElement(click: Click, context: BroadcastReadContext, out: Collector<Click>) {
 *     if (!context.getBroadcastState(blocked).contains(click.user)) out.collect(click)
 *   }
 *   processBroadcastElement(user: string, context: BroadcastWriteContext) {
 *     context.getBroadcastState(blocked).put(user, true)
 *   }
 * }
 * clicks.connect(lines.broadcast(blocked)).process(new Allowed())
 */
export abstract class BroadcastProcessFunction<A, B, R> implements RichFunction {
  open(_context: RuntimeContext): void | Promise<void> {}
  abstract processElement(value: A, context: BroadcastReadContext, out: Collector<R>): void
  abstract processBroadcastElement(value: B, context: BroadcastWriteContext, out: Collector<R>): void
  finish(): void {}
  close(): void | Promise<void> {}
}

/**
 * The same with state and timers of the record's key. The broadcast side has no key: it reaches keyed state by `applyToKeyedState`.
 *
 * @example
 * const limit = new MapStateDescriptor<string, number>('limit')
 * const total = new ValueStateDescriptor<number>('total')
 * class AboveLimit extends KeyedBroadcastProcessFunction<string, Order, number, string> {
 *   #total!: ValueState<number>
 *   open(context: RuntimeContext) {
 *     this.#total = context.getState(total)
 *   }
 *   processElement(order: Order, context: KeyedBroadcastReadContext<string>, out: Collector<string>) {
 *     const sum = (this.#total.value() ?? 0) + order.amount
 *     this.#total.update(sum)
 *     if (sum > (context.getBroadcastState(limit).get('now') ?? Infinity)) out.collect(context.getCurrentKey())
 *   }
 *   processBroadcastElement(now: number, context: KeyedBroadcastWriteContext<string>, out: Collector<string>) {
 *     context.getBroadcastState(limit).put('now', now)
 *     context.applyToKeyedState(total, (customer, sum) => {
 *       if (sum.value()! > now) out.collect(customer)
 *     })
 *   }
 * }
 * orders.keyBy((order) => order.customer).connect(numbers.broadcast(limit)).process(new AboveLimit())
 */
export abstract class KeyedBroadcastProcessFunction<K, A, B, R> implements RichFunction {
  open(_context: RuntimeContext): void | Promise<void> {}
  abstract processElement(value: A, context: KeyedBroadcastReadContext<K>, out: Collector<R>): void
  abstract processBroadcastElement(value: B, context: KeyedBroadcastWriteContext<K>, out: Collector<R>): void
  onTimer(_timestampMs: number, _context: BroadcastOnTimerContext<K>, _out: Collector<R>): void {}
  finish(): void {}
  close(): void | Promise<void> {}
}
