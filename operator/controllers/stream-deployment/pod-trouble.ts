/**
 * Why pods do not run, in one word and one sentence: from what Kubernetes says of pods, their containers, and the objects that make them. JobManagers and TaskManagers alike.
 */
import type { ContainerFacts, Facts, PodFacts, WorkloadFacts } from './facts.ts'
import type { ConditionReason } from './reasons.ts'

export interface Trouble {
  reason: ConditionReason
  message: string
  /** Somebody has to act; otherwise it may pass by itself. */
  stalled: boolean
}

/** A pod that was placed a moment ago has no trouble yet. */
const UNSCHEDULABLE_MS = 10_000
/** With so many restarts it does not heal by itself. */
const RESTARTS_MAX = 3

const IMAGE = new Set([
  'ErrImagePull',
  'ImagePullBackOff',
  'InvalidImageName',
  'ErrImageNeverPull',
  'RegistryUnavailable',
])

/** The worst of a component's pods; undefined: none. */
export function troubleOf(facts: Facts, component: PodFacts['component'], nowMs: number): Trouble | undefined {
  const workload = component === 'jobmanager' ? facts.jobManager : facts.taskManager
  const found = facts.pods
    .filter((pod) => pod.component === component && pod.deletionMs === undefined && !pod.ready)
    .map((pod) => podTrouble(pod, nowMs))
    .filter((trouble) => trouble !== undefined)
  const account = facts.missingServiceAccount
  if (account !== undefined) {
    const message = `the service account "${account}" is not there; make it, or leave spec.serviceAccount out`
    return { reason: 'ServiceAccountMissing', message, stalled: true }
  }
  return found.find(({ stalled }) => stalled) ?? workloadTrouble(workload) ?? found[0]
}

function workloadTrouble(workload: WorkloadFacts | undefined): Trouble | undefined {
  const message = workload?.failure
  if (message === undefined) return
  const quota = /exceeded quota/.test(message)
  const account = /serviceaccount .* not found|error looking up service account/i.test(message)
  const reason = quota ? 'QuotaExceeded' : account ? 'ServiceAccountMissing' : 'PodsRefused'
  return { reason, message, stalled: true }
}

function podTrouble(pod: PodFacts, nowMs: number): Trouble | undefined {
  const say = (reason: ConditionReason, message: string, stalled: boolean): Trouble => ({
    reason,
    message: `pod ${pod.name}: ${message}`,
    stalled,
  })
  for (const container of pod.containers) {
    const trouble = containerTrouble(container)
    if (trouble !== undefined) return say(...trouble)
  }
  if (pod.scheduling?.reason === 'Unschedulable' && nowMs - pod.createdMs > UNSCHEDULABLE_MS) {
    return say('Unschedulable', pod.scheduling.message, true)
  }
  const mount = pod.warnings?.find(({ reason }) => reason === 'FailedMount' || reason === 'FailedAttachVolume')
  if (mount !== undefined) return say(missingOf(mount.message) ?? 'VolumeMissing', mount.message, true)
  return
}

function containerTrouble({
  name,
  restarts,
  waiting,
  ended,
}: ContainerFacts): [ConditionReason, string, boolean] | undefined {
  const reason = waiting?.reason ?? ''
  const said = waiting?.message ?? ''
  if (IMAGE.has(reason)) return ['ImagePullFailed', `container ${name}: ${said || reason}`, true]
  if (reason === 'CreateContainerConfigError')
    return [missingOf(said) ?? 'ContainerConfigInvalid', `container ${name}: ${said}`, true]
  if (reason === 'CreateContainerError' || reason === 'RunContainerError')
    return ['ContainerFailed', `container ${name}: ${said || reason}`, true]
  if (ended === undefined || (reason !== 'CrashLoopBackOff' && restarts === 0)) return
  const tail = lastLines(ended.message)
  const end = `container ${name} ended with ${ended.exitCode} after ${restarts} restarts${tail && `: ${tail}`}`
  if (ended.reason === 'OOMKilled') {
    return [
      'OutOfMemory',
      `container ${name} used more memory than its limit and was killed (${restarts} restarts)`,
      restarts >= RESTARTS_MAX,
    ]
  }
  return ['CrashLoop', end, restarts >= RESTARTS_MAX]
}

/** `secret "kafka" not found`, `configmap "x" not found`. */
function missingOf(message: string): ConditionReason | undefined {
  if (/secrets? ".*" not found|references non-existent secret key/.test(message)) return 'SecretMissing'
  if (/configmaps? ".*" not found|references non-existent config key/.test(message)) return 'ConfigMapMissing'
  return
}

function lastLines(text: string): string {
  return text.trim().split('\n').slice(-3).join(' | ').slice(-500)
}
