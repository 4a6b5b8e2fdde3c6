/**
 * Types of connected streams infer from end to end: no lambda in here has an annotation. The checks are made by `tsc --noEmit`; running the
 * file shows only that the graph can be built.
 */
import { expect, expectTypeOf, test } from 'vitest'
import {
  BroadcastProcessFunction,
  type BroadcastReadContext,
  type BroadcastWriteContext,
  type Collector,
  CoProcessFunction,
  type DataStream,
  KeyedBroadcastProcessFunction,
  type KeyedBroadcastReadContext,
  type KeyedBroadcastWriteContext,
  KeyedCoProcessFunction,
  type KeyedProcessContext,
  ListStateDescriptor,
  MapStateDescriptor,
  StreamExecutionEnvironment,
  ValueStateDescriptor,
} from '../index.ts'

interface Order {
  id: string
  amount: number
}
interface Payment {
  orderId: string
  cents: bigint
}

type Of<S> = S extends DataStream<infer T> ? T : never

function build() {
  const env = new StreamExecutionEnvironment(undefined)
  const orders = env.fromData<Order>({ id: 'a', amount: 1 })
  const payments = env.fromData<Payment>({ orderId: 'a', cents: 1n })
  return { env, orders, payments }
}

test('map and flatMap of two streams give the types of both results', () => {
  const { orders, payments } = build()
  const connected = orders.connect(payments)
  const byObject = connected.map({ map1: (order) => order.amount, map2: (payment) => payment.orderId })
  expectTypeOf<Of<typeof byObject>>().toEqualTypeOf<number | string>()
  const byLambdas = connected.map(
    (order) => ({ id: order.id, n: order.amount }),
    (payment) => ({ id: payment.orderId, n: Number(payment.cents) }),
  )
  expectTypeOf<Of<typeof byLambdas>>().toEqualTypeOf<{ id: string; n: number }>()
  const flat = connected.flatMap({ flatMap1: (order) => [order.id], flatMap2: (payment) => [payment.cents] })
  expectTypeOf<Of<typeof flat>>().toEqualTypeOf<string | bigint>()
  const flatLambdas = connected.flatMap(
    (order) => [order.id],
    (payment) => new Set([payment.cents]),
  )
  expectTypeOf<Of<typeof flatLambdas>>().toEqualTypeOf<string | bigint>()
  const collected = connected.flatMap<number>(
    (order, out) => {
      out.collect(order.amount)
    },
    (payment, out) => {
      out.collect(Number(payment.cents))
    },
  )
  expectTypeOf<Of<typeof collected>>().toEqualTypeOf<number>()
  // @ts-expect-error both streams need a function
  connected.map({ map1: (order: Order) => order.id })
})

class Joined extends CoProcessFunction<Order, Payment, [string, bigint]> {
  processElement1(order: Order, _: unknown, out: Collector<[string, bigint]>): void {
    out.collect([order.id, 0n])
  }
  processElement2(payment: Payment, _: unknown, out: Collector<[string, bigint]>): void {
    out.collect([payment.orderId, payment.cents])
  }
}
class Matched extends KeyedCoProcessFunction<string, Order, Payment, { key: string; matched: boolean }> {
  processElement1(_: Order, context: KeyedProcessContext<string>, out: Collector<{ key: string; matched: boolean }>) {
    out.collect({ key: context.getCurrentKey(), matched: false })
  }
  processElement2(_: Payment, context: KeyedProcessContext<string>, out: Collector<{ key: string; matched: boolean }>) {
    out.collect({ key: context.getCurrentKey(), matched: true })
  }
  override onTimer(): void {}
}
class MatchedByNumber extends KeyedCoProcessFunction<number, Order, Payment, number> {
  processElement1(): void {}
  processElement2(): void {}
}

