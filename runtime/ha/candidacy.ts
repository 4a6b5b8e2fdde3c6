/**
 * One candidate of an election: waits, takes the lease when it is free, renews it, and notices when it is lost.
 *
 *                 lease is free, and the write took effect
 *     waits ───────────────────────────────────────────────▶ leads, with a new epoch
 *       ▲                                                       │
 *       └───────────────────────────────────────────────────────┘
 *           not renewed for renewDeadlineMs, or the record is another's
 *
 * What must hold:
 * - a term counts from before its last renewal was sent, by the monotonic clock; what others see of that renewal is later;
 * - only the answer "written" begins or prolongs a term. Reading its own record does not: when that was written is not known, so it is written again;
 * - before the lease is taken it is read, and only that version is replaced: an onlooker that stood still, or was told nothing, takes nothing from a leader that renews.
 */
import type { Clock, Schedule } from '../core/clock.ts'
import { isTailraceError, TailraceError } from '../core/errors.ts'
import { Attempts, retryAfterMsOf } from './attempts.ts'
import type { Candidacy, CandidacyEvents, Candidate, LeaseTiming, LostReason, Term } from './election.ts'
import type { LeaseRecord, LeaseStore, StoredLease } from './lease-store.ts'
import { LeaseView } from './lease-view.ts'
import { Sleep } from './sleep.ts'

export interface CandidacyOptions {
  store: LeaseStore
  timing: LeaseTiming
  clock: Clock
  schedule: Schedule
  random(): number
  warn(text: string): void
  /** Epochs that were given before although the record says nothing of them: the lease was deleted and made anew. */
  epochFloor?(): Promise<number>
}

/** Candidates that find the lease free at the same moment come a little apart. */
const JITTER = 0.2
/** After a failure a leader tries sooner than at the next renewal. */
const FAILED_SHARE = 0.25

export class LeaseCandidacy implements Candidacy {
  readonly #options: CandidacyOptions
  readonly #candidate: Candidate
  readonly #events: CandidacyEvents
  readonly #view: LeaseView
  readonly #attempts: Attempts
  readonly #sleep: Sleep
  readonly #stopWatching: () => void
  readonly #ended: Promise<void>
  #term: LeaseTerm | undefined
  #hasLed = false
  /** As this leader has written it last. */
  #written: StoredLease | undefined
  #stopped = false
  #released: Promise<void> | undefined
  #warned = ''

  constructor(options: CandidacyOptions, candidate: Candidate, events: CandidacyEvents) {
    const { store, timing, clock, schedule } = options
    this.#options = options
    this.#candidate = candidate
    this.#events = events
    this.#view = new LeaseView(timing.leaseMs, store.absentIsNew)
    this.#attempts = attemptsFor(options)
    this.#sleep = new Sleep(schedule)
    this.#stopWatching =
      store.watch?.((stored) => {
        this.#view.observe(stored, clock.monotonic())
        if (this.#concerns(stored)) this.#sleep.wake()
      }) ?? (() => {})
    this.#ended = this.#run()
  }

  get term(): Term | undefined {
    return this.#term?.isLeaderNow() ? this.#term : undefined
  }

  release(): Promise<void> {
    this.#released ??= this.#release()
    return this.#released
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.#sleep.forget()
      const waitMs = this.#term === undefined ? await this.#stand() : await this.#renew(this.#term)
      if (waitMs > 0 && !this.#stopped) await this.#sleep.for(waitMs)
    }
  }

  /** Whether it was told something to act on at once: not that another has renewed, or itself. */
  #concerns(stored: StoredLease | undefined): boolean {
    if (this.#term !== undefined) return stored?.record.holder?.startId !== this.#candidate.startId
    return this.#freeInMs() === 0
  }

  /** Looks whether the lease is free, and takes it. Returns how long to wait. */
  async #stand(): Promise<number> {
    const { store, timing, clock, random } = this.#options
    const jittered = (ms: number) => ms * (1 + JITTER * random())
    try {
      const stored = await this.#attempts.run('read', (signal) => store.read(signal))
      this.#view.observe(stored, clock.monotonic())
      const freeInMs = this.#freeInMs()
      if (freeInMs > 0) return store.watch === undefined ? Math.min(freeInMs, jittered(store.pollMs)) : freeInMs
      return (await this.#take(stored)) ? 0 : jittered(timing.retryMs / 10)
    } catch (error) {
      this.#warn(error)
      return jittered(Math.max(timing.retryMs, Math.min(retryAfterMsOf(error), timing.leaseMs)))
    }
  }

  #freeInMs(): number {
    return this.#view.freeInMs(this.#candidate, this.#options.clock.monotonic(), this.#hasLed)
  }

