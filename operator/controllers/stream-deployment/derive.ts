/**
 * What follows from a record and the facts, whatever was done before: the children as they are to be, what the JobManager is asked for, and pods that have to go.
 *
 * What must hold: the same record and facts give the same acts, and each act can be done twice.
 */
import type { ClusterPlan } from '../../resources/children.ts'
import { ANNOTATIONS } from '../../resources/names.ts'
import { renderingName } from '../../resources/rendering.ts'
import type { Draft } from './decide.ts'
import { targetOf } from './decide.ts'
import type { Act, Decision } from './decision.ts'
import { type Facts, hasEnded, jobOf, type KnownSpec } from './facts.ts'
import type { PendingSnapshot, Reconciliation } from './record.ts'

export function derive(draft: Draft): Decision {
  const { facts, record, events, waiting, againMs } = draft
  const decision: Decision = {
    record,
    acts: [],
    events,
    ...(waiting && { waiting }),
    ...(againMs !== undefined && { againMs }),
  }
  if (!facts.hasFinalizer && targetOf(facts) !== undefined) decision.acts.push({ type: 'addFinalizer' })
  const spec = specOf(facts, record)
  if (record.step === 'CREATED' || spec === undefined) return decision
  const isLost = facts.lost?.has(spec.revision) === true
  if (spec.revision !== facts.record.revision || isLost) decision.keepRevision = spec.revision
  const wish = planOf(facts, record, spec)
  const { spec: wanted, slots, generation } = wish
  const isKept = record.rendering !== undefined && record.rendering === facts.record.rendering
  const rendering =
    (isKept && facts.rendering) || draft.render({ identity: facts.identity, spec: wanted, slots, generation })
  if (rendering !== facts.rendering) record.rendering = renderingName(facts.identity, rendering)
  if (record.rendering !== facts.record.rendering || facts.lost?.has(record.rendering!))
    decision.keepRendering = { name: record.rendering!, data: rendering }
  decision.plan = { ...wish, rendering }
  decision.acts.push(...jobActs(facts, record, draft.nowMs), ...podActs(draft, decision.plan))
  if (record.step === 'SUSPENDED' && (facts.jobManager !== undefined || facts.taskManager !== undefined)) {
    decision.acts.push({ type: 'deleteWorkloads' })
  }
  return decision
}

/** That of the record's revision. */
function specOf({ wanted, kept, previous }: Facts, { revision }: Reconciliation): KnownSpec | undefined {
  return [kept, previous, 'invalid' in wanted ? undefined : wanted].find((one) => one?.revision === revision)
}

export function planOf(facts: Facts, record: Reconciliation, { spec }: KnownSpec): ClusterPlan {
  const scale = record.scale!
  const allow = spec.job?.allowNonRestoredState === true
  const restore = { ...record.restore!, ...(allow && { allowNonRestoredState: true }) }
  return {
    spec,
    generation: record.generation,
    slots: scale.slots,
    parallelism: spec.job === undefined ? undefined : scale.parallelism,
    taskManagers: taskManagersNow(facts, record),
    // Also while it is being stopped: a JobManager that is started again meanwhile knows whether it was.
    restore,
    pods: record.step === 'DEPLOYED' || record.step === 'STOPPING',
  }
}

/** Fewer only when the job has left those that go. */
function taskManagersNow(facts: Facts, record: Reconciliation): number {
  const wanted = record.scale!.taskManagers
  const now = facts.taskManager?.replicas
  if (now === undefined || now <= wanted) return wanted
  const job = jobOf(facts)
  if (job === undefined) return record.begun && record.step !== 'SUSPENDED' ? now : wanted
  if (hasEnded(job)) return wanted
  const busy = facts.cluster!.slots.byTaskManager.filter(({ total, free }) => free < total)
  const highest = Math.max(-1, ...busy.map(({ id }) => Number(/-(\d+)$/.exec(id)?.[1] ?? -1)))
  return Math.min(now, Math.max(wanted, highest + 1))
}

/** A JobManager that knows an id already does nothing. */
function jobActs({ operations, ...facts }: Facts, record: Reconciliation, nowMs: number): Act[] {
  const job = jobOf(facts)
  if (job?.state !== 'RUNNING') return []
  const isNew = (triggerId: string) => (operations[triggerId]?.state ?? 'UNKNOWN') === 'UNKNOWN'
  const acts: Act[] = []
  const { stop, pending } = record
  if (record.step === 'STOPPING' && stop !== undefined && isNew(stop.triggerId) && stop.jobId === job.id) {
    acts.push({ type: 'stopWithSavepoint', jobId: job.id, triggerId: stop.triggerId, drain: false })
  }
  const { savepoint, checkpoint } = pending
  const isDue = ({ triggerId, notBeforeMs = 0 }: PendingSnapshot) => isNew(triggerId) && nowMs >= notBeforeMs
  if (savepoint !== undefined && isDue(savepoint)) {
    acts.push({ type: 'triggerSavepoint', jobId: job.id, triggerId: savepoint.triggerId })
  }
  if (checkpoint !== undefined && isDue(checkpoint)) {
    acts.push({ type: 'triggerCheckpoint', jobId: job.id, triggerId: checkpoint.triggerId })
  }
  return acts
}

/** TaskManagers of another template go when the StatefulSet makes new ones; pods of nodes that are lost go for good. */
function podActs(draft: Draft, plan: ClusterPlan): Act[] {
  const { facts, record, nowMs } = draft
  const acts: Act[] = []
  for (const pod of facts.pods) {
    const lost = pod.evicted === true || (pod.node !== undefined && facts.deadNodes?.has(pod.node) === true)
    if (!lost || pod.deletionMs === undefined) continue
    const leftMs = pod.deletionMs - nowMs
    // What it may still do is fenced by the epoch of its JobManager.
    if (leftMs <= 0) acts.push({ type: 'deletePod', name: pod.name, uid: pod.uid, force: true })
    else draft.againMs = Math.min(draft.againMs ?? leftMs, leftMs)
  }
  const taskManagers = facts.pods.filter((pod) => pod.component === 'taskmanager' && pod.deletionMs === undefined)
  if (record.step !== 'DEPLOYED' || facts.taskManager?.settled !== true || taskManagers.length === 0) return acts
  const wanted = plan.rendering?.taskManager.metadata?.annotations?.[ANNOTATIONS.template]
  if (facts.taskManager.template !== wanted) return acts
  for (const { name, uid, template } of taskManagers) {
    if (template !== wanted) acts.push({ type: 'deletePod', name, uid, force: false })
  }
  return acts
}
