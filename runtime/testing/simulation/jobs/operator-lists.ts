/**
 * Jobs with lists that belong to no key: events are held back in them, and given out by whoever has them later. Every subtask has keys, so each gets a timer
 * at the end of the input.
 */
import type { CheckpointedFunction, InitializationContext, OperatorListState } from '../../../core/checkpoint.ts'
import type { Collector, KeyedProcessContext, OnTimerContext, RuntimeContext } from '../../../core/functions.ts'
import { KeyedProcessFunction } from '../../../core/functions.ts'
import type { Here } from '../here.ts'
import type { Event } from '../input.ts'
import type { Job } from './job.ts'

const HELD_MAX = 4
const AT_THE_END = Number.MAX_SAFE_INTEGER

type Dealt = 'dealt out' | 'given to all'

class HoldBack extends KeyedProcessFunction<number, Event, string> implements CheckpointedFunction {
  readonly #here: Here
  readonly #dealt: Dealt
  #state!: OperatorListState<Event>
  #restored: Event[] = []
  #held: Event[] = []

  constructor(here: Here, dealt: Dealt) {
    super()
    this.#here = here
    this.#dealt = dealt
  }

  initializeState({ operatorState }: InitializationContext): void {
    this.#state =
      this.#dealt === 'dealt out' ? operatorState.getListState('held') : operatorState.getUnionListState('held')
    this.#restored = [...this.#state.get()]
  }
  override open({ task }: RuntimeContext): void {
    const mine = ({ i }: Event) => this.#dealt === 'dealt out' || i % task.parallelism === task.subtaskIndex
    this.#held = this.#restored.filter(mine)
  }
  snapshotState(): void {
    this.#state.update(this.#held)
  }

  processElement(event: Event, { timerService }: KeyedProcessContext<number>, out: Collector<string>): void {
    this.#here.hazards.pass('a function that holds events back')
    timerService.registerEventTimeTimer(AT_THE_END)
    this.#held.push(event)
    while (this.#held.length > HELD_MAX) out.collect(nameOf(this.#held.shift()!))
  }
  override onTimer(_: number, __: OnTimerContext<number>, out: Collector<string>): void {
    for (const event of this.#held) out.collect(nameOf(event))
    this.#held = []
  }
}

const nameOf = ({ lane, i }: Event) => `${lane}/${i}`

const holdBack = (dealt: Dealt): Job => ({
  name: `lists ${dealt}`,
  build({ read, sink, here }) {
    const results = read('first')
      .keyBy(({ value }) => value)
      .process(new HoldBack(here, dealt))
    sink(results, 'results')
  },
  expected: (first) => first.flat().map(nameOf),
})

export const listsDealtOut = holdBack('dealt out')
export const listsGivenToAll = holdBack('given to all')
