/** What a spec's configuration says to the operator, by keys of Flink's operator (`kubernetes.operator.`) or ours (`tailrace.operator.`). */

import { durationMs } from '../../../runtime/core/duration.ts'
import type { DeploymentSpec } from '../../api/deployment-spec.ts'

export interface OperatorSettings {
  /** A job that does not run is upgraded from its newest checkpoint, though savepoints are wanted. */
  lastStateFallback: boolean
  savepointOnDeletion: boolean
  drainOnDeletion: boolean
  /** After which a deployment is let go whatever its job does. */
  deletionTimeoutMs: number
  /** Older checkpoints are not gone on from by last-state while a savepoint can be taken. */
  checkpointAgeMaxMs: number | undefined
}

const CANCEL_TIMEOUT_MS = 60_000
const SAVEPOINT_TIMEOUT_MS = 600_000

/** Values that cannot be read are as if not given: `validate` has told of them. */
export function operatorSettings({
  operatorConfiguration,
}: Pick<DeploymentSpec, 'operatorConfiguration'>): OperatorSettings {
  const text = (key: string) =>
    operatorConfiguration[`tailrace.operator.${key}`] ?? operatorConfiguration[`kubernetes.operator.${key}`]
  const flag = (key: string, standard: boolean) => {
    const value = text(key)?.trim().toLowerCase()
    return value === 'true' || value === 'false' ? value === 'true' : standard
  }
  const duration = (key: string): number | undefined => {
    const value = text(key)
    if (value === undefined) return
    try {
      return durationMs(value)
    } catch {
      return
    }
  }
  const savepointOnDeletion = flag('job.savepoint-on-deletion', false)
  return {
    lastStateFallback: flag('job.upgrade.last-state-fallback.enabled', true),
    savepointOnDeletion,
    drainOnDeletion: flag('job.drain-on-savepoint-deletion', false),
    deletionTimeoutMs: duration('deletion.timeout') ?? (savepointOnDeletion ? SAVEPOINT_TIMEOUT_MS : CANCEL_TIMEOUT_MS),
    checkpointAgeMaxMs: duration('job.upgrade.last-state.max.allowed.checkpoint.age'),
  }
}
