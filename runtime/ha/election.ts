/**
 * Who leads a deployment: one contract for a lock file on a shared disk, an object store, and the Lease of Kubernetes.
 *
 * What must hold:
 * - at any moment at most one candidate is leader by its own guard ({@link Term.isLeaderNow}), whatever was paused, delayed or lost, as long as the monotonic clocks of two machines
 *   do not differ in speed by more than `leaseMs / renewDeadlineMs`; wall clocks are never compared;
 * - epochs rise strictly over all leaders, also when the same process leads again;
 * - who cannot renew for `renewDeadlineMs` stops by itself, before anyone else may lead.
 *
 * An election is no fence: an act that began under the guard may take effect after it. So whatever changes something outside carries the epoch, and what is stored is
 * fenced in the store itself (registry.ts, checkpoint/claims.ts).
 */
import { TailraceError } from '../core/errors.ts'

export interface LeaseTiming {
  /** A record that has not changed for so long, as an onlooker sees it, is up for others. */
  leaseMs: number
  /** A leader that has not renewed for so long is none any more. */
  renewDeadlineMs: number
  /** How long a leader waits between two renewals, and a candidate after a failure. */
  retryMs: number
}

/** Of JobManagers: `high-availability.*` in docs/ha-store.md. */
export const LEASE_TIMING: LeaseTiming = { leaseMs: 5_000, renewDeadlineMs: 3_000, retryMs: 1_000 }

export interface Candidate {
  /** Of the pod or the instance: one process at a time has it, and a process that is started anew under the same one leads at once. */
  identity: string
  /** Of this start of the process; never used again. */
  startId: string
  /** Where it is reached when it leads. */
  address: string
}

export interface Leader extends Candidate {
  epoch: number
}

/** Why a leader is none any more: it could not renew in time, or somebody else has taken the lease. */
export interface LostReason {
  kind: 'notRenewed' | 'deposed'
  text: string
}

/** The time in which a candidate leads, from `elected` to `lost`. */
export interface Term {
  readonly epoch: number
  /**
   * For use before each act as leader. It reads the monotonic clock, so a process that stood still beyond its lease hears "no" before anything else has told it.
   * After a "no" it is never "yes" again.
   */
  isLeaderNow(): boolean
  /** Throws TR-HA-001 unless it leads now; `what` it is about to do is for the message. */
  refuseUnlessLeader(what: string): void
  /** How long the guard holds without another renewal; 0: it does not. */
  readonly remainingMs: number
}

export interface CandidacyEvents {
  elected(term: Term): void
  /** Once for each `elected`, unless it was released. The candidate goes on as one who waits. */
  lost(reason: LostReason, term: Term): void
}

export interface Candidacy {
  /** undefined: it does not lead, or has just found out. */
  readonly term: Term | undefined
  /** Leads no more from this call on; resolves when others may, or when that could not be told them and the lease must run out. */
  release(): Promise<void>
}

export interface Election {
  /** Where the record lies, for messages. */
  readonly place: string
  /** Who leads, as the record says now. It may have died since: {@link watch} finds that out. Throws TR-HA-002 and what the store throws. */
  leader(): Promise<Leader | undefined>
  /**
   * Tells who leads, and each change; undefined: nobody, or the record has not changed for the lease's duration. Nothing is told while the record cannot be read. Returns
   * how to stop.
   */
  watch(listener: (leader: Leader | undefined) => void): () => void
  campaign(candidate: Candidate, events: CandidacyEvents): Candidacy
  /** Releases what was not released, and stops telling. */
  close(): Promise<void>
}

/** Throws TR-CONFIG-001 unless a leader that can renew at all has two tries, and stops before others begin. */
export function checkTiming({ leaseMs, renewDeadlineMs, retryMs }: LeaseTiming): void {
  const all = `lease duration ${leaseMs} ms, renew deadline ${renewDeadlineMs} ms, retry period ${retryMs} ms`
  const isWhole = [leaseMs, renewDeadlineMs, retryMs].every((ms) => Number.isFinite(ms) && ms > 0)
  if (isWhole && renewDeadlineMs < leaseMs && retryMs * 2 < renewDeadlineMs) return
  throw new TailraceError(
    'TR-CONFIG-001',
    `Cannot elect a leader with ${all}: wanted lease duration > renew deadline > 2 × retry period > 0`,
  )
}
