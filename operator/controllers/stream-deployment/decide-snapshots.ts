/**
 * Savepoints and checkpoints that nonces ask for: once per value, of a job that runs, the newest value only. What failed is not tried again, but for what a job cannot do while its tasks start, which is, for a while.
 */
import { shorten } from '../../../runtime/core/shorten.ts'
import type { DeploymentSpec } from '../../api/deployment-spec.ts'
import { triggerIdOf } from '../../resources/hash.ts'
import { type Draft, TEXT_BYTES_MAX } from './decide.ts'
import { jobOf } from './facts.ts'
import type { PendingSnapshot } from './record.ts'

const KINDS = ['savepoint', 'checkpoint'] as const
export type SnapshotKind = (typeof KINDS)[number]

/** Of a job whose tasks do not all run (yet), or whose attempt has ended meanwhile. */
const PASSING = /^TR-CHECKPOINT-001\b/
/** As long as Flink's operator waits (`kubernetes.operator.savepoint.trigger.grace-period`). */
const GRACE_MS = 60_000
const AGAIN_MS = 1_000

export function decideSnapshots(draft: Draft, { job: wish }: DeploymentSpec): undefined {
  const { facts, record, nowMs } = draft
  const job = jobOf(facts)
  for (const kind of KINDS) {
    const pending = record.pending[kind]
    if (pending !== undefined) finish(draft, kind, pending)
    const nonce = kind === 'savepoint' ? wish?.savepointTriggerNonce : wish?.checkpointTriggerNonce
    const isNew = nonce !== undefined && nonce !== record.nonces[kind] && record.pending[kind] === undefined
    if (isNew && job?.state === 'RUNNING') {
      const triggerId = triggerIdOf(facts.identity.uid, `${kind}:${nonce}`)
      record.pending[kind] = { nonce, triggerId, jobId: job.id, sinceMs: nowMs }
    }
    if (record.pending[kind] !== undefined) draft.againMs = Math.min(draft.againMs ?? Infinity, AGAIN_MS)
  }
}

/** Whether an upgrade has to wait: the job runs, and something is being taken of it. */
export function isTaking({ facts, record }: Draft): boolean {
  const { savepoint, checkpoint } = record.pending
  return jobOf(facts)?.state === 'RUNNING' && (savepoint !== undefined || checkpoint !== undefined)
}

function finish({ facts, record, nowMs, events }: Draft, kind: SnapshotKind, pending: PendingSnapshot): undefined {
  const { nonce, triggerId } = pending
  const operation = facts.operations[triggerId]
  if (operation?.state === 'COMPLETED') {
    record.nonces[kind] = nonce
    delete record.pending[kind]
    delete record.snapshotFailure
    if (kind === 'savepoint') record.savepoint = { location: operation.location, timeMs: nowMs, nonce, kind: 'MANUAL' }
    events.push({
      type: 'Normal',
      reason: kind === 'savepoint' ? 'Savepoint' : 'Checkpoint',
      message: operation.location,
    })
  } else if (operation?.state === 'FAILED') {
    if (PASSING.test(operation.message) && nowMs - pending.sinceMs < GRACE_MS) {
      const attempt = (pending.attempt ?? 0) + 1
      const id = triggerIdOf(facts.identity.uid, `${kind}:${nonce}:${attempt}`)
      record.pending[kind] = { ...pending, triggerId: id, attempt, notBeforeMs: nowMs + AGAIN_MS }
      return
    }
    record.nonces[kind] = nonce
    delete record.pending[kind]
    const message = shorten(operation.message, TEXT_BYTES_MAX)
    record.snapshotFailure = { nonce, message, timeMs: nowMs }
    const reason = kind === 'savepoint' ? 'SavepointError' : 'CheckpointError'
    events.push({ type: 'Warning', reason, message: `nonce ${nonce}: ${message}` })
  }
}
