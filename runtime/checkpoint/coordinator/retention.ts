/** What becomes of a job's completed checkpoints at its end [CC-01]. */
import type { ErrorCode } from '../../core/errors.ts'
import type { CheckpointRetention } from '../settings.ts'

export interface RetentionFacts {
  status: 'FINISHED' | 'FAILED' | 'CANCELED'
  retention: CheckpointRetention
  /** Why the job failed. */
  code: ErrorCode | undefined
  /** This run has completed one itself. What it found and could not go on from stays. */
  tookOne: boolean
  /** Whoever deploys it says what the next generation of it goes on from: that of one that has failed is the latest. */
  isTold: boolean
}

/** TR-CHECKPOINT-002: they are another's now. TR-CLUSTER-002: the cluster was stopped, and the job may go on in the next one. */
const NOT_OURS: readonly (ErrorCode | undefined)[] = ['TR-CHECKPOINT-002', 'TR-CLUSTER-002']

export function decideRetention({ status, retention, code, tookOne, isTold }: RetentionFacts): 'keep' | 'delete' {
  switch (status) {
    case 'FINISHED':
      return 'delete'
    case 'CANCELED':
      return retention === 'RETAIN_ON_CANCELLATION' ? 'keep' : 'delete'
    case 'FAILED':
      if (isTold || NOT_OURS.includes(code)) return 'keep'
      return retention === 'NO_EXTERNALIZED_CHECKPOINTS' && tookOne ? 'delete' : 'keep'
  }
}
