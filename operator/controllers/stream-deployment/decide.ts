/**
 * What is to be done about a deployment now: a pure function of what is wanted, what was decided and what is there.
 *
 * How: the record moves on as far as the facts allow (below, by its step); then everything that follows from the record is said again, as if nothing had been done (derive.ts). So it does not matter
 * after which act an operator has died. What must hold:
 * - A job whose state was promised begins with it or not at all: stateless is never chosen for anyone.
 * - What a job goes on from is settled by the JobManager in the store; here only a lower bound is known, and the path of a savepoint that was taken for it.
 * - A savepoint is asked for under an id that follows from the resource's uid and the nonce or the generation, so that asking again takes no second one.
 */
import { shorten } from '../../../runtime/core/shorten.ts'
import { decideScale } from '../../api/scale.ts'
import { triggerIdOf } from '../../resources/hash.ts'
import { type Render, render as standardRender } from '../../resources/rendering.ts'
import type { RestoreDirective } from '../../resources/restore-directive.ts'
import { decideDeletion } from './decide-deletion.ts'
import { decideSnapshots, isTaking } from './decide-snapshots.ts'
import type { Decision, EventWish } from './decision.ts'
import { derive } from './derive.ts'
import { type Difference, differenceOf } from './diff.ts'
import { type Facts, hasEnded, type JobView, jobOf, type KnownSpec } from './facts.ts'
import type { ConditionReason } from './reasons.ts'
import type { Reconciliation } from './record.ts'
import { operatorSettings } from './settings.ts'

/** A decision that is being made: functions below change it. */
export interface Draft {
  readonly facts: Facts
  readonly nowMs: number
  readonly render: Render
  record: Reconciliation
  events: EventWish[]
  waiting?: { reason: ConditionReason; message: string }
  againMs?: number
}

/** A JobManager that does not say anything of a stop is given up after so long. */
const STOP_SILENCE_MS = 60_000
const RETRY_FIRST_MS = 10_000
const RETRY_MAX_MS = 300_000
/** Of a text that is kept in the record. */
export const TEXT_BYTES_MAX = 2_048
/** Between two looks at what a JobManager is doing for us. */
export const OPERATION_POLL_MS = 500

/**
 * @param render what pods are made of
 * @example
 * const { record, plan, acts } = decide(await gather(key), Date.now())
 */
export function decide(facts: Facts, nowMs: number, render: Render = standardRender): Decision {
  const draft: Draft = { facts, nowMs, render, record: structuredClone(facts.record), events: [] }
  if (facts.deletion !== undefined) return decideDeletion(draft)
  observe(draft)
  const target = targetOf(facts)
  if (target === undefined) return derive(draft)
  if (facts.leftovers.length > 0 && draft.record.step === 'CREATED') {
    wait(
      draft,
      'PredecessorLeaves',
      `of a deployment of this name that was deleted there are still ${facts.leftovers.join(', ')}`,
    )
    draft.againMs = OPERATION_POLL_MS
    return derive(draft)
  }
  switch (draft.record.step) {
    case 'CREATED':
      created(draft, target)
      break
    case 'DEPLOYED':
      deployed(draft, target)
      break
    case 'STOPPING':
      stopping(draft, target)
      break
    case 'SUSPENDED':
      suspended(draft, target)
      break
    case 'DELETING':
      break
  }
  return derive(draft)
}

/** The wanted spec, unless it is not valid or was refused by the state that it would have to go on from: then the one before. */
export function targetOf({ wanted, kept, record }: Facts): KnownSpec | undefined {
  if ('invalid' in wanted) return kept
  if (record.refused?.revision === wanted.revision) return kept ?? wanted
  return wanted
}

/** Takes over what the JobManager says of the job of this generation. */
function observe(draft: Draft): undefined {
  const { facts, record } = draft
  const job = jobOf(facts)
  if (job === undefined) return
  const { latestCheckpoint, state } = job
  if (latestCheckpoint !== undefined && latestCheckpoint.id >= (record.checkpoint?.id ?? 0)) {
    record.checkpoint = { id: latestCheckpoint.id, path: latestCheckpoint.path, timeMs: latestCheckpoint.time }
  }
  const runs = state === 'RUNNING' || state === 'RESTARTING' || state === 'FINISHED' || latestCheckpoint !== undefined
  if (runs && !record.begun) {
    record.begun = true
    delete record.previous
  }
}

