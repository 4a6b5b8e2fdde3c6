/**
 * The slots of one job over its attempts: by index, one lease each.
 *
 * Parts of the job go to the slots that have their state near, where TaskManagers keep it there (scheduler/decide-places.ts); otherwise each stays where it is, or they are dealt out as is configured.
 *
 * What must hold: a slot whose end is in doubt serves no attempt again. One that ends while no attempt runs in it is noticed here and taken anew.
 */
import { planWithParallelism } from '../graph/deployed-numbers.ts'
import type { Plan } from '../graph/model.ts'
import { assignSlots } from '../graph/slots.ts'
import type { FromSlot } from '../rpc/slot-messages.ts'
import type { Parallelism } from './scheduler/decide-parallelism.ts'
import { decidePlaces, type LocalBytes, wishedPlaces } from './scheduler/decide-places.ts'
import type { Placement } from './scheduler/settings.ts'
import { keepLowest, keepSlots, type SlotChoice, spreadTasks } from './slot-choice.ts'
import type { SlotLease } from './slot-pool.ts'

export interface JobSlotsOptions {
  /** That the job has from its begin. */
  leases: SlotLease[]
  /** More of them; undefined when the cluster has fewer. Those of `wished` TaskManagers come first, as far as they are free. */
  acquire(count: number, choice: SlotChoice, wished: readonly string[]): SlotLease[] | undefined
  placement: Placement
  /** State that is near, by index of a plan as it is deployed; nothing where it does not matter. */
  localBytes(plan: Plan): readonly LocalBytes[]
  /** Tells a slot what it will run: it was taken ahead of its deployment. */
  prepare(lease: SlotLease): void
  /** What slots say while no attempt listens. */
  onMessage(message: FromSlot): void
}

export class JobSlots {
  #leases: (SlotLease | undefined)[]
  /** That the leases are of. */
  #plan: Plan | undefined
  readonly #options: JobSlotsOptions

  constructor(options: JobSlotsOptions) {
    this.#options = options
    this.#leases = [...options.leases]
    for (const index of this.#leases.keys()) this.keep(index)
  }

  /** Slots that the job has. */
  get held(): number {
    return this.#held().length
  }

  /** Takes what is missing of so many, of the last attempt's unless given, so that threads load. False: there are too few. */
  fill(count = this.#leases.length): boolean {
    const missing = count - this.held
    if (missing <= 0) return true
    const taken = this.#acquire(missing, this.#plan)
    if (taken === undefined) return false
    for (let index = 0; taken.length > 0; index++) {
      if (this.#leases[index] !== undefined) continue
      const lease = taken.shift()!
      this.#leases[index] = lease
      this.keep(index)
      this.#options.prepare(lease)
    }
    return true
  }

  /** Takes more of them, if so many are wanted for an attempt with this parallelism; an attempt that runs goes on in the first. False: there are too few. */
  reserve(plan: Plan, parallelism: Parallelism): boolean {
    const more = tasksOfSlots(plan, parallelism).length - this.held
    if (more <= 0) return true
    const taken = this.#acquire(more, planWithParallelism(plan, parallelism))
    if (taken === undefined) return false
    for (const lease of taken) {
      this.keep(this.#leases.push(lease) - 1)
      this.#options.prepare(lease)
    }
    return true
  }

  /** The leases of an attempt, by index; those beyond are given back. No attempt runs. undefined: there are too few. */
  take(plan: Plan, parallelism: Parallelism): SlotLease[] | undefined {
    const tasks = tasksOfSlots(plan, parallelism)
    const deployed = planWithParallelism(plan, parallelism)
    const { placement } = this.#options
    this.#plan = deployed
    const local = this.#options.localBytes(deployed)
    if (local.some(({ size }) => size > 0)) {
      this.#leaveHighest(tasks.length)
      return this.#takeNear(tasks.length, local)
    }
    if (this.#leases.length !== tasks.length) {
      const held = this.#held()
      const kept = keepSlots(held.map(placeOf), tasks.length, placement.choice)
      for (const [i, lease] of held.entries()) if (!kept.includes(i)) lease.release(false)
      this.#number(Array.from(tasks, (_, index) => held[kept[index]!]))
    }
    if (!this.fill()) return undefined
    const leases = this.#leases as SlotLease[]
    if (placement.spreadTasks) this.#number(spreadTasks(leases.map(placeOf), tasks).map((i) => leases[i]))
    return this.#leases as SlotLease[]
  }

  /** What a set of TaskManagers with ordinals is to let go matters more than where state is. */
  #leaveHighest(count: number): void {
    const held = this.#held()
    const kept = held.length > count ? keepLowest(held.map(placeOf), count) : undefined
    if (kept === undefined) return
    for (const [i, lease] of held.entries()) if (!kept.includes(i)) lease.release(false)
    this.#number(kept.map((i) => held[i]))
  }

  /** Each index gets the lease that is best for its state. */
  #takeNear(count: number, local: readonly LocalBytes[]): SlotLease[] | undefined {
    while (this.#leases.length < count) this.#leases.push(undefined)
    if (!this.fill(count)) return undefined
    const before = this.#leases
    const places = decidePlaces(
      count,
      local,
      before.map((lease) => lease && placeOf(lease)),
    )
    for (const [index, lease] of before.entries()) if (!places.includes(index)) lease?.release(false)
    this.#number(places.map((index) => (index === undefined ? undefined : before[index])))
    return this.#leases as SlotLease[]
  }

  #acquire(count: number, plan: Plan | undefined): SlotLease[] | undefined {
    const { acquire, localBytes, placement } = this.#options
    const local = plan === undefined ? [] : localBytes(plan)
    const held = this.#leases.map((lease) => lease && placeOf(lease))
    return acquire(count, placement.choice, wishedPlaces(local.length, local, held))
  }

  /** Gives so many to others, the last ones first; no attempt runs. */
  giveBack(count: number): void {
    for (const lease of this.#held().slice(-count)) this.drop(this.#leases.indexOf(lease))
  }

  #held(): SlotLease[] {
    return this.#leases.filter((lease) => lease !== undefined)
  }

  #number(leases: (SlotLease | undefined)[]): void {
    this.#leases = leases
    for (const index of leases.keys()) this.keep(index)
  }

  /** The attempt is over in this slot and left it clean: it waits for the next one. */
  keep(index: number): void {
    const lease = this.#leases[index]
    lease?.listen(
      (message) => this.#options.onMessage(message),
      () => this.drop(index),
    )
  }

  /** The slot does not serve again. It gets the time to write out what is buffered. */
  drop(index: number): void {
    this.#leases[index]?.release(false)
    this.#leases[index] = undefined
  }

  /** The job has ended. */
  release(): void {
    for (const lease of this.#leases) lease?.release(false)
    this.#leases = []
  }
}

const placeOf = ({ place }: SlotLease): string => place.taskManager

/** How many tasks each slot gets, by its number. */
function tasksOfSlots(plan: Plan, parallelism: Parallelism): number[] {
  const { slotCount, vertices } = assignSlots(planWithParallelism(plan, parallelism))
  const tasks = new Array<number>(slotCount).fill(0)
  for (const { slots } of vertices) for (const slot of slots) tasks[slot]!++
  return tasks
}
