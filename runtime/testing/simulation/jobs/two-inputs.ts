/** Jobs with two inputs: a join that keeps both sides, and rules for all in broadcast state. */
import {
  KeyedBroadcastProcessFunction,
  type KeyedBroadcastReadContext,
  type KeyedBroadcastWriteContext,
} from '../../../core/broadcast-functions.ts'
import { KeyedCoProcessFunction } from '../../../core/co-functions.ts'
import type { Collector, RuntimeContext } from '../../../core/functions.ts'
import type { ListState } from '../../../core/state.ts'
import { ListStateDescriptor, MapStateDescriptor } from '../../../core/state.ts'
import type { Here } from '../here.ts'
import type { Event } from '../input.ts'
import { groupBy, type Job } from './job.ts'

const keyOf = ({ key, value }: Event) => `${key}.${value % 10}`
const pair = (a: Event, b: Event) => `${a.lane}/${a.i} meets ${b.lane}/${b.i}`

class Join extends KeyedCoProcessFunction<string, Event, Event, string> {
  readonly #here: Here
  #first!: ListState<Event>
  #second!: ListState<Event>
  constructor(here: Here) {
    super()
    this.#here = here
  }
  override open(context: RuntimeContext): void {
    this.#first = context.getListState(new ListStateDescriptor('first'))
    this.#second = context.getListState(new ListStateDescriptor('second'))
  }
  processElement1(a: Event, _: unknown, out: Collector<string>): void {
    this.#here.hazards.pass('the first side of a join')
    this.#first.add(a)
    for (const b of this.#second.get()) out.collect(pair(a, b))
  }
  processElement2(b: Event, _: unknown, out: Collector<string>): void {
    this.#here.hazards.pass('the second side of a join')
    this.#second.add(b)
    for (const a of this.#first.get()) out.collect(pair(a, b))
  }
}

export const join: Job = {
  name: 'join',
  build({ read, sink, here }) {
    const results = read('first').connect(read('second')).keyBy(keyOf, keyOf).process(new Join(here))
    sink(results, 'results')
  },
  expected(first, second) {
    const others = groupBy(second.flat(), keyOf)
    return first.flat().flatMap((a) => (others.get(keyOf(a)) ?? []).map((b) => pair(a, b)))
  },
}

/** Events of the second input that are rules: for all events of a key their largest value counts. */
const isRule = ({ i }: Event) => i < 3
const rules = new MapStateDescriptor<string, number>('rules')
const waiting = new ListStateDescriptor<Event>('waiting')

/** An event waits until all rules are there, so results do not depend on what comes first. */
class Rules extends KeyedBroadcastProcessFunction<string, Event, Event, string> {
  readonly #here: Here
  readonly #ruleCount: number
  #waiting!: ListState<Event>
  constructor(here: Here, ruleCount: number) {
    super()
    this.#here = here
    this.#ruleCount = ruleCount
  }
  override open(context: RuntimeContext): void {
    this.#waiting = context.getListState(waiting)
  }
  processElement(event: Event, context: KeyedBroadcastReadContext<string>, out: Collector<string>): void {
    this.#here.hazards.pass('a function with rules')
    const state = context.getBroadcastState(rules)
    if ([...state.keys()].length < this.#ruleCount) this.#waiting.add(event)
    else out.collect(judged(event, state.entries()))
  }
  processBroadcastElement(rule: Event, context: KeyedBroadcastWriteContext<string>, out: Collector<string>): void {
    this.#here.hazards.pass('a function that takes rules')
    const state = context.getBroadcastState(rules)
    state.put(`${rule.lane}/${rule.i}`, rule.value)
    if ([...state.keys()].length < this.#ruleCount) return
    context.applyToKeyedState(waiting, (_, list) => {
      for (const event of list.get()) out.collect(judged(event, state.entries()))
      list.clear()
    })
  }
}

function judged({ lane, i, value }: Event, rules: Iterable<readonly [string, number]>): string {
  const broken = [...rules].flatMap(([name, limit]) => (value > limit ? [name] : [])).sort()
  return `${lane}/${i} breaks [${broken}]`
}

const ruleOf = (rule: Event) => [`${rule.lane}/${rule.i}`, rule.value] as const

export const broadcastRules: Job = {
  name: 'broadcast rules',
  build({ read, sink, here, inputs }) {
    const found = inputs.second.flat().filter(isRule)
    const results = read('first')
      .keyBy(({ key }) => key)
      .connect(read('second').filter(isRule).broadcast(rules))
      .process(new Rules(here, found.length))
    sink(results, 'results')
  },
  expected(first, second) {
    const all = second.flat().filter(isRule).map(ruleOf)
    return first.flat().map((event) => judged(event, all))
  },
}
