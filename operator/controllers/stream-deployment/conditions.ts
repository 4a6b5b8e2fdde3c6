/**
 * What is so of a deployment, by type. All types are always there; each tells of the generation of the spec that it is about, and its time changes with its status only.
 *
 * What must hold: `Ready` is True for a generation when the job runs as that one says. While the job still runs as an earlier one said, it is True for the earlier one, so that who waits for
 * an edit (`kubectl wait` compares generations) waits on, and who watches the job sees that it runs.
 */

import { durationMs } from '../../../runtime/core/duration.ts'
import { shorten } from '../../../runtime/core/shorten.ts'
import type { Condition, ConditionType } from '../../api/status.ts'
import type { Decision } from './decision.ts'
import { type Facts, type JobState, jobOf } from './facts.ts'
import { type Trouble, troubleOf } from './pod-trouble.ts'
import type { ConditionReason } from './reasons.ts'
import type { Reconciliation } from './record.ts'

type Said = Pick<Condition, 'status' | 'message'> & { reason: ConditionReason }

/** Kubernetes has no longer ones. */
const MESSAGE_BYTES_MAX = 32_768
/** Checkpoints may be late by so many of their intervals. */
const LATE_INTERVALS = 3
const CHECKPOINT_LATE_MIN_MS = 60_000
/** Savepoints of an upgrade that failed so often need somebody. */
const ATTEMPTS_MAX = 3

/** @param before those of the status as it is */
export function conditionsOf(
  facts: Facts,
  decision: Decision,
  before: readonly Condition[],
  nowMs: number,
): Condition[] {
  const said = say(facts, decision, nowMs)
  return Object.entries(said).map(([type, one]) => {
    const last = before.find((condition) => condition.type === type)
    const isOfBefore = type === 'Ready' && one.status === 'True' && !runsAsWanted(facts, decision)
    return {
      type,
      status: one.status,
      reason: one.reason,
      message: shorten(one.message, MESSAGE_BYTES_MAX),
      lastTransitionTime: last?.status === one.status ? last.lastTransitionTime : rfc3339(nowMs),
      observedGeneration: (isOfBefore ? last?.observedGeneration : undefined) ?? facts.resourceGeneration,
    }
  })
}

/** Nothing of the last edit is still to be done. */
function runsAsWanted(facts: Facts, { record }: Decision): boolean {
  const { wanted } = facts
  return (
    'revision' in wanted &&
    wanted.revision === record.revision &&
    record.step === 'DEPLOYED' &&
    !rescaling(facts, record)
  )
}

function say(facts: Facts, decision: Decision, nowMs: number): Record<ConditionType, Said> {
  const { record } = decision
  const jobManager = troubleOf(facts, 'jobmanager', nowMs)
  const taskManager = troubleOf(facts, 'taskmanager', nowMs)
  const stalled = stalledOf(facts, decision, jobManager ?? taskManager)
  const ready = readyOf(facts, decision, jobManager ?? taskManager)
  return {
    Ready: ready,
    Progressing: progressing(facts, decision, ready, stalled),
    Stalled: stalled,
    ConfigValid: configValid(facts),
    JobManagerAvailable: available(facts, record.step, 'jobManager', jobManager),
    TaskManagersAvailable: available(facts, record.step, 'taskManager', taskManager),
    CheckpointHealthy: checkpointHealthy(facts, decision, nowMs),
    SnapshotSucceeded: snapshotSucceeded(decision),
    Succeeded: succeeded(facts),
  }
}

function configValid({ wanted, warnings, record }: Facts): Said {
  if ('invalid' in wanted) {
    const rest = record.revision === undefined ? '' : '; the last spec that was valid keeps running'
    return { status: 'False', reason: 'Invalid', message: `${wanted.invalid.join('; ')}${rest}` }
  }
  return { status: 'True', reason: warnings.length > 0 ? 'Warnings' : 'Valid', message: warnings.join('; ') }
}