function created(draft: Draft, target: KnownSpec): undefined {
  const { facts, record } = draft
  const { job } = target.spec
  if (job?.state === 'suspended') return
  record.nonces = {
    ...(job?.savepointTriggerNonce !== undefined && { savepoint: job.savepointTriggerNonce }),
    ...(job?.checkpointTriggerNonce !== undefined && { checkpoint: job.checkpointTriggerNonce }),
  }
  // A status that was lost: the Lease knows which generations there have been.
  const known = facts.lease?.restore
  if (known !== undefined) {
    record.generation = known.generation
    return deploy(draft, target, next(record, { from: 'latest', neverEmpty: known.neverEmpty ?? false }))
  }
  const path = job?.initialSavepointPath
  deploy(
    draft,
    target,
    next(record, path === undefined ? { from: 'latest', neverEmpty: false } : { from: path, neverEmpty: true }),
  )
}

function deployed(draft: Draft, target: KnownSpec): undefined {
  const { facts, record, nowMs } = draft
  if (isRefused(draft)) return
  const kept = facts.kept
  const difference: Difference = kept === undefined ? { class: 'RESTART', fields: [] } : differenceOf(kept, target)
  if (difference.class === 'REDEPLOY') return redeploy(draft, target)
  const suspends = target.spec.job?.state === 'suspended'
  decideSnapshots(draft, target.spec)
  if (difference.class !== 'RESTART' && !suspends) {
    delete record.retry
    return follow(draft, target)
  }
  if (isTaking(draft)) {
    return wait(
      draft,
      'SnapshotFirst',
      'the savepoint or checkpoint that was asked for is taken before the job is stopped',
    )
  }
  const { retry } = record
  if (retry !== undefined && retry.revision === target.revision && nowMs < retry.notBeforeMs) {
    draft.againMs = retry.notBeforeMs - nowMs
    return wait(draft, 'SavepointFailed', retry.message)
  }
  const why = suspends ? 'the job is to be suspended' : `changed: ${difference.fields.slice(0, 5).join(', ')}`
  stop(draft, target, why)
}

/** Takes over an edit that restarts nothing. */
function follow({ record, facts, events, ...draft }: Draft, target: KnownSpec): undefined {
  record.scale = decideScale(wishOf(target), record.scale)
  if (record.revision === target.revision) return
  const before = facts.kept === undefined ? 'NONE' : differenceOf(facts.kept, target).class
  if (before === 'RESCALE') {
    const { parallelism, taskManagers } = record.scale
    events.push({
      type: 'Normal',
      reason: 'Scaling',
      message: `to parallelism ${parallelism} on ${taskManagers} TaskManagers`,
    })
  }
  record.revision = target.revision
}

export function wishOf({ spec }: KnownSpec): Parameters<typeof decideScale>[0] {
  return {
    replicas: spec.taskManager.replicas,
    parallelism: spec.job?.parallelism,
    slots: spec.taskManager.slots,
    reactive: spec.reactive,
    session: spec.job === undefined,
  }
}

/** Ends the job so that it can go on: by the upgrade mode where that can be done now, never with less state than it asks for. */
function stop(draft: Draft, target: KnownSpec, why: string): undefined {
  const { record, facts, nowMs } = draft
  const job = jobOf(facts)
  const { spec } = target
  if (spec.job === undefined) return deploy(draft, target, next(record, { from: 'latest', neverEmpty: false }), why)
  if (spec.job.upgradeMode === 'stateless')
    return ended(draft, target, next(record, { from: 'empty', neverEmpty: false }), why)
  // Nobody knows of any state of it but what it was to begin with: the same generation tries again.
  if (!record.begun) return ended(draft, target, record.restore!, why)
  if (job !== undefined && hasEnded(job)) return ended(draft, target, afterEnd(record, job), why)
  if (job?.state === 'CANCELLING') return wait(draft, 'JobEnds', 'the job is being cancelled')
  const settings = operatorSettings(spec)
  const checkpointMs = record.checkpoint?.timeMs ?? 0
  const tooOld = settings.checkpointAgeMaxMs !== undefined && nowMs - checkpointMs > settings.checkpointAgeMaxMs
  if (job?.state === 'RUNNING' && (spec.job.upgradeMode === 'savepoint' || tooOld)) {
    const attempt = record.retry?.revision === target.revision ? record.retry.attempts : 0
    record.step = 'STOPPING'
    record.stop = {
      triggerId: triggerIdOf(facts.identity.uid, `stop:${record.generation}:${target.revision}:${attempt}`),
      jobId: job.id,
      sinceMs: nowMs,
    }
    draft.events.push({ type: 'Normal', reason: 'Stopping', message: `with a savepoint; ${why}` })
    return
  }
  if (spec.job.upgradeMode === 'savepoint' && !settings.lastStateFallback) {
    return wait(
      draft,
      'JobNotRunning',
      `a savepoint can be taken of a job that runs; it is ${job?.state ?? 'not known to any JobManager'}`,
    )
  }
  ended(draft, target, fromLatest(record), why)
}

