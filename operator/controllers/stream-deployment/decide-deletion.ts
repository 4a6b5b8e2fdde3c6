/**
 * What comes before a deployment goes: its job ends, with a savepoint where that is wanted, and its pods go. All of it has one deadline, and an annotation that ends it at once.
 *
 * What must hold: nothing keeps a deployment for longer than `tailrace.operator.deletion.timeout`. Checkpoints that were not deleted by the job stay in the store.
 */
import { triggerIdOf } from '../../resources/hash.ts'
import { ANNOTATIONS } from '../../resources/names.ts'
import { type Draft, OPERATION_POLL_MS, wait } from './decide.ts'
import type { Act, Decision } from './decision.ts'
import { hasEnded, jobOf } from './facts.ts'
import { operatorSettings } from './settings.ts'

export function decideDeletion(draft: Draft): Decision {
  const { facts, record, nowMs, events } = draft
  const done = (...acts: Act[]): Decision => ({ record, acts, events, ...rest(draft) })
  const { sinceMs, force } = facts.deletion!
  if (!facts.hasFinalizer) return done()
  const workloads = facts.jobManager !== undefined || facts.taskManager !== undefined || facts.pods.length > 0
  const leave: Act[] = workloads
    ? [{ type: 'deleteWorkloads' }, { type: 'removeFinalizer' }]
    : [{ type: 'removeFinalizer' }]
  if (force) {
    events.push({ type: 'Warning', reason: 'CleanupForced', message: `by the annotation ${ANNOTATIONS.forceDelete}` })
    return done(...leave)
  }
  const spec = facts.kept?.spec ?? ('invalid' in facts.wanted ? undefined : facts.wanted.spec)
  const settings = operatorSettings(spec ?? { operatorConfiguration: {} })
  const leftMs = sinceMs + settings.deletionTimeoutMs - nowMs
  if (leftMs <= 0 && workloads) {
    const kept =
      record.checkpoint === undefined ? '' : `; the newest checkpoint that was seen is ${record.checkpoint.path}`
    events.push({
      type: 'Warning',
      reason: 'CleanupTimedOut',
      message: `after ${settings.deletionTimeoutMs} ms${kept}`,
    })
    return done(...leave)
  }
  if (record.step !== 'DELETING') {
    record.step = 'DELETING'
    delete record.stop
    record.pending = {}
    events.push({ type: 'Normal', reason: 'Cleanup', message: 'the job ends, and its pods go' })
  }
  draft.againMs = Math.max(1, Math.min(OPERATION_POLL_MS, leftMs))
  const job = jobOf(facts)
  const lives = job !== undefined && !hasEnded(job)
  if (workloads && lives && settings.savepointOnDeletion) {
    const triggerId = triggerIdOf(facts.identity.uid, 'stop:deletion')
    record.stop ??= { triggerId, jobId: job.id, sinceMs: nowMs }
    const operation = facts.operations[record.stop.triggerId]
    if (operation?.state === 'COMPLETED') savepointTaken(draft, operation.location)
    else {
      const failed = operation?.state === 'FAILED' ? operation.message : undefined
      wait(
        draft,
        failed ? 'SavepointFailed' : 'TakingSavepoint',
        failed ?? 'a savepoint is taken before the deployment goes',
      )
      if (failed !== undefined || operation?.state === 'IN_PROGRESS' || job.state !== 'RUNNING') return done()
      const { drainOnDeletion: drain } = settings
      return done({ type: 'stopWithSavepoint', jobId: job.id, triggerId: record.stop.triggerId, drain })
    }
  } else if (record.stop !== undefined) {
    const operation = facts.operations[record.stop.triggerId]
    if (operation?.state === 'COMPLETED') savepointTaken(draft, operation.location)
  } else if (workloads && lives) {
    wait(draft, 'JobEnds', 'the job is being cancelled')
    return done(...(job.state === 'CANCELLING' ? [] : [{ type: 'cancel', jobId: job.id } as const]))
  }
  if (workloads) {
    wait(draft, 'PodsLeave', 'the pods of the deployment are going')
    return done({ type: 'deleteWorkloads' })
  }
  return done({ type: 'removeFinalizer' })
}

function savepointTaken({ record, nowMs, events }: Draft, location: string): undefined {
  if (record.savepoint?.location === location) return
  record.savepoint = { location, timeMs: nowMs, kind: 'UPGRADE' }
  events.push({ type: 'Normal', reason: 'Savepoint', message: `before the deployment goes: ${location}` })
}

function rest({ waiting, againMs }: Draft) {
  return { ...(waiting && { waiting }), ...(againMs !== undefined && { againMs }) }
}
