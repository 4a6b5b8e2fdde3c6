/**
 * Makes the children of a deployment what they are to be: applies those that are not, and deletes those of its own that are wanted no more.
 *
 * What must hold: what pods need comes before them, the JobManager's Lease first of all; nothing is deleted that is not ours, which its owner and our labels say together.
 */
import type { KubeClient } from '../../kube/client.ts'
import { type KubeObject, RESOURCES, type Resource } from '../../kube/objects.ts'
import { buildChildren, type ClusterPlan } from '../../resources/children.ts'
import { type Identity, MANAGED_BY } from '../../resources/names.ts'
import type { AppliedChildren } from './applied.ts'

const BY_KIND = new Map<string, Resource>(Object.values(RESOURCES).map((resource) => [resource.kind, resource]))

export interface ApplyOptions {
  client: KubeClient
  applied: AppliedChildren
}

/**
 * Rejects with the first failure when all others of its turn are done: one that is refused does not keep the rest from being mended.
 *
 * @param observed by kind and name
 */
export async function applyChildren(
  identity: Identity,
  plan: ClusterPlan,
  observed: ReadonlyMap<string, KubeObject>,
  { client, applied }: ApplyOptions,
): Promise<void> {
  const children = buildChildren(identity, plan)
  const apply = async (child: KubeObject): Promise<void> => {
    const is = observed.get(idOf(child))
    if (is !== undefined && applied.isCurrent(is, child)) return
    applied.remember(child, await client.apply(resourceOf(child), child), is)
  }
  const remove = async (child: KubeObject): Promise<void> => {
    const { name, namespace, uid } = child.metadata
    applied.forget(child)
    await client.delete(resourceOf(child), { namespace, name }, { uid })
  }
  await all(children.filter((child) => !isLast(child)).map(apply))
  await all(children.filter(isLast).map(apply))
  await all(unwanted(identity, children, observed).map(remove))
}

/** Ours, of the kinds that are looked at, and not in the plan. Workloads have their own end. */
function unwanted(
  { uid }: Identity,
  children: readonly KubeObject[],
  observed: ReadonlyMap<string, KubeObject>,
): KubeObject[] {
  const wanted = new Set(children.map(idOf))
  return [...observed.values()].filter((one) => {
    const { labels, ownerReferences = [], deletionTimestamp } = one.metadata
    const isOurs =
      labels?.[MANAGED_BY.label] === MANAGED_BY.value &&
      ownerReferences.some((owner) => owner.controller === true && owner.uid === uid)
    return isOurs && !isWorkload(one) && deletionTimestamp === undefined && !wanted.has(idOf(one))
  })
}

function idOf({ kind, metadata }: KubeObject): string {
  return `${kind}/${metadata.name}`
}

/** A binding too: the API server refuses it as long as its authorizer has not heard of the Role, and no pod asks for its rights at once. */
function isLast(child: KubeObject): boolean {
  return isWorkload(child) || child.kind === 'RoleBinding'
}

function isWorkload({ kind }: KubeObject): boolean {
  return kind === 'Deployment' || kind === 'StatefulSet'
}

export function resourceOf({ kind }: KubeObject): Resource {
  return BY_KIND.get(kind!)!
}

async function all(work: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(work)) if (result.status === 'rejected') throw result.reason
}