  async #take(over: StoredLease | undefined): Promise<boolean> {
    const { store, timing, clock, epochFloor } = this.#options
    const floor = over === undefined || over.record.epoch === 0 ? ((await epochFloor?.()) ?? 0) : 0
    const nowMs = clock.now()
    const record: LeaseRecord = {
      epoch: Math.max(this.#view.epochMax, floor) + 1,
      holder: this.#candidate,
      leaseMs: timing.leaseMs,
      acquiredMs: nowMs,
      renewedMs: nowMs,
    }
    if (this.#stopped) return false
    const sentMs = clock.monotonic()
    const written = await this.#attempts.run('write', (signal) => store.write(record, over, signal))
    if (written === undefined || this.#stopped) return false
    this.#warned = ''
    this.#view.observe(written, clock.monotonic())
    this.#written = written
    const term = new LeaseTerm(record.epoch, store.place, this.#options, (reason) => this.#lose(term, reason))
    term.renewed(sentMs)
    if (term.remainingMs === 0) return false
    this.#term = term
    this.#hasLed = true
    // What it throws is not a failure of the election.
    queueMicrotask(() => {
      if (this.#term === term) this.#events.elected(term)
    })
    return true
  }

  /** Renews, and returns how long to wait until the next time. */
  async #renew(term: LeaseTerm): Promise<number> {
    const { store, timing, clock } = this.#options
    if (!term.isLeaderNow()) return 0
    const sentMs = clock.monotonic()
    try {
      const held = this.#written
      const record = { ...term.record(held), holder: this.#candidate, renewedMs: clock.now(), leaseMs: timing.leaseMs }
      const written = await this.#attempts.run('write', (signal) => store.write(record, held, signal))
      if (this.#term !== term) return 0
      if (written === undefined) return await this.#findOut(term)
      this.#written = written
      this.#view.observe(written, clock.monotonic())
      this.#warned = ''
      term.renewed(sentMs)
      return Math.max(0, timing.retryMs - (clock.monotonic() - sentMs))
    } catch (error) {
      if (this.#term !== term) return 0
      this.#warn(error)
      const waitMs = Math.max(timing.retryMs * FAILED_SHARE, retryAfterMsOf(error))
      return Math.min(waitMs, term.remainingMs)
    }
  }

  /** The record is not as it was written last: by an earlier try of this leader whose answer was lost, or by somebody else. */
  async #findOut(term: LeaseTerm): Promise<number> {
    const { store, clock } = this.#options
    const stored = await this.#attempts.run('read', (signal) => store.read(signal))
    if (this.#term !== term) return 0
    this.#view.observe(stored, clock.monotonic())
    const holder = stored?.record.holder
    const isOwn = holder?.startId === this.#candidate.startId && stored?.record.epoch === term.epoch
    if (stored === undefined || isOwn) this.#written = stored
    else
      term.end({
        kind: 'deposed',
        text: holder
          ? `"${holder.identity}" leads with epoch ${stored.record.epoch}`
          : `it was released with epoch ${stored.record.epoch} by somebody else`,
      })
    return 0
  }

  #lose(term: LeaseTerm, reason: LostReason): void {
    if (this.#term !== term) return
    this.#term = undefined
    this.#written = undefined
    this.#sleep.wake()
    this.#events.lost(reason, term)
  }

  async #release(): Promise<void> {
    const { store, timing, clock } = this.#options
    this.#stopped = true
    this.#stopWatching()
    this.#term?.stop()
    this.#term = undefined
    this.#sleep.wake()
    await this.#ended
    // What it has written last may be there although no answer said so.
    for (let tries = 1; tries <= 3; tries++) {
      try {
        const stored = await this.#attempts.run('read', (signal) => store.read(signal))
        if (stored?.record.holder?.startId !== this.#candidate.startId) return
        const record = { ...stored.record, holder: null, leaseMs: timing.leaseMs, renewedMs: clock.now() }
        const written = await this.#attempts.run('release', (signal) => store.write(record, stored, signal))
        if (written !== undefined) return
      } catch (error) {
        this.#warn(error)
      }
    }
  }

  /** Once for each problem. */
  #warn(error: unknown): void {
    const text = (error as Error).message
    if (text === this.#warned) return
    this.#warned = text
    this.#options.warn(
      isTailraceError(error) ? text : `Cannot use ${this.#options.store.place}: ${text}, wanted an answer`,
    )
  }
}

export function attemptsFor({ store, timing, schedule }: CandidacyOptions): Attempts {
  // Two tries fit between a renewal that was due and the deadline.
  return new Attempts(store.place, schedule, (timing.renewDeadlineMs - timing.retryMs) / 2)
}

/** A term of a candidate. It ends by the clock, whether or not anyone looks. */
class LeaseTerm implements Term {
  readonly epoch: number
  readonly #place: string
  readonly #options: CandidacyOptions
  readonly #lost: (reason: LostReason) => void
  readonly #acquiredMs: number
  #untilMs = 0
  #over = false
  #cancel: () => void = () => {}

  constructor(epoch: number, place: string, options: CandidacyOptions, lost: (reason: LostReason) => void) {
    this.epoch = epoch
    this.#place = place
    this.#options = options
    this.#lost = lost
    this.#acquiredMs = options.clock.now()
  }

  get remainingMs(): number {
    return this.#over ? 0 : Math.max(0, this.#untilMs - this.#options.clock.monotonic())
  }

  isLeaderNow(): boolean {
    if (this.remainingMs > 0) return true
    this.#expire()
    return false
  }

  refuseUnlessLeader(what: string): void {
    if (this.isLeaderNow()) return
    throw new TailraceError(
      'TR-HA-001',
      `Cannot ${what}: this process does not lead any more with epoch ${this.epoch} of ${this.#place}; wanted: only the leader does that`,
    )
  }

  /** What the next renewal keeps of the one before. */
  record(written: StoredLease | undefined): Pick<LeaseRecord, 'epoch' | 'acquiredMs'> {
    return { epoch: this.epoch, acquiredMs: written?.record.acquiredMs ?? this.#acquiredMs }
  }

  /** A renewal that was sent at that time took effect. */
  renewed(sentMs: number): void {
    const { schedule, timing, clock } = this.#options
    this.#untilMs = sentMs + timing.renewDeadlineMs
    this.#cancel()
    this.#cancel = schedule(Math.max(0, this.#untilMs - clock.monotonic()), () => {
      // Timers of some clocks come a little early.
      if (this.remainingMs === 0) this.#expire()
      else this.renewed(sentMs)
    })
  }

  end(reason: LostReason): void {
    if (this.#over) return
    this.stop()
    // Not inside of a guard's call.
    queueMicrotask(() => this.#lost(reason))
  }

  /** Nobody is told. */
  stop(): void {
    this.#over = true
    this.#cancel()
  }

  #expire(): void {
    const { renewDeadlineMs } = this.#options.timing
    this.end({ kind: 'notRenewed', text: `${this.#place} could not be renewed for ${renewDeadlineMs} ms` })
  }
}