/** What a job that has ended by itself, or by somebody else, goes on from. */
function afterEnd(record: Reconciliation, { state, latestSavepoint }: JobView): RestoreDirective {
  const isNewer = latestSavepoint !== undefined && latestSavepoint.time >= (record.checkpoint?.timeMs ?? 0)
  return state === 'FINISHED' && isNewer
    ? next(record, { from: latestSavepoint.path, neverEmpty: true })
    : fromLatest(record)
}

/** Where no checkpoint is known, the generation stays: its next start goes on from the newest that there is, or from what it began with. */
function fromLatest(record: Reconciliation): RestoreDirective {
  const { checkpoint } = record
  if (checkpoint === undefined) return record.restore!
  return next(record, { from: 'latest', atLeast: checkpoint.id, neverEmpty: true })
}

function next({ generation }: Reconciliation, restore: Omit<RestoreDirective, 'generation'>): RestoreDirective {
  return { generation: generation + 1, ...restore }
}

/** The job has ended, or will with the pods of its JobManager. */
function ended(draft: Draft, target: KnownSpec, restore: RestoreDirective, why: string): undefined {
  const { record } = draft
  if (target.spec.job?.state !== 'suspended') return deploy(draft, target, restore, why)
  delete record.stop
  delete record.retry
  record.step = 'SUSPENDED'
  record.revision = target.revision
  record.restore = restore
  record.pending = {}
  draft.events.push({ type: 'Normal', reason: 'Suspended', message: `the next start goes on from ${restore.from}` })
}

function deploy(draft: Draft, target: KnownSpec, restore: RestoreDirective, why?: string): undefined {
  const { record, facts } = draft
  const isNew = restore.generation !== record.generation
  if (isNew) {
    // Numbers of checkpoints go on with the line that they are of.
    if (restore.from !== 'latest') delete record.checkpoint
    record.begun = false
  }
  delete record.stop
  delete record.retry
  delete record.snapshotFailure
  delete record.rendering
  if (record.refused?.revision !== target.revision && facts.kept?.revision !== target.revision) delete record.refused
  if (record.revision !== undefined && record.revision !== target.revision) record.previous = record.revision
  record.step = 'DEPLOYED'
  record.generation = restore.generation
  record.revision = target.revision
  record.restore = restore
  record.scale = decideScale(wishOf(target), record.scale)
  record.pending = {}
  const from = restore.from === 'latest' && !restore.neverEmpty ? 'nothing' : restore.from
  draft.events.push({
    type: 'Normal',
    reason: 'Submit',
    message: `generation ${restore.generation}, from ${from}${why ? `; ${why}` : ''}`,
  })
}

/** Away from all state that there is, to the savepoint that the spec names. */
function redeploy(draft: Draft, target: KnownSpec): undefined {
  const path = target.spec.job?.initialSavepointPath
  const restore = path === undefined ? { from: 'empty', neverEmpty: false } : { from: path, neverEmpty: true }
  ended(draft, target, next(draft.record, restore), 'savepointRedeployNonce')
}

