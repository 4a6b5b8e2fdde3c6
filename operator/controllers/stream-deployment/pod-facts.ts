/** Facts of the pods of a deployment, of what makes them, and of the nodes that they are on, as Kubernetes tells them. */
import type { ListOptions } from '../../kube/client.ts'
import { type KubeObject, type ObjectKey, RESOURCES, type Resource } from '../../kube/objects.ts'
import { ANNOTATIONS } from '../../resources/names.ts'
import type { ContainerFacts, PodFacts, WorkloadFacts } from './facts.ts'

/** A client, or caches of one. */
export interface Reader {
  get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey): Promise<T | undefined>
  list<T extends KubeObject>(resource: Resource<T>, options: ListOptions): Promise<{ items: T[] }>
}

/** A pod that does not start for so long is asked for its events. */
const SILENT_POD_MS = 10_000

export async function workloadOf(
  reader: Reader,
  object: KubeObject,
  pods: readonly PodFacts[],
  component: PodFacts['component'],
): Promise<WorkloadFacts> {
  const { metadata, spec, status = {} } = object
  const replicas: number = spec?.replicas ?? 1
  const ready: number = status.readyReplicas ?? 0
  const isSeen = (status.observedGeneration ?? 0) >= (metadata.generation ?? 0)
  const isDeployment = component === 'jobmanager'
  const isUpdated = !isDeployment || (status.updatedReplicas ?? 0) === (status.replicas ?? 0)
  const refused = status.conditions?.find((one: any) => one.type === 'ReplicaFailure' && one.status === 'True')?.message
  const isShort = pods.filter((pod) => pod.component === component).length < replicas
  const failure =
    refused ??
    (!isDeployment && isShort ? await warningOf(reader, metadata.namespace!, metadata.name, 'FailedCreate') : undefined)
  const template = spec?.template?.metadata?.annotations?.[ANNOTATIONS.template]
  return { replicas, ready, settled: isSeen && isUpdated, ...(template && { template }), ...(failure && { failure }) }
}

export async function podOf(
  reader: Reader,
  { metadata, spec, status = {} }: KubeObject,
  nowMs: number,
): Promise<PodFacts> {
  const conditions: any[] = status.conditions ?? []
  const condition = (type: string) => conditions.find((one) => one.type === type)
  const scheduled = condition('PodScheduled')
  const createdMs = Date.parse(metadata.creationTimestamp ?? '') || nowMs
  const containers = [...(status.initContainerStatuses ?? []), ...(status.containerStatuses ?? [])].map(containerOf)
  const isSilent = status.phase === 'Pending' && scheduled?.status === 'True' && nowMs - createdMs > SILENT_POD_MS
  const mount = isSilent ? await warningOf(reader, metadata.namespace!, metadata.name, 'FailedMount') : undefined
  const template = metadata.annotations?.[ANNOTATIONS.template]
  return {
    name: metadata.name,
    uid: metadata.uid ?? '',
    component: metadata.labels?.['app.kubernetes.io/component'] === 'jobmanager' ? 'jobmanager' : 'taskmanager',
    ...(template && { template }),
    phase: status.phase ?? 'Pending',
    ready: condition('Ready')?.status === 'True',
    createdMs,
    ...(metadata.deletionTimestamp !== undefined && { deletionMs: Date.parse(metadata.deletionTimestamp) }),
    ...(spec?.nodeName && { node: spec.nodeName }),
    ...(condition('DisruptionTarget')?.reason === 'DeletionByTaintManager' && { evicted: true }),
    ...(scheduled?.status === 'False' && {
      scheduling: { reason: scheduled.reason ?? '', message: scheduled.message ?? '' },
    }),
    containers,
    ...(mount && { warnings: [{ reason: 'FailedMount', message: mount }] }),
  }
}

function containerOf({ name, restartCount, state, lastState }: any): ContainerFacts {
  const ended = state?.terminated ?? lastState?.terminated
  const waiting = state?.waiting
  return {
    name,
    restarts: restartCount ?? 0,
    ...(waiting && { waiting: { reason: waiting.reason ?? '', message: waiting.message ?? '' } }),
    ...(ended && {
      ended: { reason: ended.reason ?? '', exitCode: ended.exitCode ?? 0, message: ended.message ?? '' },
    }),
  }
}

/** The text of the newest event of that reason; where events may not be read, there is none. */
async function warningOf(reader: Reader, namespace: string, name: string, reason: string): Promise<string | undefined> {
  try {
    const { items } = await reader.list(RESOURCES.events, { namespace, fieldSelector: `regarding.name=${name}` })
    const ours = items.filter((one) => one['reason'] === reason && one['regarding']?.name === name)
    return ours.at(-1)?.['note']
  } catch {
    return undefined
  }
}

/** Of pods that are to go; where nodes may not be read, none is known to be dead. */
export async function deadNodes(reader: Reader, pods: readonly PodFacts[]): Promise<ReadonlySet<string>> {
  const names = new Set(
    pods.flatMap(({ deletionMs, node }) => (deletionMs !== undefined && node !== undefined ? [node] : [])),
  )
  const dead = new Set<string>()
  for (const name of names) {
    try {
      const node = await reader.get(RESOURCES.nodes, { name })
      const ready = node?.['status']?.conditions?.find((one: any) => one.type === 'Ready')
      if (node === undefined || (ready !== undefined && ready.status !== 'True')) dead.add(name)
    } catch {
      return dead
    }
  }
  return dead
}
