/**
 * Does what was decided, in this order: the finalizer, the revision, the record, the children, then the rest. An operator that dies between any two leaves what the next one goes on from.
 */
import { STREAM_DEPLOYMENT, type StreamDeployment, type StreamDeploymentStatus } from '../../api/stream-deployment.ts'
import type { KubeClient } from '../../kube/client.ts'
import { defineResource, type KubeObject, RESOURCES } from '../../kube/objects.ts'
import { canonicalJson } from '../../resources/hash.ts'
import { childNames, FINALIZER } from '../../resources/names.ts'
import { controllerRevision, REVISIONS_MAX, revisionSelector } from '../../resources/revision.ts'
import type { AppliedChildren } from './applied.ts'
import { applyChildren } from './apply-children.ts'
import type { Act, Decision } from './decision.ts'
import type { Gathered } from './gather.ts'
import type { JobManagerClient } from './job-manager-client.ts'
import type { EventReason } from './reasons.ts'

export const DEPLOYMENTS = defineResource<KubeObject>(STREAM_DEPLOYMENT)

export interface ActOptions {
  client: KubeClient
  jobManager: JobManagerClient
  applied: AppliedChildren
  /** The record is written: what was decided holds now, whatever becomes of the rest. */
  noted(): void
  /** Something could not be done; it is decided anew soon. */
  warn(reason: EventReason, message: string): void
}

/** Rejects with TR-KUBE-003 when the resource was changed since it was read: then nothing was done that the record tells of. */
export async function act(
  deployment: StreamDeployment,
  { facts, observed, revisionData }: Gathered,
  decision: Decision,
  status: StreamDeploymentStatus,
  options: ActOptions,
): Promise<void> {
  const { client } = options
  const { identity } = facts
  const key = { namespace: identity.namespace, name: identity.name }
  let { resourceVersion } = deployment.metadata
  if (decision.acts.some(({ type }) => type === 'addFinalizer')) {
    const finalizers = [...(deployment.metadata.finalizers ?? []), FINALIZER]
    const changed = await client.patch(DEPLOYMENTS, key, { metadata: { finalizers } }, { resourceVersion })
    resourceVersion = changed.metadata.resourceVersion!
  }
  const { keepRevision: revision, keepRendering: rendering } = decision
  if (revision !== undefined && 'revision' in facts.wanted && facts.wanted.revision === revision)
    await keepRevision(client, facts, decision, revision, revisionData)
  if (rendering !== undefined) await keepRevision(client, facts, decision, rendering.name, rendering.data)
  const patch = mergeDiff(deployment.status ?? {}, status)
  if (patch !== undefined) await client.patchStatus(DEPLOYMENTS, key, patch as object, { resourceVersion })
  options.noted()
  if (decision.plan !== undefined) await applyChildren(identity, decision.plan, observed, options)
  for (const one of decision.acts) await perform(one, facts, deployment, options)
}

/** With room for it: the oldest go that nothing is made of. */
async function keepRevision(
  client: KubeClient,
  { identity, record: before }: Gathered['facts'],
  { record: after }: Decision,
  name: string,
  data: unknown,
): Promise<void> {
  const { namespace } = identity
  if ((await client.get(RESOURCES.controllerRevisions, { namespace, name })) !== undefined) return
  const labelSelector = revisionSelector(identity.name)
  const { items } = await client.list(RESOURCES.controllerRevisions, { namespace, labelSelector })
  const byAge = items.toSorted((a, b) => a['revision'] - b['revision'])
  const number = (byAge.at(-1)?.['revision'] ?? 0) + 1
  await client.apply(RESOURCES.controllerRevisions, controllerRevision(identity, name, data, number))
  const used = new Set([before, after].flatMap((one) => [one.revision, one.previous, one.rendering]))
  const unused = byAge.filter(({ metadata }) => !used.has(metadata.name))
  for (const { metadata } of unused.slice(0, Math.max(0, unused.length + 1 - REVISIONS_MAX))) {
    const { uid } = metadata
    await client.delete(RESOURCES.controllerRevisions, { namespace, name: metadata.name }, { uid })
  }
}

async function perform(
  one: Act,
  { identity }: Gathered['facts'],
  deployment: StreamDeployment,
  { client, jobManager, warn }: ActOptions,
): Promise<void> {
  const { namespace, name } = identity
  const names = childNames(name)
  const ask = async (what: string, request: Promise<void>) => {
    try {
      await request
    } catch (error) {
      warn('JobManagerRefused', `${what}: ${(error as Error).message}`)
    }
  }
  switch (one.type) {
    case 'addFinalizer':
      break
    case 'triggerSavepoint':
      return ask('a savepoint', jobManager.savepoint(one.jobId, one.triggerId))
    case 'triggerCheckpoint':
      return ask('a checkpoint', jobManager.checkpoint(one.jobId, one.triggerId))
    case 'stopWithSavepoint':
      return ask('the stop with a savepoint', jobManager.stop(one.jobId, one.triggerId, one.drain))
    case 'cancel':
      return ask('cancelling', jobManager.cancel(one.jobId))
    case 'deleteWorkloads':
      await client.delete(RESOURCES.deployments, { namespace, name: names.jobManager })
      await client.delete(RESOURCES.statefulSets, { namespace, name: names.taskManager })
      break
    case 'deletePod':
      await client.delete(
        RESOURCES.pods,
        { namespace, name: one.name },
        { uid: one.uid, ...(one.force && { gracePeriodSeconds: 0 }) },
      )
      break
    case 'removeFinalizer': {
      const finalizers = (deployment.metadata.finalizers ?? []).filter((finalizer) => finalizer !== FINALIZER)
      await client.patch(DEPLOYMENTS, { namespace, name }, { metadata: { finalizers } }, { uid: identity.uid })
    }
  }
}

/**
 * The merge patch from one value to another; undefined: they are equal.
 *
 * @example
 * mergeDiff({ a: 1, b: 2 }, { a: 1, c: 3 }) // { b: null, c: 3 }
 */
export function mergeDiff(before: unknown, after: unknown): unknown {
  if (!isMap(before) || !isMap(after)) return canonicalJson(before) === canonicalJson(after) ? undefined : after
  const patch: Record<string, unknown> = {}
  for (const key of new Set([...Object.keys(before), ...Object.keys(after)])) {
    if (after[key] === undefined) {
      if (before[key] !== undefined) patch[key] = null
    } else if (before[key] === undefined) patch[key] = after[key]
    else {
      const part = mergeDiff(before[key], after[key])
      if (part !== undefined) patch[key] = part
    }
  }
  return Object.keys(patch).length === 0 ? undefined : patch
}

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
