/**
 * One committable on its way: what checkpoints hold of it, and what a committer is asked and answers.
 */
import type { CommitRequest } from '../core/sink.ts'

/** A committable as checkpoints hold it. */
export interface Prepared {
  checkpointId: number
  committable: unknown
}

export interface Entry extends Prepared {
  /** Index of the committer that is next to be asked. */
  stage: number
  retries: number
}

/** Of one call of a committer. */
export class Request implements CommitRequest<unknown> {
  readonly entry: Entry
  outcome: 'done' | 'before' | 'later' | 'lost' = 'done'
  reason: unknown
  /** The call of the committer is over. */
  ended = false

  constructor(entry: Entry) {
    this.entry = entry
  }
  get committable(): unknown {
    return this.entry.committable
  }
  get checkpointId(): number {
    return this.entry.checkpointId
  }
  get retries(): number {
    return this.entry.retries
  }
  alreadyCommitted(): void {
    this.#signal('before', undefined)
  }
  retryLater(reason?: unknown): void {
    this.#signal('later', reason)
  }
  updateAndRetryLater(committable: unknown, reason?: unknown): void {
    this.#signal('later', reason)
    this.entry.committable = committable
  }
  failedWithKnownReason(reason: unknown): void {
    this.#signal('lost', reason)
  }

  #signal(outcome: Request['outcome'], reason: unknown): void {
    if (this.ended) throw new TypeError('Cannot signal a commit request: the promise of commit() has settled before')
    this.outcome = outcome
    this.reason = reason
  }
}
