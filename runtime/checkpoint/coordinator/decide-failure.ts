/**
 * What a checkpoint that came to nothing means for the job [CC-02].
 *
 * Counted are failures that say something about the job or its store. One that was given up for another reason (a task failed anyway, a newer one is complete) says
 * nothing, and neither do savepoints. Checkpoints that complete set the count back.
 */
export const FAILURE_REASONS = {
  /** An enumerator could not give its state. */
  begin: { counts: true },
  /** A task could not take its part, or its bytes could not be stored. */
  declined: { counts: true },
  expired: { counts: true },
  /** Everything was there, and it could not be completed. */
  store: { counts: true },
  /** A task has let a newer one go first. */
  overtaken: { counts: false },
  /** A newer one is complete. */
  subsumed: { counts: false },
  /** A task finished before its barrier came: who begins and who acknowledges has changed. */
  'task finished': { counts: false },
  /** The job's attempt is over. */
  failover: { counts: false },
  /** The job is being stopped with a savepoint. */
  stopping: { counts: false },
} as const
export type FailureReason = keyof typeof FAILURE_REASONS

export interface FailureFacts {
  reason: FailureReason
  /** `stop`: the savepoint that stops the job. */
  kind: 'checkpoint' | 'savepoint' | 'stop'
  /** Counted failures since the last checkpoint that completed, without this one. */
  inRow: number
  /** `execution.checkpointing.tolerable-failed-checkpoints`. */
  tolerable: number
}

export interface FailureDecision {
  /** Counted failures in a row, with this one. */
  inRow: number
  job: 'goes on' | 'fails'
  /** What was asked for is tried again by itself. */
  again: boolean
}

export function decideFailure({ reason, kind, inRow, tolerable }: FailureFacts): FailureDecision {
  const { counts } = FAILURE_REASONS[reason]
  // Tasks that the barrier has stopped cannot go on: only another attempt can.
  if (kind === 'stop') return { inRow, job: reason === 'failover' ? 'goes on' : 'fails', again: false }
  const again = !counts && reason !== 'failover'
  if (kind === 'savepoint' || !counts) return { inRow, job: 'goes on', again }
  return { inRow: inRow + 1, job: inRow + 1 > tolerable ? 'fails' : 'goes on', again }
}
