/**
 * The function of examples/fraud-detection.ts: state of each user, a timer, alerts.
 *
 * What a user does belongs together until there is nothing for an hour of event time; then it is emitted, and forgotten. For users whose hour
 * never ends, because the topic falls silent, state has a time to live.
 */
import {
  type Collector,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type MapState,
  MapStateDescriptor,
  type OnTimerContext,
  OutputTag,
  type RuntimeContext,
  StateTtlConfig,
  type ValueState,
  ValueStateDescriptor,
} from 'tailrace'

export interface Transaction {
  id: string
  userId: string
  merchantId: string
  amount: number
  /** Milliseconds since 1970. */
  timestamp: number
}

export interface Alert {
  userId: string
  /** Of the transaction that was one too many. */
  transactionId: string
  reason: string
}

/** What a user has done until it was quiet. */
export interface Activity {
  userId: string
  transactions: number
  total: number
  merchants: number
  lastMs: number
}

export const FRAUD_THRESHOLD = 10_000
export const MAX_MERCHANTS = 5
export const QUIET_MS = 3_600_000

export const alerts = new OutputTag<Alert>('alerts')

const day = StateTtlConfig.newBuilder('24 h').setUpdateType('OnReadAndWrite').build()
const runningTotal = new ValueStateDescriptor<number>('running-total')
const lastTransaction = new ValueStateDescriptor<number>('last-txn-ts')
const merchantCounts = new MapStateDescriptor<string, number>('merchant-counts')
for (const state of [runningTotal, lastTransaction, merchantCounts]) state.enableTimeToLive(day)

export class FraudDetector extends KeyedProcessFunction<string, Transaction, Activity> {
  #total!: ValueState<number>
  #lastMs!: ValueState<number>
  #merchants!: MapState<string, number>

  override open(context: RuntimeContext) {
    this.#total = context.getState(runningTotal)
    this.#lastMs = context.getState(lastTransaction)
    this.#merchants = context.getMapState(merchantCounts)
  }

  override processElement(transaction: Transaction, context: KeyedProcessContext<string>, out: Collector<Activity>) {
    const { id, userId, merchantId, amount, timestamp } = transaction
    const before = this.#lastMs.value()
    if (before !== undefined) context.timerService.deleteEventTimeTimer(before + QUIET_MS)
    // The timer fires when all partitions have come so far, which may be after this one has.
    if (before !== undefined && timestamp > before + QUIET_MS) this.#close(userId, out)
    const lastMs = Math.max(this.#lastMs.value() ?? 0, timestamp)
    this.#lastMs.update(lastMs)
    context.timerService.registerEventTimeTimer(lastMs + QUIET_MS)

    const total = this.#total.value() ?? 0
    this.#total.update(total + amount)
    if (total <= FRAUD_THRESHOLD && total + amount > FRAUD_THRESHOLD)
      context.output(alerts, { userId, transactionId: id, reason: `total ${(total + amount).toFixed(2)}` })

    const count = this.#merchants.get(merchantId) ?? 0
    this.#merchants.put(merchantId, count + 1)
    if (count === 0 && sizeOf(this.#merchants) === MAX_MERCHANTS + 1)
      context.output(alerts, { userId, transactionId: id, reason: `${MAX_MERCHANTS + 1} merchants` })
  }

  override onTimer(_atMs: number, context: OnTimerContext<string>, out: Collector<Activity>) {
    this.#close(context.getCurrentKey(), out)
  }

  #close(userId: string, out: Collector<Activity>) {
    let transactions = 0
    for (const count of this.#merchants.values()) transactions += count
    const total = this.#total.value() ?? 0
    out.collect({ userId, transactions, total, merchants: sizeOf(this.#merchants), lastMs: this.#lastMs.value()! })
    this.#total.clear()
    this.#lastMs.clear()
    this.#merchants.clear()
  }
}

function sizeOf(map: MapState<string, number>): number {
  let size = 0
  for (const _ of map.keys()) size++
  return size
}
