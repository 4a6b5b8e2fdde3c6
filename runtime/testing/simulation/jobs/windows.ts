/** Jobs with windows. No event is late (input.ts), so the windows of an event follow from its time alone. */
import type { AggregateFunction, Collector } from '../../../core/functions.ts'
import { type ProcessWindowContext, ProcessWindowFunction } from '../../../core/window-functions.ts'
import { TumblingEventTimeWindows, TumblingProcessingTimeWindows, windowStart } from '../../../core/windows.ts'
import type { Here } from '../here.ts'
import type { Event } from '../input.ts'
import { groupBy, type Job, sum } from './job.ts'

const SIZE_MS = 120
const byWindow = ({ key, ts }: Event) => `${key}@${windowStart(ts, 0, SIZE_MS)}`

/** Numbers in columns. */
export const windowSums: Job = {
  name: 'window sums',
  build({ read, sink, here }) {
    const results = read('first')
      .keyBy(({ key }) => key)
      .window(TumblingEventTimeWindows.of(SIZE_MS))
      .sum('value')
      .map(({ key, ts, value }) => {
        here.hazards.pass('map of window results')
        return `${key}@${windowStart(ts, 0, SIZE_MS)}: ${value}`
      })
    sink(results, 'results')
  },
  expected: (first) =>
    [...groupBy(first.flat(), byWindow)].map(([name, events]) => `${name}: ${sum(events.map((e) => e.value))}`),
}

/** Accumulators that are objects of the user's. */
const gather: AggregateFunction<Event, { n: number; values: number[] }, { n: number; values: number[] }> = {
  createAccumulator: () => ({ n: 0, values: [] }),
  add(event, accumulator) {
    accumulator.n++
    accumulator.values.push(event.value)
    return accumulator
  },
  getResult: (accumulator) => accumulator,
}

const gathered = (name: string, values: readonly number[]) =>
  `${name}: ${values.length} [${[...values].sort((a, b) => a - b)}]`

export const windowAggregates: Job = {
  name: 'window aggregates',
  build({ read, sink, here, parallelism }) {
    const results = read('first')
      .rebalance()
      .map((event) => event)
      .setParallelism(parallelism(0))
      .keyBy(({ key }) => key)
      .window(TumblingEventTimeWindows.of(SIZE_MS))
      .aggregate(gather, (key: string, window, [found]) => {
        here.hazards.pass('a window function')
        return [gathered(`${key}@${window.start}`, found!.values)]
      })
    sink(results, 'results')
  },
  expected: (first) =>
    [...groupBy(first.flat(), byWindow)].map(([name, events]) =>
      gathered(
        name,
        events.map((e) => e.value),
      ),
    ),
}

class AllOf extends ProcessWindowFunction<Event, string, string> {
  readonly #here: Here
  constructor(here: Here) {
    super()
    this.#here = here
  }
  process(key: string, context: ProcessWindowContext, events: Iterable<Event>, out: Collector<string>): void {
    this.#here.hazards.pass('a process window function')
    const values = [...events].map(({ value }) => value)
    out.collect(gathered(`${key}@${context.window().start}`, values))
  }
}

/** All events of a window, kept one by one. */
export const windowLists: Job = {
  name: 'window lists',
  build({ read, sink, here }) {
    const results = read('first')
      .keyBy(({ key }) => key)
      .window(TumblingEventTimeWindows.of(SIZE_MS))
      .process(new AllOf(here))
    sink(results, 'results')
  },
  expected: windowAggregates.expected,
}

/** Windows of processing time cut anywhere; those that are open at the end of the input give nothing. */
export const windowsOfTheDay: Job = {
  name: 'windows of the day',
  sums: true,
  mayLack: true,
  build({ read, sink }) {
    const results = read('first')
      .keyBy(({ key }) => key)
      .window(TumblingProcessingTimeWindows.of(50))
      .sum('value')
      .map(({ key, value }) => `${key}=${value}`)
    sink(results, 'results')
  },
  expected: (first) => first.flat().map(({ key, value }) => `${key}=${value}`),
}
