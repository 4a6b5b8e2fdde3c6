/** Slots for tests that say what the test lets them say, and time that passes when the test says so. */
import { StreamExecutionEnvironment } from '../api/environment.ts'
import { compileJobGraph } from '../graph/compile.ts'
import type { Plan } from '../graph/model.ts'
import { buildPlan } from '../graph/plan.ts'
import { Exits, type HostExit } from '../rpc/host.ts'
import type { FromSlot, SlotHost, TaskState, ToSlot } from '../rpc/slot-messages.ts'
import { SlotPool, type SlotSource } from './slot-pool.ts'

export class FakeSlot implements SlotHost {
  readonly posted: ToSlot[] = []
  readonly #exits = new Exits()
  #handler: (message: FromSlot) => void = () => {}
  terminated = false

  readonly port = {
    post: (message: ToSlot): void => void this.posted.push(message),
    onMessage: (handler: (message: FromSlot) => void): void => {
      this.#handler = handler
    },
    close() {},
  }
  onExit(handler: (exit: HostExit) => void): void {
    this.#exits.tell(handler)
  }
  terminate(): void {
    this.terminated = true
    this.exit({ code: 1 })
  }
  exit(exit: HostExit): void {
    this.#exits.happen(exit)
  }

  say(message: FromSlot): void {
    this.#handler(message)
  }
  /** Types of the messages that it got. */
  get heard(): string[] {
    return this.posted.map((message) => message.type)
  }
  /** The last one. */
  get deployment() {
    return this.posted.findLast((message) => message.type === 'deploy')!.deployment
  }
  /** Every task of its deployment says so. */
  all(...states: TaskState[]): void {
    for (const state of states)
      for (const subtask of this.deployment.subtasks) this.say({ type: 'taskState', ...subtask, state })
  }
}

/** Spawns fake slots and keeps them. */
export class FakeSlots {
  readonly spawned: FakeSlot[] = []
  readonly spawn = (): FakeSlot => {
    const slot = new FakeSlot()
    this.spawned.push(slot)
    return slot
  }
}

/** A pool of fake slots, of one TaskManager. */
export function fakePool(size: SlotSource['size']) {
  const { spawned, spawn } = new FakeSlots()
  const pool = new SlotPool()
  const remove = pool.add({ place: { taskManager: 'fake' }, size, spawn })
  return { pool, spawned, spawn, remove }
}

/** Numbers of a source, rebalanced to a printing map: two vertices of this parallelism. */
export function twoVertexPlan(parallelism: number): Plan {
  const env = new StreamExecutionEnvironment(undefined).setParallelism(parallelism)
  env
    .fromSequence(1, 10)
    .rebalance()
    .map((n) => n)
    .name('double')
    .print()
  return buildPlan(compileJobGraph(env.getStreamGraph('numbers')))
}
