/** Elections of JobManagers over one lease in the simulated store: candidates and onlookers each have a way of their own to it. */
import { MemoryObjects } from '../../checkpoint/memory-store.ts'
import type { ObjectStore } from '../../checkpoint/object-store.ts'
import type { Election, LeaseTiming } from '../../ha/election.ts'
import { openElection } from '../../ha/lease-election.ts'
import { openObjectLease } from '../../ha/object-lease.ts'
import { clockWith, type PlantedBug } from './planted.ts'
import { type StoreTrouble, simulatedStore } from './storage.ts'
import type { Party, World } from './world.ts'

/** Shorter than in production, so that runs stay short. */
const TIMING: LeaseTiming = { leaseMs: 1_000, renewDeadlineMs: 600, retryMs: 200 }
const POLL_MS = 150

export class Elections {
  readonly #world: World
  readonly #trouble: StoreTrouble
  readonly #objects: MemoryObjects

  readonly #planted: PlantedBug | undefined

  constructor(world: World, trouble: StoreTrouble, planted: PlantedBug | undefined) {
    this.#world = world
    this.#planted = planted
    this.#trouble = trouble
    this.#objects = new MemoryObjects(() => world.nowMs)
  }

  /** Where the lease lies, and the registry of jobs. */
  store(party: Party): ObjectStore {
    return simulatedStore(party, this.#objects, this.#trouble, '/ha')
  }

  /** For a candidate, or for who wants to know. */
  open(party: Party): Election {
    const warn = (text: string) => this.#world.note(party.name, () => `warns: ${text}`)
    const store = this.store(party)
    return openElection({
      store: openObjectLease({ store, prefix: 'leader/', pollMs: POLL_MS, warn }),
      timing: TIMING,
      clock: clockWith(this.#planted, party),
      schedule: party.schedule,
      random: this.#world.random.next,
      warn,
    })
  }
}