function stopping(draft: Draft, target: KnownSpec): undefined {
  const { record, facts, nowMs, events } = draft
  const { kept } = facts
  if (kept !== undefined && differenceOf(kept, target).class === 'REDEPLOY') return redeploy(draft, target)
  const stop = record.stop!
  const operation = facts.operations[stop.triggerId] ?? { state: 'UNKNOWN' }
  draft.againMs = OPERATION_POLL_MS
  if (operation.state === 'COMPLETED') return behindSavepoint(draft, target, operation.location)
  if (operation.state === 'IN_PROGRESS') return wait(draft, 'TakingSavepoint', 'the job stops with a savepoint')
  if (operation.state === 'FAILED') {
    const attempts = (record.retry?.attempts ?? 0) + 1
    const message = shorten(operation.message, TEXT_BYTES_MAX)
    const waitMs = Math.min(RETRY_FIRST_MS * 2 ** (attempts - 1), RETRY_MAX_MS)
    record.retry = { revision: target.revision, attempts, notBeforeMs: nowMs + waitMs, message }
    record.snapshotFailure = { message, timeMs: nowMs }
    record.step = 'DEPLOYED'
    delete record.stop
    draft.againMs = waitMs
    events.push({
      type: 'Warning',
      reason: 'SavepointFailed',
      message: `the job goes on as it was: ${message}`,
    })
    return wait(draft, 'SavepointFailed', message)
  }
  const job = jobOf(facts)
  if (job?.id === stop.jobId && job.state === 'RUNNING')
    return wait(draft, 'TakingSavepoint', 'the job stops with a savepoint')
  if (job !== undefined && hasEnded(job)) {
    const { latestSavepoint: taken } = job
    const isOurs =
      taken?.triggerId === stop.triggerId || (job.state === 'FINISHED' && (taken?.time ?? 0) >= stop.sinceMs)
    if (isOurs) return behindSavepoint(draft, target, taken!.path)
    return ended(draft, target, afterEnd(record, job), `the job is ${job.state}`)
  }
  const mode = target.spec.job?.upgradeMode
  if (mode === 'stateless') return ended(draft, target, next(record, { from: 'empty', neverEmpty: false }), 'stateless')
  if (mode === 'last-state') return ended(draft, target, fromLatest(record), 'the job does not run')
  if (nowMs - stop.sinceMs < STOP_SILENCE_MS) {
    return wait(draft, 'JobManagerSilent', 'the job was to stop with a savepoint, of which no JobManager knows')
  }
  if (operatorSettings(target.spec).lastStateFallback)
    return ended(draft, target, fromLatest(record), 'no savepoint could be taken')
  record.step = 'DEPLOYED'
  delete record.stop
}

function behindSavepoint(draft: Draft, target: KnownSpec, location: string): undefined {
  const { record, nowMs } = draft
  record.savepoint = { location, timeMs: nowMs, kind: 'UPGRADE' }
  ended(draft, target, next(record, { from: location, neverEmpty: true }), 'stopped with a savepoint')
}

function suspended(draft: Draft, target: KnownSpec): undefined {
  const { record, facts } = draft
  const { kept } = facts
  const redeploys = kept !== undefined && differenceOf(kept, target).class === 'REDEPLOY'
  if (redeploys) return redeploy(draft, target)
  if (target.spec.job?.state !== 'suspended') {
    const stateless = target.spec.job?.upgradeMode === 'stateless'
    return deploy(
      draft,
      target,
      stateless ? next(record, { from: 'empty', neverEmpty: false }) : record.restore!,
      'resumed',
    )
  }
  if (record.revision === target.revision) return
  record.revision = target.revision
}

/** The job cannot go on from its state with this spec: the one before goes on from it again. */
function isRefused(draft: Draft): boolean {
  const { record, facts, events } = draft
  const job = jobOf(facts)
  const { previous } = facts
  if (record.begun || previous === undefined || record.revision === previous.revision) return false
  if (job?.state !== 'FAILED' || !/^TR-(CHECKPOINT|STATE)-/.test(job.exception?.code ?? '')) return false
  const message = shorten(`${job.exception!.code} ${job.exception!.message}`, TEXT_BYTES_MAX)
  const refused = { revision: record.revision!, message }
  events.push({ type: 'Warning', reason: 'RestoreFailed', message: `the job before goes on: ${message}` })
  const { generation: _, ...restore } = record.restore!
  deploy(draft, previous, next(record, restore), 'the spec before')
  record.refused = refused
  delete record.previous
  return true
}

export function wait(draft: Draft, reason: ConditionReason, message: string): undefined {
  draft.waiting = { reason, message }
}
