/** The status of a deployment from the facts and what was decided: conditions, the job as Flink's operator prints it, and the record. Pure. */
import { shorten } from '../../../runtime/core/shorten.ts'
import type { ComponentSpec } from '../../api/deployment-spec.ts'
import { quantity } from '../../api/quantity.ts'
import type { StreamDeploymentStatus } from '../../api/status.ts'
import { selectorOf, selectorText } from '../../resources/names.ts'
import { conditionsOf, rfc3339 } from './conditions.ts'
import type { Decision } from './decision.ts'
import { type Facts, hasEnded, jobOf } from './facts.ts'

/** Of one text besides conditions: what went wrong is said at its beginning, and the whole of a status is to stay small. */
const TEXT_BYTES_MAX = 4_096

type Part<K extends keyof StreamDeploymentStatus> = NonNullable<StreamDeploymentStatus[K]>

/** @param before the status as it is */
export function statusOf(
  facts: Facts,
  decision: Decision,
  before: StreamDeploymentStatus | undefined,
  nowMs: number,
): StreamDeploymentStatus {
  const conditions = conditionsOf(facts, decision, before?.conditions ?? [], nowMs)
  const stalled = conditions.find(({ type, status }) => type === 'Stalled' && status === 'True')
  const invalid = conditions.find(({ type, status }) => type === 'ConfigValid' && status === 'False')
  const wrong = [invalid?.message, stalled?.message ?? decision.record.retry?.message].filter(
    (text) => text !== undefined,
  )
  const jobStatus = jobStatusOf(facts, decision, before?.jobStatus, nowMs)
  return {
    observedGeneration: facts.resourceGeneration,
    conditions,
    lifecycleState: lifecycleOf(facts, decision),
    ...(jobStatus && { jobStatus }),
    jobManagerDeploymentStatus: deploymentStatus(facts, stalled !== undefined),
    taskManager: {
      replicas: facts.taskManager?.replicas ?? 0,
      readyReplicas: facts.taskManager?.ready ?? 0,
      labelSelector: selectorText(selectorOf(facts.identity.name, 'taskmanager')),
    },
    clusterInfo: clusterInfo(facts, decision),
    error: shorten([...new Set(wrong)].join('; '), TEXT_BYTES_MAX),
    reconciliation: decision.record as unknown as Part<'reconciliation'>,
  }
}

function lifecycleOf(facts: Facts, { record }: Decision): Part<'lifecycleState'> {
  if (facts.deletion !== undefined) return 'DELETING'
  switch (record.step) {
    case 'CREATED':
      return 'invalid' in facts.wanted
        ? 'FAILED'
        : facts.wanted.spec.job?.state === 'suspended'
          ? 'SUSPENDED'
          : 'CREATED'
    case 'SUSPENDED':
      return 'SUSPENDED'
    case 'STOPPING':
      return 'UPGRADING'
    default: {
      const job = jobOf(facts)
      if (job?.state === 'FAILED') return 'FAILED'
      if (record.refused !== undefined) return 'ROLLED_BACK'
      const isSession = facts.kept !== undefined && facts.kept.spec.job === undefined
      const runs = isSession
        ? (facts.jobManager?.ready ?? 0) > 0
        : job !== undefined && (job.state === 'RUNNING' || hasEnded(job))
      return runs && facts.record.generation === record.generation ? 'STABLE' : 'DEPLOYED'
    }
  }
}

function deploymentStatus({ jobManager, pods }: Facts, trouble: boolean): Part<'jobManagerDeploymentStatus'> {
  if (jobManager === undefined) return 'MISSING'
  if (jobManager.ready > 0) return 'READY'
  if (!trouble && pods.some(({ component, phase }) => component === 'jobmanager' && phase === 'Running'))
    return 'DEPLOYED_NOT_READY'
  return trouble ? 'ERROR' : 'DEPLOYING'
}

/** As Flink's operator prints it: cores, and bytes. Of all pods that are to be. */
function clusterInfo({ kept, wanted }: Facts, { plan }: Decision): Record<string, string> {
  const spec = plan?.spec ?? kept?.spec ?? ('invalid' in wanted ? undefined : wanted.spec)
  const { jobManager, taskManager } = spec ?? {}
  const total = (of: (component: ComponentSpec) => number) =>
    plan?.pods && jobManager && taskManager
      ? of(jobManager) * jobManager.replicas + of(taskManager) * plan.taskManagers
      : 0
  return {
    'total-cpu': String(
      total(({ resources }) => quantity(resources.requests['cpu'] ?? resources.limits['cpu'] ?? '') ?? 0),
    ),
    'total-memory': String(total(({ memoryBytes }) => memoryBytes)),
  }
}

function jobStatusOf(
  facts: Facts,
  { record }: Decision,
  before: StreamDeploymentStatus['jobStatus'],
  nowMs: number,
): StreamDeploymentStatus['jobStatus'] {
  const spec = facts.kept?.spec ?? ('invalid' in facts.wanted ? undefined : facts.wanted.spec)
  if (spec?.job === undefined) return undefined
  const job = jobOf(facts)
  const { step } = record
  const silent = step === 'CREATED' ? 'CREATED' : 'RECONCILING'
  const state = step === 'SUSPENDED' ? 'SUSPENDED' : (job?.state ?? silent)
  const { savepoint, snapshotFailure, pending, checkpoint } = record
  const said = job ?? (before && { id: before.jobId, name: before.jobName, startTime: before.startTime })
  return {
    state,
    ...(said?.id && { jobId: said.id }),
    ...(said?.name && { jobName: said.name }),
    ...(said?.startTime && { startTime: String(said.startTime) }),
    updateTime: before?.state === state && before.updateTime ? before.updateTime : String(nowMs),
    ...(job && { parallelism: job.parallelism, restarts: job.restarts }),
    ...(job?.exception && { exception: shorten(`${job.exception.code} ${job.exception.message}`, TEXT_BYTES_MAX) }),
    ...(record.step === 'SUSPENDED' && record.restore && { upgradeSavepointPath: record.restore.from }),
    savepointInfo: {
      ...((savepoint || snapshotFailure) && {
        lastSavepoint: {
          ...(savepoint && {
            location: savepoint.location,
            timeStamp: savepoint.timeMs,
            ...(savepoint.nonce !== undefined && { triggerNonce: savepoint.nonce }),
            triggerType: savepoint.kind,
            formatType: 'CANONICAL',
          }),
          ...(snapshotFailure && { error: snapshotFailure.message }),
        },
      }),
      triggerId: pending.savepoint?.triggerId ?? record.stop?.triggerId ?? '',
      ...(pending.savepoint && {
        triggerNonce: pending.savepoint.nonce,
        triggerTimestamp: pending.savepoint.sinceMs,
        triggerType: 'MANUAL',
        formatType: 'CANONICAL',
      }),
    },
    checkpointInfo: {
      ...(checkpoint && {
        lastCheckpoint: {
          id: checkpoint.id,
          location: checkpoint.path,
          timeStamp: checkpoint.timeMs,
          time: rfc3339(checkpoint.timeMs),
          ...(record.nonces.checkpoint !== undefined && { triggerNonce: record.nonces.checkpoint }),
        },
      }),
      triggerId: pending.checkpoint?.triggerId ?? '',
    },
  }
}
