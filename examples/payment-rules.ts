/**
 * Checks payments against rules that change while the job runs. Every subtask gets each rule; a rule also applies to the payments of the
 * ten minutes before it, which are kept by account until event time has passed them.
 *
 *   npx tailrace run examples/payment-rules.ts
 *   npx tailrace run examples/payment-rules.ts --payments 2000 --rules 4 --seed 3
 */
import {
  type Collector,
  KeyedBroadcastProcessFunction,
  type KeyedBroadcastReadContext,
  type KeyedBroadcastWriteContext,
  type MapState,
  MapStateDescriptor,
  type RuntimeContext,
  type StreamExecutionEnvironment,
  WatermarkStrategy,
} from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'

export interface Payment {
  n: number
  account: string
  amount: number
  atMs: number
}

/** Asks for a look at payments above an amount. A rule of the same id replaces it. */
export interface Rule {
  id: string
  above: number
  atMs: number
}

export interface Alert {
  payment: Payment
  rule: Rule
}

const START_MS = Date.UTC(2026, 0, 1)
const PAYMENT_EVERY_MS = 200
const RULE_EVERY_MS = 60_000
export const LOOK_BACK_MS = 600_000

export function payment(index: number, random: () => number): Payment {
  return {
    n: index,
    account: `a-${Math.floor(random() ** 2 * 50)}`,
    amount: Math.round(random() ** 6 * 1000),
    atMs: START_MS + index * PAYMENT_EVERY_MS,
  }
}

export function rule(index: number, random: () => number): Rule {
  return { id: `r${index % 4}`, above: 700 + Math.floor(random() * 300), atMs: START_MS + index * RULE_EVERY_MS }
}

/** Whether a payment is the rule's business. Says the same whichever of the two comes first. */
export function applies(rule: Rule, payment: Payment): boolean {
  return payment.amount > rule.above && payment.atMs >= rule.atMs - LOOK_BACK_MS
}

const rules = new MapStateDescriptor<string, Rule>('rules')
const recent = new MapStateDescriptor<number, Payment>('recent payments')

class Checked extends KeyedBroadcastProcessFunction<string, Payment, Rule, Alert> {
  #recent!: MapState<number, Payment>

  override open(context: RuntimeContext) {
    this.#recent = context.getMapState(recent)
  }

  override processElement(payment: Payment, context: KeyedBroadcastReadContext<string>, out: Collector<Alert>) {
    for (const rule of context.getBroadcastState(rules).values()) {
      if (applies(rule, payment)) out.collect({ payment, rule })
    }
    this.#recent.put(payment.n, payment)
    context.timerService.registerEventTimeTimer(payment.atMs + LOOK_BACK_MS)
  }

  override processBroadcastElement(rule: Rule, context: KeyedBroadcastWriteContext<string>, out: Collector<Alert>) {
    context.getBroadcastState(rules).put(rule.id, rule)
    context.applyToKeyedState(recent, (_account, payments) => {
      for (const payment of payments.values()) if (applies(rule, payment)) out.collect({ payment, rule })
    })
  }

  /** Event time is the least of both streams, so no rule can come any more that looks back this far. */
  override onTimer(timestampMs: number) {
    for (const { n, atMs } of this.#recent.values()) if (atMs <= timestampMs - LOOK_BACK_MS) this.#recent.remove(n)
  }
}

export default async function main(env: StreamExecutionEnvironment) {
  const { payments, rules: ruleCount, seed = 0, rate = 500 } = env.parameters
  const counted = (count: string | undefined) => (count === undefined ? {} : { count: Number(count) })
  const paymentSource = dataGenSource({
    generate: payment,
    seed: Number(seed),
    recordsPerSecond: Number(rate),
    ...counted(payments),
  })
  const ruleSource = dataGenSource({
    generate: rule,
    seed: Number(seed),
    // As fast, in event time, as the payments.
    recordsPerSecond: (Number(rate) * PAYMENT_EVERY_MS) / RULE_EVERY_MS,
    ...counted(ruleCount),
  })
  const byTime = <T extends { atMs: number }>() =>
    WatermarkStrategy.forMonotonousTimestamps<T>().withTimestampAssigner(({ atMs }) => atMs)

  const changes = env.fromSource(ruleSource, byTime<Rule>(), 'rules').setParallelism(1).broadcast(rules)
  env
    .fromSource(paymentSource, byTime<Payment>(), 'payments')
    .keyBy((payment) => payment.account)
    .connect(changes)
    .process(new Checked())
    .name('check')
    .map(
      ({ payment, rule }) =>
        `${time(payment.atMs)}  ${payment.account} paid ${payment.amount}, #${payment.n}: above ${rule.above} (${rule.id})`,
    )
    .print()
  await env.execute('payment rules')
}

const time = (ms: number) => new Date(ms).toISOString().slice(11, 19)
