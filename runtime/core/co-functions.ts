/**
 * What an author passes to two connected streams [T-03, PF-01]: one method for the records of each.
 */
import type {
  Collector,
  KeyedProcessContext,
  OnTimerContext,
  ProcessContext,
  RichFunction,
  RuntimeContext,
} from './functions.ts'

/**
 * One record out for each record of either stream.
 *
 * @example
 * orders.connect(payments).map({ map1: (order) => order.amount, map2: (payment) => -payment.amount })
 */
export interface CoMapFunction<A, B, R1, R2 = R1> extends RichFunction {
  map1(value: A): R1
  map2(value: B): R2
}

/** Any number of records out for each record of either stream: returned, or given to `out`. */
export interface CoFlatMapFunction<A, B, R1, R2 = R1> extends RichFunction {
  flatMap1(value: A, out: Collector<R1>): Iterable<R1> | void
  flatMap2(value: B, out: Collector<R2>): Iterable<R2> | void
}

/** Two streams without a common key: timestamps and side outputs; timers throw TR-STATE-002. */
export abstract class CoProcessFunction<A, B, R> implements RichFunction {
  open(_context: RuntimeContext): void | Promise<void> {}
  abstract processElement1(value: A, context: ProcessContext, out: Collector<R>): void
  abstract processElement2(value: B, context: ProcessContext, out: Collector<R>): void
  finish(): void {}
  close(): void | Promise<void> {}
}

/**
 * Two streams with a common key. State and timers belong to the key, whichever stream its record came from. In `onTimer` event time is that of
 * both streams: the least of their watermarks.
 *
 * @example
 * class Matched extends KeyedCoProcessFunction<string, Order, Payment, { order: Order; payment: Payment }> {
 *   #order!: ValueState<Order>
 *   #payment!: ValueState<Payment>
 *   open(context: RuntimeContext) {
 *     this.#order = context.getState(new ValueStateDescriptor<Order>('order'))
 *     this.#payment = context.getState(new ValueStateDescriptor<Payment>('payment'))
 *   }
 *   processElement1(order: Order, _context: unknown, out: Collector<{ order: Order; payment: Payment }>) {
 *     const payment = this.#payment.value()
 *     if (payment === undefined) this.#order.update(order)
 *     else out.collect({ order, payment })
 *   }
 *   processElement2(payment: Payment, _context: unknown, out: Collector<{ order: Order; payment: Payment }>) {
 *     const order = this.#order.value()
 *     if (order === undefined) this.#payment.update(payment)
 *     else out.collect({ order, payment })
 *   }
 * }
 * orders.connect(payments).keyBy((order) => order.customer, (payment) => payment.customer).process(new Matched())
 */
export abstract class KeyedCoProcessFunction<K, A, B, R> implements RichFunction {
  open(_context: RuntimeContext): void | Promise<void> {}
  abstract processElement1(value: A, context: KeyedProcessContext<K>, out: Collector<R>): void
  abstract processElement2(value: B, context: KeyedProcessContext<K>, out: Collector<R>): void
  onTimer(_timestampMs: number, _context: OnTimerContext<K>, _out: Collector<R>): void {}
  finish(): void {}
  close(): void | Promise<void> {}
}
