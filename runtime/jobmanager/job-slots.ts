/**
 * The slots of one job over its attempts: by index, one lease each.
 *
 * What must hold: a slot whose end is in doubt serves no attempt again. One that ends while no attempt runs in it is noticed here and taken anew.
 */
import { assert } from '../core/errors.ts'
import type { FromSlot } from '../rpc/slot-messages.ts'
import type { SlotLease } from './slot-pool.ts'

export interface JobSlotsOptions {
  /** The first leases; their number is that of the job's slots. */
  leases: SlotLease[]
  /** More of them; undefined when the cluster has fewer. */
  acquire(count: number): SlotLease[] | undefined
  /** What slots say while no attempt listens. */
  onMessage(message: FromSlot): void
}

export class JobSlots {
  readonly #leases: (SlotLease | undefined)[]
  readonly #options: JobSlotsOptions

  constructor(options: JobSlotsOptions) {
    this.#options = options
    this.#leases = [...options.leases]
    for (const index of this.#leases.keys()) this.keep(index)
  }

  get count(): number {
    return this.#leases.length
  }

  /** Slots that have to be taken before an attempt. */
  get missing(): number {
    return this.#leases.filter((lease) => lease === undefined).length
  }

  /** Takes what is missing, at once, so that threads load while a delay passes. False: there are too few. */
  fill(): boolean {
    const { missing } = this
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

  /** The leases of an attempt, by index. */
  all(): SlotLease[] {
    assert(this.missing === 0, 'an attempt needs all of its slots')
    return this.#leases as SlotLease[]
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
  }
}