function readyOf(facts: Facts, { record, waiting }: Decision, trouble: Trouble | undefined): Said {
  const no = (reason: ConditionReason, message: string): Said => ({ status: 'False', reason, message })
  if (facts.deletion !== undefined) return no('Deleting', 'it is being deleted')
  if (record.step === 'CREATED') return no('NotDeployed', waiting?.message ?? 'nothing runs yet')
  if (record.step === 'SUSPENDED') return no('Suspended', `the next start goes on from ${record.restore?.from}`)
  const job = jobOf(facts)
  const isSession = specOf(facts)?.job === undefined
  if (isSession) {
    const up = facts.jobManager !== undefined && facts.jobManager.ready > 0 && facts.jobManager.settled
    return up
      ? { status: 'True', reason: 'SessionReady', message: 'it takes jobs' }
      : no(trouble?.reason ?? 'Starting', trouble?.message ?? 'its JobManager starts')
  }
  if (job?.state === 'RUNNING')
    return { status: 'True', reason: 'Running', message: `the job runs with parallelism ${job.parallelism}` }
  if (trouble !== undefined) return no(trouble.reason, trouble.message)
  if (job === undefined) return no('JobManagerSilent', 'no JobManager of this generation answers yet')
  const failure = job.exception === undefined ? '' : `: ${job.exception.code} ${job.exception.message}`
  return no(OF_STATE[job.state], `the job is ${job.state}${failure}`)
}

function progressing(facts: Facts, { record, waiting }: Decision, ready: Said, stalled: Said): Said {
  if (waiting !== undefined) return { status: 'True', reason: waiting.reason, message: waiting.message }
  if (record.step === 'STOPPING')
    return { status: 'True', reason: 'Upgrading', message: 'the job stops with a savepoint' }
  if (facts.deletion !== undefined) return { status: 'True', reason: 'Deleting', message: 'it is being deleted' }
  const message = rescaling(facts, record)
  if (message !== undefined) return { status: 'True', reason: 'Rescaling', message }
  const waits =
    record.step === 'DEPLOYED' &&
    ready.status !== 'True' &&
    stalled.status !== 'True' &&
    succeeded(facts).status !== 'True'
  return waits
    ? { status: 'True', reason: 'Starting', message: ready.message }
    : { status: 'False', reason: 'AtRest', message: '' }
}

/** What a rescale that is not over does. */
function rescaling(facts: Facts, { step, scale }: Reconciliation): string | undefined {
  const job = jobOf(facts)
  if (step !== 'DEPLOYED' || scale === undefined || scale.parallelism === 0 || job?.state !== 'RUNNING') return
  const pods = facts.taskManager?.replicas ?? scale.taskManagers
  if (job.parallelism === scale.parallelism && pods <= scale.taskManagers) return
  return `from parallelism ${job.parallelism} on ${pods} TaskManagers to ${scale.parallelism} on ${scale.taskManagers}`
}

function stalledOf(facts: Facts, { record }: Decision, trouble: Trouble | undefined): Said {
  const yes = (reason: ConditionReason, message: string): Said => ({ status: 'True', reason, message })
  if (trouble?.stalled === true) return yes(trouble.reason, trouble.message)
  if ('revision' in facts.wanted && record.refused?.revision === facts.wanted.revision) {
    return yes('RestoreFailed', `the spec before runs: ${record.refused.message}`)
  }
  if (facts.refusal !== undefined) return yes('ApplyRefused', facts.refusal)
  const { retry } = record
  if (retry !== undefined && retry.attempts >= ATTEMPTS_MAX)
    return yes('UpgradeFailed', `after ${retry.attempts} attempts: ${retry.message}`)
  const job = jobOf(facts)
  if (job?.state === 'FAILED')
    return yes(
      'JobFailed',
      job.exception === undefined ? 'the job has failed' : `${job.exception.code} ${job.exception.message}`,
    )
  return { status: 'False', reason: 'NoTrouble', message: '' }
}

function available(
  facts: Facts,
  step: string,
  which: 'jobManager' | 'taskManager',
  trouble: Trouble | undefined,
): Said {
  const workload = facts[which]
  if (workload === undefined) {
    const rests = step === 'SUSPENDED' || step === 'CREATED'
    return {
      status: 'False',
      reason: rests ? 'NotWanted' : 'Missing',
      message: rests ? 'nothing is to run' : 'it is being made',
    }
  }
  const { ready, replicas } = workload
  // One JobManager leads; others stand by, and are not ready.
  const enough = which === 'jobManager' ? ready > 0 : ready >= replicas
  const count = `${ready} of ${replicas} are ready`
  if (enough) return { status: 'True', reason: 'Available', message: count }
  return {
    status: 'False',
    reason: trouble?.reason ?? 'Starting',
    message: trouble === undefined ? count : `${count}; ${trouble.message}`,
  }
}

