/**
 * The one record that an election is about, and what a place for it must be able to do: read it, and replace exactly the version that was read.
 *
 * Implementations: object-lease.ts (a lock file, or an object store) and kubernetes-lease.ts.
 */
import type { Candidate } from './election.ts'

export interface LeaseRecord {
  /** 0: nobody has led. */
  epoch: number
  /** null: released. */
  holder: Candidate | null
  /** How long others wait, as the holder counts on. */
  leaseMs: number
  /** By the holder's clock, for people to read; nothing is decided by them. */
  acquiredMs: number
  renewedMs: number
}

export interface StoredLease {
  readonly record: LeaseRecord
  /** Another for each write. */
  readonly version: string
}

/** Calls throw errors with codes; with a `retryAfterMs` when the place says how long to leave it in peace. After a failure a write may take effect all the same, or do so yet. */
export interface LeaseStore {
  /** For messages. */
  readonly place: string
  /** How often onlookers read it who are not told of changes. */
  readonly pollMs: number
  /** Whether a record that is not there means that nobody leads. Else it may have been deleted just now, under a leader. */
  readonly absentIsNew: boolean
  /** What was there at some moment during the call. */
  read(signal: AbortSignal): Promise<StoredLease | undefined>
  /** Writes it if the record is still `over` (undefined: not there). undefined: it is not. */
  write(record: LeaseRecord, over: StoredLease | undefined, signal: AbortSignal): Promise<StoredLease | undefined>
  /** Calls back with what is there, at first and after changes, as far as it hears of them. Returns how to stop. */
  watch?(changed: (stored: StoredLease | undefined) => void): () => void
  close(): Promise<void>
}
