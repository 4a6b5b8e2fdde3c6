/**
 * An election over one lease record, wherever it lies; candidacy.ts has what candidates do.
 */
import type { Clock, Schedule } from '../core/clock.ts'
import { retryAfterMsOf } from './attempts.ts'
import { attemptsFor, type CandidacyOptions, LeaseCandidacy } from './candidacy.ts'
import {
  type Candidacy,
  type CandidacyEvents,
  type Candidate,
  checkTiming,
  type Election,
  LEASE_TIMING,
  type Leader,
  type LeaseTiming,
} from './election.ts'
import type { LeaseStore } from './lease-store.ts'
import { LeaseView, leaderOf } from './lease-view.ts'
import { Sleep } from './sleep.ts'

export interface ElectionOptions {
  store: LeaseStore
  /** LEASE_TIMING if not given. */
  timing?: LeaseTiming
  clock: Clock
  schedule: Schedule
  /** From 0 up to 1. */
  random(): number
  /** Hears what is wrong with the place of the record, once for each problem. */
  warn(text: string): void
  /** Asked when the record says nothing of earlier epochs: the highest one that is known from elsewhere, such as `highestEpoch()` of registry.ts. */
  epochFloor?(): Promise<number>
}

/**
 * Opens an election. It closes the store with itself.
 *
 * @example
 * const store = await openLockFile('/shared/ha/cluster-1', { schedule, random, warn })
 * const election = openElection({ store, clock, schedule, random, warn })
 * election.campaign({ identity: 'jobmanager-0', startId: randomUUID(), address: '10.0.0.7:6123' }, {
 *   elected: (term) => lead(term),
 *   lost: ({ text }) => stop(text),
 * })
 */
export function openElection(options: ElectionOptions): Election {
  const { timing = LEASE_TIMING, store } = options
  checkTiming(timing)
  return new LeaseElection({ ...options, timing }, store)
}

class LeaseElection implements Election {
  readonly place: string
  readonly #options: CandidacyOptions
  readonly #store: LeaseStore
  readonly #candidacies = new Set<LeaseCandidacy>()
  readonly #listeners = new Map<symbol, (leader: Leader | undefined) => void>()
  #onlooker: Onlooker | undefined

  constructor(options: CandidacyOptions, store: LeaseStore) {
    this.place = store.place
    this.#options = options
    this.#store = store
  }

  async leader(): Promise<Leader | undefined> {
    const stored = await attemptsFor(this.#options).run('read', (signal) => this.#store.read(signal))
    return stored && leaderOf(stored)
  }

  watch(listener: (leader: Leader | undefined) => void): () => void {
    const key = Symbol('listener')
    this.#listeners.set(key, listener)
    if (this.#onlooker === undefined)
      this.#onlooker = new Onlooker(this.#options, (leader) => {
        for (const tell of [...this.#listeners.values()]) tell(leader)
      })
    else if (this.#onlooker.known !== undefined) listener(this.#onlooker.known.leader)
    return () => {
      this.#listeners.delete(key)
      if (this.#listeners.size > 0) return
      this.#onlooker?.stop()
      this.#onlooker = undefined
    }
  }

  campaign(candidate: Candidate, events: CandidacyEvents): Candidacy {
    const candidacy = new LeaseCandidacy(this.#options, candidate, events)
    this.#candidacies.add(candidacy)
    return candidacy
  }

  async close(): Promise<void> {
    this.#onlooker?.stop()
    this.#onlooker = undefined
    this.#listeners.clear()
    await Promise.all([...this.#candidacies].map((candidacy) => candidacy.release()))
    await this.#store.close()
  }
}

/** Follows the record and tells who leads. */
class Onlooker {
  readonly #options: CandidacyOptions
  readonly #tell: (leader: Leader | undefined) => void
  readonly #view: LeaseView
  readonly #sleep: Sleep
  readonly #stopWatching: () => void
  #stopped = false
  #warned = ''
  known: { leader: Leader | undefined } | undefined

  constructor(options: CandidacyOptions, tell: (leader: Leader | undefined) => void) {
    const { store, timing, clock, schedule } = options
    this.#options = options
    this.#tell = tell
    this.#view = new LeaseView(timing.leaseMs, true)
    this.#sleep = new Sleep(schedule)
    this.#stopWatching =
      store.watch?.((stored) => {
        this.#view.observe(stored, clock.monotonic())
        this.#decide()
      }) ?? (() => {})
    void this.#run()
  }

  stop(): void {
    this.#stopped = true
    this.#stopWatching()
    this.#sleep.wake()
  }

  async #run(): Promise<void> {
    const { store, timing, clock, random, warn } = this.#options
    const attempts = attemptsFor(this.#options)
    while (!this.#stopped) {
      let waitMs = timing.retryMs * (1 + random())
      try {
        const stored = await attempts.run('read', (signal) => store.read(signal))
        this.#view.observe(stored, clock.monotonic())
        this.#warned = ''
        this.#decide()
        waitMs = this.#nextReadMs()
      } catch (error) {
        const text = (error as Error).message
        if (text !== this.#warned && !this.#stopped) warn(text)
        this.#warned = text
        waitMs = Math.max(waitMs, Math.min(retryAfterMsOf(error), timing.leaseMs))
      }
      if (!this.#stopped) await this.#sleep.for(waitMs)
    }
  }

  /** A record that seems to be up is read once more before that is believed: a watch may have died unnoticed. */
  #nextReadMs(): number {
    const { store, timing, clock, random } = this.#options
    const upInMs = this.#view.upInMs(clock.monotonic())
    const pollMs = store.watch === undefined ? store.pollMs * (1 + 0.2 * random()) : timing.leaseMs
    return upInMs > 0 ? Math.min(pollMs, upInMs) : pollMs
  }

  #decide(): void {
    const leader = this.#view.leader(this.#options.clock.monotonic())
    const before = this.known?.leader
    if (this.#stopped || (this.known !== undefined && isSame(leader, before))) return
    this.known = { leader }
    this.#tell(leader)
  }
}

function isSame(a: Leader | undefined, b: Leader | undefined): boolean {
  return a?.epoch === b?.epoch && a?.startId === b?.startId && a?.address === b?.address
}