function checkpointHealthy(facts: Facts, decision: Decision, nowMs: number): Said {
  const { record } = decision
  const unknown = (reason: ConditionReason, message: string): Said => ({ status: 'Unknown', reason, message })
  const job = jobOf(facts)
  if (job?.state !== 'RUNNING') return unknown('NotRunning', 'the job does not run')
  const late = lateness(facts, decision, nowMs)
  if (late === undefined) return unknown('NotConfigured', 'execution.checkpointing.interval is not set')
  const { agoMs, lateMs } = late
  if (agoMs > lateMs)
    return { status: 'False', reason: 'Late', message: `none was completed since ${rfc3339(nowMs - agoMs)}` }
  if (record.checkpoint === undefined) return unknown('NoneYet', 'none was completed yet')
  return { status: 'True', reason: 'Completed', message: `checkpoint ${record.checkpoint.id}` }
}

/** How long ago the newest checkpoint of a job that runs is, and when it is late; undefined: there are to be none. */
export function lateness(
  facts: Facts,
  { record }: Decision,
  nowMs: number,
): { agoMs: number; lateMs: number } | undefined {
  const job = jobOf(facts)
  const intervalMs = interval(specOf(facts)?.configuration ?? {})
  if (job?.state !== 'RUNNING' || intervalMs === undefined) return
  const lastMs = Math.max(record.checkpoint?.timeMs ?? 0, job.startTime)
  return { agoMs: nowMs - lastMs, lateMs: Math.max(intervalMs * LATE_INTERVALS, CHECKPOINT_LATE_MIN_MS) }
}

function interval(configuration: Record<string, string>): number | undefined {
  const text = configuration['execution.checkpointing.interval']
  if (text === undefined) return
  try {
    const ms = durationMs(/^\d+$/.test(text) ? Number(text) : text)
    return ms > 0 ? ms : undefined
  } catch {
    return
  }
}

function snapshotSucceeded({ record }: Decision): Said {
  const { savepoint, snapshotFailure, pending } = record
  if (pending.savepoint !== undefined || pending.checkpoint !== undefined)
    return { status: 'Unknown', reason: 'InProgress', message: 'one is being taken' }
  if (snapshotFailure !== undefined && snapshotFailure.timeMs >= (savepoint?.timeMs ?? 0)) {
    const nonce = snapshotFailure.nonce === undefined ? '' : `nonce ${snapshotFailure.nonce}: `
    return { status: 'False', reason: 'Failed', message: `${nonce}${snapshotFailure.message}` }
  }
  if (savepoint === undefined) return { status: 'Unknown', reason: 'NoneYet', message: 'none was asked for' }
  return { status: 'True', reason: 'Completed', message: savepoint.location }
}

function succeeded(facts: Facts): Said {
  const job = jobOf(facts)
  if (job?.state === 'FINISHED') return { status: 'True', reason: 'Finished', message: 'the job has come to its end' }
  const over = job?.state === 'FAILED' || job?.state === 'CANCELED'
  return { status: over ? 'False' : 'Unknown', reason: over ? OF_STATE[job.state] : 'NotFinished', message: '' }
}

function specOf({ kept, wanted }: Facts) {
  return kept?.spec ?? ('invalid' in wanted ? undefined : wanted.spec)
}

const OF_STATE: Readonly<Record<JobState, ConditionReason>> = {
  CREATED: 'Created',
  INITIALIZING: 'Initializing',
  RUNNING: 'Running',
  RESTARTING: 'Restarting',
  FAILING: 'Failing',
  FAILED: 'Failed',
  CANCELLING: 'Cancelling',
  CANCELED: 'Canceled',
  FINISHED: 'Finished',
  SUSPENDED: 'Suspended',
  RECONCILING: 'Reconciling',
}

/** Whole seconds, as Kubernetes has times. */
export function rfc3339(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}