test('process takes the type of its function, and keys of both streams agree', () => {
  const { orders, payments } = build()
  const joined = orders.connect(payments).process(new Joined())
  expectTypeOf<Of<typeof joined>>().toEqualTypeOf<[string, bigint]>()
  const keyed = orders.connect(payments).keyBy(
    (order) => order.id,
    (payment) => payment.orderId,
  )
  expectTypeOf(keyed.keyOf2).returns.toEqualTypeOf<string>()
  const matched = keyed.process(new Matched())
  expectTypeOf<Of<typeof matched>>().toEqualTypeOf<{ key: string; matched: boolean }>()
  const joinedByKey = keyed.process(new Joined())
  expectTypeOf<Of<typeof joinedByKey>>().toEqualTypeOf<[string, bigint]>()
  const mapped = keyed.map(
    (order) => order.id,
    (payment) => payment.cents,
  )
  expectTypeOf<Of<typeof mapped>>().toEqualTypeOf<string | bigint>()
  const ordersById = orders.keyBy((order) => order.id)
  const separately = ordersById.connect(payments.keyBy((payment) => payment.orderId)).process(new Matched())
  expectTypeOf<Of<typeof separately>>().toEqualTypeOf<{ key: string; matched: boolean }>()
  const tuples = orders
    .keyBy((order) => [order.id, order.amount])
    .connect(payments.keyBy((payment) => [payment.orderId, Number(payment.cents)]))
  expectTypeOf(tuples.keyOf1).returns.toEqualTypeOf<readonly [string, number]>()
  const halfKeyed = ordersById.connect(payments).process(new Joined())
  expectTypeOf<Of<typeof halfKeyed>>().toEqualTypeOf<[string, bigint]>()

  orders.connect(payments).keyBy(
    (order) => order.id,
    // @ts-expect-error a text and a number are no common key
    (payment) => Number(payment.cents),
  )
  // @ts-expect-error nor are they when each stream is keyed by itself
  ordersById.connect(payments.keyBy((payment) => Number(payment.cents)))
  // @ts-expect-error the function wants keys that are numbers
  expect(() => keyed.process(new MatchedByNumber())).not.toThrow()
  // @ts-expect-error a function with timers needs keys
  expect(() => orders.connect(payments).process(new Matched())).toThrow('it has onTimer(); call keyBy() before')
})

interface Rule {
  id: string
  limit: number
}
const rules = new MapStateDescriptor<string, Rule>('rules')
const last = new ValueStateDescriptor<Order>('last')
const all = new ListStateDescriptor<number>('all')
const seen = new MapStateDescriptor<string, boolean>('seen')

class Filtered extends BroadcastProcessFunction<Order, Rule, Order> {
  processElement(order: Order, context: BroadcastReadContext, out: Collector<Order>): void {
    const state = context.getBroadcastState(rules)
    expectTypeOf(state.get('a')).toEqualTypeOf<Rule | undefined>()
    // @ts-expect-error this side reads only
    expectTypeOf(state.put).toBeFunction()
    out.collect(order)
  }
  processBroadcastElement(rule: Rule, context: BroadcastWriteContext): void {
    context.getBroadcastState(rules).put(rule.id, rule)
    // @ts-expect-error the values are rules
    context.getBroadcastState(rules).put(rule.id, 1)
  }
}
class Checked extends KeyedBroadcastProcessFunction<string, Order, Rule, string> {
  processElement(order: Order, context: KeyedBroadcastReadContext<string>, out: Collector<string>): void {
    context.timerService.registerEventTimeTimer(order.amount)
    out.collect(context.getCurrentKey())
  }
  processBroadcastElement(rule: Rule, context: KeyedBroadcastWriteContext<string>, out: Collector<string>): void {
    context.applyToKeyedState(last, (key, order) => {
      expectTypeOf(order.value()).toEqualTypeOf<Order | undefined>()
      out.collect(key + rule.id)
    })
    context.applyToKeyedState(all, (_, list) => expectTypeOf(list.get()).toEqualTypeOf<Iterable<number>>())
    context.applyToKeyedState(seen, (_, map) => expectTypeOf(map.get('x')).toEqualTypeOf<boolean | undefined>())
    // @ts-expect-error timers are the keyed side's
    expectTypeOf(context.timerService).toBeAny()
  }
}

test('a broadcast stream keeps its type, and the kind of connection follows from the stream before it', () => {
  const { env, orders } = build()
  const changes = env.fromData<Rule>({ id: 'r', limit: 1 }).broadcast(rules)
  const filtered = orders.connect(changes).process(new Filtered())
  expectTypeOf<Of<typeof filtered>>().toEqualTypeOf<Order>()
  const checked = orders
    .keyBy((order) => order.id)
    .connect(changes)
    .process(new Checked())
  expectTypeOf<Of<typeof checked>>().toEqualTypeOf<string>()
  expectTypeOf(orders.broadcast()).toEqualTypeOf<DataStream<Order>>()
  // @ts-expect-error the broadcast records are rules
  orders.connect(env.fromData(1).broadcast(rules)).process(new Filtered())
  // @ts-expect-error a function with timers needs keys
  expect(() => orders.connect(changes).process(new Checked())).toThrow('it has onTimer(); call keyBy() before')
})
