/**
 * What an onlooker knows of a lease, and from when on somebody else may take it. Pure: the monotonic time is an argument.
 *
 * The rule: a record is up when it has not changed for its duration since the moment at which this onlooker saw it change. That moment is after the renewal, which the leader
 * counts from before it, so the leader has stopped by then; no clock of another machine plays a part.
 */
import type { Candidate, Leader } from './election.ts'
import type { StoredLease } from './lease-store.ts'

export class LeaseView {
  readonly #leaseMs: number
  readonly #absentIsNew: boolean
  #isFirst = true
  #stored: StoredLease | undefined
  #freeAtMs = 0
  #epochMax = 0

  constructor(leaseMs: number, absentIsNew: boolean) {
    this.#leaseMs = leaseMs
    this.#absentIsNew = absentIsNew
  }

  get stored(): StoredLease | undefined {
    return this.#stored
  }

  /** Above it are the epochs of later leaders, as far as this onlooker can know. */
  get epochMax(): number {
    return this.#epochMax
  }

  /** Takes note of what was read or told; `nowMs` is the time at which the answer was there. */
  observe(stored: StoredLease | undefined, nowMs: number): void {
    if (!this.#isFirst && stored?.version === this.#stored?.version) return
    const record = stored?.record
    // It was deleted, and perhaps made anew: whoever held it may not know yet.
    const wentBack = record === undefined || record.epoch < this.#epochMax
    if (record !== undefined && record.holder !== null) this.#freeAtMs = nowMs + Math.max(this.#leaseMs, record.leaseMs)
    else if (!wentBack) this.#freeAtMs = nowMs
    else if (this.#isFirst) this.#freeAtMs = this.#absentIsNew ? nowMs : nowMs + this.#leaseMs
    this.#isFirst = false
    this.#stored = stored
    this.#epochMax = Math.max(this.#epochMax, record?.epoch ?? 0)
  }

  /**
   * How long the candidate must wait; 0: it may take the lease, if the record is still as it was seen. `hasLed`: the candidate did before; then another start in
   * its name came after it, and two that live would take the lease from each other for ever.
   */
  freeInMs({ identity, startId }: Candidate, nowMs: number, hasLed = false): number {
    const holder = this.#stored?.record.holder
    // A process of the same identity is started when the one before it has ended.
    if (holder?.identity === identity && (!hasLed || holder.startId === startId)) return 0
    return Math.max(0, this.#freeAtMs - nowMs)
  }

  /** Who leads; undefined: nobody, or the record is up. */
  leader(nowMs: number): Leader | undefined {
    if (nowMs >= this.#freeAtMs) return undefined
    return this.#stored && leaderOf(this.#stored)
  }

  /** How long until the leader is none without another change. */
  upInMs(nowMs: number): number {
    return Math.max(0, this.#freeAtMs - nowMs)
  }
}

/** Who leads as the record says. */
export function leaderOf({ record: { holder, epoch } }: StoredLease): Leader | undefined {
  return holder === null ? undefined : { ...holder, epoch }
}
