/** Jobs without state: chains and every way to partition. */
import type { Collector, ProcessContext, RuntimeContext } from '../../../core/functions.ts'
import { ProcessFunction } from '../../../core/functions.ts'
import { OutputTag } from '../../../core/output-tag.ts'
import type { Here } from '../here.ts'
import type { Event } from '../input.ts'
import type { Job } from './job.ts'

const nameOf = ({ lane, i, value }: Event) => `${lane}/${i}=${value}`

export const chain: Job = {
  name: 'chain',
  stateless: true,
  build({ read, sink, here }) {
    const results = read('first')
      .map((event) => {
        here.hazards.pass('map')
        return { ...event, value: event.value * 3 }
      })
      .filter((event) => event.value % 2 === 0)
      .flatMap((event) => (event.value % 4 === 0 ? [nameOf(event), `again ${nameOf(event)}`] : [nameOf(event)]))
    sink(results, 'results')
  },
  expected: (first) =>
    first.flat().flatMap((event) => {
      const value = event.value * 3
      const name = nameOf({ ...event, value })
      if (value % 2 !== 0) return []
      return value % 4 === 0 ? [name, `again ${name}`] : [name]
    }),
}

export const shuffles: Job = {
  name: 'shuffles',
  stateless: true,
  build({ read, sink, here, parallelism }) {
    const results = read('first')
      .rebalance()
      .map((event) => ({ ...event, value: event.value + 1 }))
      .setParallelism(parallelism(0))
      .shuffle()
      .map((event) => {
        here.hazards.pass('map behind a shuffle')
        return { ...event, value: event.value * 2 }
      })
      .setParallelism(parallelism(1))
      .rescale()
      .map(nameOf)
    sink(results, 'results')
  },
  expected: (first) => first.flat().map((event) => nameOf({ ...event, value: (event.value + 1) * 2 })),
}

/** Every subtask gets all records and passes its share of them, whatever the parallelism is. */
export const copies: Job = {
  name: 'copies',
  stateless: true,
  build({ read, sink, here }) {
    let mine = (_event: Event) => false
    const results = read('first')
      .broadcast()
      .filter({
        open({ task }: RuntimeContext) {
          mine = ({ value }) => value % task.parallelism === task.subtaskIndex
        },
        filter(event: Event) {
          here.hazards.pass('filter of copies')
          return mine(event)
        },
      })
      .map(nameOf)
    sink(results, 'results')
  },
  expected: (first) => first.flat().map(nameOf),
}

export const union: Job = {
  name: 'union',
  stateless: true,
  build({ read, sink, here }) {
    const second = read('second').map((event) => ({ ...event, lane: event.lane + 1000 }))
    const results = read('first')
      .union(second)
      .partitionCustom(
        ({ value }) => value,
        (value, channels) => value % channels,
      )
      .map((event) => {
        here.hazards.pass('map of a union')
        return nameOf(event)
      })
    sink(results, 'results')
  },
  expected: (first, second) => [
    ...first.flat().map(nameOf),
    ...second.flat().map((event) => nameOf({ ...event, lane: event.lane + 1000 })),
  ],
}

const odd = new OutputTag<Event>('odd')

class Sorting extends ProcessFunction<Event, Event> {
  readonly #here: Here
  constructor(here: Here) {
    super()
    this.#here = here
  }
  processElement(event: Event, context: ProcessContext, out: Collector<Event>): void {
    this.#here.hazards.pass('a function with side outputs')
    if (event.value % 2 === 0) out.collect(event)
    else context.output(odd, event)
  }
}

/** Two sinks: one of a side output. */
export const sides: Job = {
  name: 'sides',
  stateless: true,
  build({ read, sink, here }) {
    const sorted = read('first').process(new Sorting(here))
    sink(sorted.map(nameOf), 'even')
    const odds = sorted.getSideOutput(odd).rebalance()
    sink(
      odds.map((event) => `odd ${nameOf(event)}`),
      'odd',
    )
  },
  expected: (first) => first.flat().map((event) => (event.value % 2 === 0 ? nameOf(event) : `odd ${nameOf(event)}`)),
}
