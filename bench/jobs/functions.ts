/** The functions of the jobs beside Flink: what a user of either system would write. */
import {
  type AggregateFunction,
  type Collector,
  type KeyedProcessContext,
  KeyedProcessFunction,
  type RuntimeContext,
  type TimeWindow,
  type TypeOf,
  types,
  type ValueState,
  ValueStateDescriptor,
} from 'tailrace'
import type { Event } from '../event.ts'
import { monotonicMs } from '../event-source.ts'
import { Histogram } from '../histogram.ts'

/** Counts what comes into the accumulator `out`, and emits nothing. */
export class Count {
  #out!: { inc(by?: number): void }

  open(context: RuntimeContext): void {
    this.#out = context.accumulator('out')
  }

  flatMap(_value: unknown, _out: Collector<never>): void {
    this.#out.inc()
  }
}

/** Declared, as Flink's POJO is: with many keys the state then lies outside of the JavaScript heap. */
const account = types.row({ count: types.number, sum: types.number, lastTs: types.number, payload: types.string })
type Account = TypeOf<typeof account>

/** Reads, changes and writes the state of each record's key, and passes the record on. */
export class Stateful extends KeyedProcessFunction<number, Event, Event> {
  #state!: ValueState<Account>

  override open(context: RuntimeContext): void {
    this.#state = context.getState(new ValueStateDescriptor('account', account))
  }

  processElement(event: Event, _context: KeyedProcessContext<number>, out: Collector<Event>): void {
    const acc = this.#state.value() ?? { count: 0, sum: 0, lastTs: 0, payload: '' }
    acc.count++
    acc.sum += event.value
    acc.lastTs = event.ts
    acc.payload = event.payload
    this.#state.update(acc)
    out.collect(event)
  }
}

export interface Totals {
  count: number
  sum: number
}

export class CountSum implements AggregateFunction<Event, Totals, Totals> {
  createAccumulator(): Totals {
    return { count: 0, sum: 0 }
  }

  add(event: Event, totals: Totals): Totals {
    totals.count++
    totals.sum += event.value
    return totals
  }

  getResult(totals: Totals): Totals {
    return totals
  }

  merge(a: Totals, b: Totals): Totals {
    return { count: a.count + b.count, sum: a.sum + b.sum }
  }
}

export interface KeyTotals extends Totals {
  key: number
  start: number
}

/** Counts results, and the events in them into the accumulator `counted`. */
export class CountTotals {
  #out!: { inc(by?: number): void }
  #counted!: { inc(by?: number): void }

  open(context: RuntimeContext): void {
    this.#out = context.accumulator('out')
    this.#counted = context.accumulator('counted')
  }

  flatMap(totals: KeyTotals, _out: Collector<never>): void {
    this.#out.inc()
    this.#counted.inc(totals.count)
  }
}

export function withKey(key: number, window: TimeWindow, totals: Iterable<Totals>, out: Collector<KeyTotals>): void {
  for (const { count, sum } of totals) out.collect({ key, start: window.start, count, sum })
}

/**
 * Counts the time from when a record was due to now, after `skipMs` of warm-up. The clock is performance.now(), which allocates nothing,
 * moved to the clock that all threads share.
 */
export class Latency {
  readonly #skipMs: number
  readonly #histogram = new Histogram()
  #context!: RuntimeContext
  #offsetMs = 0
  #countFromMs = Number.NaN
  #out!: { inc(by?: number): void }

  constructor(skipMs: number) {
    this.#skipMs = skipMs
  }

  open(context: RuntimeContext): void {
    this.#context = context
    this.#out = context.accumulator('out')
    this.#offsetMs = offsetToMonotonicMs()
  }

  flatMap(event: Event, _out: Collector<never>): void {
    const nowMs = performance.now()
    if (!(nowMs >= this.#countFromMs)) {
      if (Number.isNaN(this.#countFromMs)) this.#countFromMs = nowMs + this.#skipMs
      return
    }
    this.#histogram.add((nowMs + this.#offsetMs - event.value) * 1000)
    this.#out.inc()
  }

  finish(): void {
    this.#histogram.report((name, count) => this.#context.accumulator(name).inc(count))
  }
}

/** Counts, and keeps the longest time between two records once they come at a pace. */
export class Stalls {
  #context!: RuntimeContext
  #out!: { inc(by?: number): void }
  #lastMs = Number.NaN
  #longestMs = 0
  #seen = 0

  open(context: RuntimeContext): void {
    this.#context = context
    this.#out = context.accumulator('out')
  }

  flatMap(event: Event, _out: Collector<never>): void {
    this.#out.inc()
    // Looked at for some records only: the clock costs as much as a record.
    if ((++this.#seen & 15) !== 0) return
    const nowMs = performance.now()
    if (event.value > PACED_FROM && nowMs - this.#lastMs > this.#longestMs) this.#longestMs = nowMs - this.#lastMs
    this.#lastMs = event.value > PACED_FROM ? nowMs : Number.NaN
  }

  finish(): void {
    // Accumulators are summed over subtasks, so each has its own.
    this.#context.accumulator(`stallMaxMs ${this.#context.task.subtaskIndex}`).inc(this.#longestMs)
  }
}

/** A paced record holds the time at which it was due; others have values below 1,000. */
const PACED_FROM = 1000

/** Of several tries the one with the least time between the two clocks. */
function offsetToMonotonicMs(): number {
  let offsetMs = Number.POSITIVE_INFINITY
  for (let i = 0; i < 10; i++) {
    const before = performance.now()
    offsetMs = Math.min(offsetMs, monotonicMs() - before)
  }
  return offsetMs
}
