/**
 * The slots of one job over its attempts: by index, one lease each.
 *
 * What must hold: a slot whose end is in doubt serves no attempt again. One that ends while no attempt runs in it is noticed here and taken anew.
 */
import { planWithParallelism } from '../graph/deployed-numbers.ts'
import type { Plan } from '../graph/model.ts'
import { assignSlots } from '../graph/slots.ts'
import type { FromSlot } from '../rpc/slot-messages.ts'
import type { Parallelism } from './scheduler/decide-parallelism.ts'
import type { SlotLease } from './slot-pool.ts'

export interface JobSlotsOptions {
  /** That the job has from its begin. */
  leases: SlotLease[]
  /** More of them; undefined when the cluster has fewer. */
  acquire(count: number): SlotLease[] | undefined
  /** What slots say while no attempt listens. */
  onMessage(message: FromSlot): void
}

export class JobSlots {
  #leases: (SlotLease | undefined)[]
  readonly #options: JobSlotsOptions

  constructor(options: JobSlotsOptions) {
    this.#options = options
    this.#leases = [...options.leases]
    for (const index of this.#leases.keys()) this.keep(index)
  }

  /** Slots that the job has. */
  get held(): number {
    return this.#leases.filter((lease) => lease !== undefined).length
  }

  /** Takes what is missing of the last attempt's, so that threads load. False: there are too few. */
  fill(): boolean {
    const missing = this.#leases.length - this.held
    if (missing === 0) return true
    const taken = this.#options.acquire(missing)
    if (taken === undefined) return false
    for (let index = 0; index < this.#leases.length; index++) {
      if (this.#leases[index] !== undefined) continue
      this.#leases[index] = taken.shift()!
      this.keep(index)
    }
    return true
  }

  /** Takes more of them, if so many are wanted for an attempt with this parallelism; an attempt that runs goes on in the first. False: there are too few. */
  reserve(plan: Plan, parallelism: Parallelism): boolean {
    const more = slotCount(plan, parallelism) - this.held
    if (more <= 0) return true
    const taken = this.#options.acquire(more)
    if (taken === undefined) return false
    for (const lease of taken) this.keep(this.#leases.push(lease) - 1)
    return true
  }

  /** The leases of an attempt, by index; those beyond are given back. No attempt runs. undefined: there are too few. */
  take(plan: Plan, parallelism: Parallelism): SlotLease[] | undefined {
    const count = slotCount(plan, parallelism)
    if (this.#leases.length !== count) {
      const held = this.#leases.filter((lease) => lease !== undefined)
      for (const lease of held.slice(count)) lease.release(false)
      this.#leases = Array.from({ length: count }, (_, index) => held[index])
      // Under their new numbers.
      for (const index of this.#leases.keys()) this.keep(index)
    }
    return this.fill() ? (this.#leases as SlotLease[]) : undefined
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

function slotCount(plan: Plan, parallelism: Parallelism): number {
  return assignSlots(planWithParallelism(plan, parallelism)).slotCount
}
