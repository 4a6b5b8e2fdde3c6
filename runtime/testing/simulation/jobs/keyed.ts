/** Jobs with state of keys. Where the order of records matters all records of a key come from one lane. */
import type {
  AggregateFunction,
  Collector,
  KeyedProcessContext,
  OnTimerContext,
  RuntimeContext,
} from '../../../core/functions.ts'
import { KeyedProcessFunction } from '../../../core/functions.ts'
import type { AggregatingState, ListState, MapState, ReducingState, ValueState } from '../../../core/state.ts'
import {
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  ValueStateDescriptor,
} from '../../../core/state.ts'
import type { Here } from '../here.ts'
import type { Event } from '../input.ts'
import { groupBy, type Job, sum } from './job.ts'

const laneKey = ({ lane, key }: Event) => `${lane}:${key}`

/** The largest less the smallest; its accumulator is changed in place. */
const spread: AggregateFunction<number, { min: number; max: number }, number> = {
  createAccumulator: () => ({ min: Number.MAX_VALUE, max: -Number.MAX_VALUE }),
  add(value, range) {
    range.min = Math.min(range.min, value)
    range.max = Math.max(range.max, value)
    return range
  },
  getResult: ({ min, max }) => max - min,
}

/** All kinds of state, and a value that is changed in place. */
class Running extends KeyedProcessFunction<string, Event, string> {
  readonly #here: Here
  #total!: ValueState<{ n: number; sum: number }>
  #recent!: ListState<number>
  #seen!: MapState<number, number>
  #largest!: ReducingState<number>
  #spread!: AggregatingState<number, number>
  constructor(here: Here) {
    super()
    this.#here = here
  }
  override open(context: RuntimeContext): void {
    this.#total = context.getState(new ValueStateDescriptor('total'))
    this.#recent = context.getListState(new ListStateDescriptor('recent'))
    this.#seen = context.getMapState(new MapStateDescriptor('seen'))
    this.#largest = context.getReducingState(new ReducingStateDescriptor<number>('largest', Math.max))
    this.#spread = context.getAggregatingState(new AggregatingStateDescriptor('spread', spread))
  }
  processElement({ value }: Event, context: KeyedProcessContext<string>, out: Collector<string>): void {
    this.#here.hazards.pass('a keyed function')
    const total = this.#total.value() ?? { n: 0, sum: 0 }
    total.n++
    total.sum += value
    this.#total.update(total)
    this.#recent.update([...this.#recent.get(), value].slice(-3))
    this.#seen.put(value % 5, (this.#seen.get(value % 5) ?? 0) + 1)
    if (total.n % 7 === 0) this.#seen.remove(0)
    this.#largest.add(value)
    this.#spread.add(value)
    const key = `${context.getCurrentKey()} ${this.#largest.get()} ${this.#spread.get()}`
    out.collect(lineOf(key, total, [...this.#recent.get()], new Map(this.#seen.entries())))
  }
}

function lineOf(key: string, total: { n: number; sum: number }, recent: number[], seen: Map<number, number>): string {
  const counts = [...seen].sort(([a], [b]) => a - b).map(([digit, n]) => `${digit}x${n}`)
  return `${key} ${total.n} ${total.sum} ${recent} ${counts}`
}

export const running: Job = {
  name: 'running',
  build({ read, sink, here }) {
    sink(read('first').keyBy(laneKey).process(new Running(here)), 'results')
  },
  expected: (first) =>
    [...groupBy(first.flat(), laneKey)].flatMap(([key, events]) => {
      const total = { n: 0, sum: 0 }
      const seen = new Map<number, number>()
      return events.map(({ value }, i) => {
        total.n++
        total.sum += value
        seen.set(value % 5, (seen.get(value % 5) ?? 0) + 1)
        if (total.n % 7 === 0) seen.delete(0)
        const values = events.slice(0, i + 1).map((event) => event.value)
        const largest = Math.max(...values)
        return lineOf(`${key} ${largest} ${largest - Math.min(...values)}`, total, values.slice(-3), seen)
      })
    }),
}

export const rolling: Job = {
  name: 'rolling',
  build({ read, sink }) {
    const sums = read('first')
      .keyBy(({ lane }) => lane)
      .sum('value')
      .map(({ lane, value }) => `${lane}: ${value}`)
    sink(sums, 'sums')
    const largest = read('first')
      .keyBy(laneKey)
      .reduce((a, b) => (b.value > a.value ? b : a))
      .map(({ lane, i, key }) => `${lane}:${key} largest is ${i}`)
    sink(largest, 'largest')
  },
  expected: (first) => [
    ...first.flatMap((events) =>
      events.map(({ lane }, i) => `${lane}: ${sum(events.slice(0, i + 1).map((e) => e.value))}`),
    ),
    ...[...groupBy(first.flat(), laneKey)].flatMap(([key, events]) =>
      events.map((_, n) => {
        const largest = events.slice(0, n + 1).reduce((a, b) => (b.value > a.value ? b : a))
        return `${key} largest is ${largest.i}`
      }),
    ),
  ],
}

const BUCKET_MS = 150
const bucketEnd = (ts: number) => ts - (ts % BUCKET_MS) + BUCKET_MS - 1

/** Event time: a timer per key and bucket gives what the bucket has. */
class Buckets extends KeyedProcessFunction<string, Event, string> {
  readonly #here: Here
  #open!: ListState<{ ts: number; value: number }>
  constructor(here: Here) {
    super()
    this.#here = here
  }
  override open(context: RuntimeContext): void {
    this.#open = context.getListState(new ListStateDescriptor('open'))
  }
  processElement({ ts, value }: Event, context: KeyedProcessContext<string>): void {
    this.#here.hazards.pass('a function with timers')
    this.#open.add({ ts, value })
    context.timerService.registerEventTimeTimer(bucketEnd(ts))
  }
  override onTimer(timestampMs: number, context: OnTimerContext<string>, out: Collector<string>): void {
    this.#here.hazards.pass('onTimer')
    const open = [...this.#open.get()]
    const due = open.filter(({ ts }) => bucketEnd(ts) === timestampMs)
    this.#open.update(open.filter(({ ts }) => bucketEnd(ts) !== timestampMs))
    out.collect(`${context.getCurrentKey()} until ${timestampMs}: ${due.length} are ${sum(due.map((d) => d.value))}`)
  }
}

export const buckets: Job = {
  name: 'buckets',
  build({ read, sink, here }) {
    const results = read('first')
      .keyBy(({ key }) => key)
      .process(new Buckets(here))
    sink(results, 'results')
  },
  expected: (first) =>
    [...groupBy(first.flat(), ({ key, ts }) => `${key} until ${bucketEnd(ts)}`)].map(
      ([name, events]) => `${name}: ${events.length} are ${sum(events.map((e) => e.value))}`,
    ),
}

/** At the end of the input timers of event time fire, those of processing time do not. */
const AT_THE_END = Number.MAX_SAFE_INTEGER

/** Processing time: what has come is given out every now and then, in parts that depend on time. */
class Parts extends KeyedProcessFunction<string, Event, string> {
  readonly #here: Here
  #open!: ValueState<number>
  constructor(here: Here) {
    super()
    this.#here = here
  }
  override open(context: RuntimeContext): void {
    this.#open = context.getState(new ValueStateDescriptor('open'))
  }
  processElement({ value }: Event, { timerService }: KeyedProcessContext<string>, out: Collector<string>): void {
    this.#here.hazards.pass('a function with processing time')
    const open = this.#open.value()
    if (open === undefined) timerService.registerProcessingTimeTimer(timerService.currentProcessingTime() + 40)
    timerService.registerEventTimeTimer(AT_THE_END)
    this.#open.update((open ?? 0) + value)
    out.collect('records=1')
  }
  override onTimer(_: number, context: OnTimerContext<string>, out: Collector<string>): void {
    const open = this.#open.value()
    if (open !== undefined) out.collect(`${context.getCurrentKey()}=${open}`)
    this.#open.clear()
  }
}

export const parts: Job = {
  name: 'parts',
  sums: true,
  build({ read, sink, here }) {
    const results = read('first')
      .keyBy(({ key }) => key)
      .process(new Parts(here))
    sink(results, 'results')
  },
  expected: (first) => [
    ...first.flat().map(() => 'records=1'),
    ...first.flat().map(({ key, value }) => `${key}=${value}`),
  ],
}
