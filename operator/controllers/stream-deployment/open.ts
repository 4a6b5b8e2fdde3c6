/**
 * The controller of StreamDeployments in the operator's process: caches of what they are made of, a queue, and long polls of their JobManagers.
 *
 * What must hold: the resource itself and revisions are read from the server and not from a cache, since an old record under new facts would decide what is long over. Neither is the Lease of a
 * deployment watched: its JobManager renews it each second, and two hundred of them were most of what an operator at rest was busy with.
 */
import type { NormalizeOptions } from '../../api/normalize.ts'
import { byLabel } from '../../kube/cache.ts'
import type { Controller, OpenController } from '../../kube/controller.ts'
import { type KubeObject, keyOf, type ObjectKey, parseKey, RESOURCES, type Resource } from '../../kube/objects.ts'
import type { Reflector } from '../../kube/reflector.ts'
import { childNames, DEPLOYMENT_LABEL, MANAGED_BY } from '../../resources/names.ts'
import { DEPLOYMENTS } from './act.ts'
import { restUrl, StreamDeploymentController } from './controller.ts'
import { type JobManagerClient, restClient } from './job-manager-client.ts'
import { keptOf } from './kept.ts'
import type { Reader } from './pod-facts.ts'

const CACHED: readonly Resource[] = [
  RESOURCES.pods,
  RESOURCES.serviceAccounts,
  RESOURCES.roles,
  RESOURCES.roleBindings,
  RESOURCES.configMaps,
  RESOURCES.services,
  RESOURCES.statefulSets,
  RESOURCES.deployments,
  RESOURCES.ingresses,
]

/**
 * @param jobManager how the JobManager of a deployment is asked; by its Service if not given
 */
export function openStreamDeployments(
  defaults: NormalizeOptions,
  jobManager: (key: Required<ObjectKey>) => JobManagerClient = (key) => restClient({ url: restUrl(key) }),
): OpenController {
  return ({ client, events, clock, schedule, random, reflect, queue, labelSelector, resyncMs }): Controller => {
    let works = false
    const byDeployment = { deployment: byLabel(DEPLOYMENT_LABEL) }
    const caches = new Map<string, Reflector>()
    for (const resource of CACHED) {
      const options = { labelSelector: DEPLOYMENT_LABEL, indexes: byDeployment, keep: keptOf(resource.kind) }
      caches.set(resource.kind, reflect(resource, options))
    }
    const { controllerRevisions } = RESOURCES
    const ours = `${DEPLOYMENT_LABEL},${MANAGED_BY.label}=${MANAGED_BY.value}`
    caches.set(
      controllerRevisions.kind,
      reflect(controllerRevisions, {
        labelSelector: ours,
        indexes: byDeployment,
        keep: keptOf(controllerRevisions.kind),
      }),
    )
    const reader: Reader = {
      get: (resource, key) => client.get(resource, key),
      async list(resource, options) {
        const name = new RegExp(`^${DEPLOYMENT_LABEL}=([^,]+)`).exec(options.labelSelector ?? '')?.[1]
        if (name !== undefined && resource.kind === RESOURCES.leases.kind) {
          const lease = await client.get(resource, { namespace: options.namespace, name: childNames(name).lease })
          return { items: lease === undefined ? [] : [lease] }
        }
        const cache = caches.get(resource.kind)?.cache
        if (cache === undefined || name === undefined) return client.list(resource, options)
        return { items: cache.by('deployment', `${options.namespace}/${name}`) as never[] }
      },
    }
    const resources = reflect(DEPLOYMENTS, {
      ...(labelSelector !== undefined && { labelSelector }),
      keep: keptOf(DEPLOYMENTS.kind),
    })
    const controller = new StreamDeploymentController({
      client,
      reader,
      defaults,
      jobManager,
      clock,
      schedule,
      enqueue: (key) => works && work.add(key),
      event: (about, { type, reason, message }) =>
        events.record(DEPLOYMENTS, about, { type, reason, action: 'Reconcile', note: message }),
    })
    const work = queue('streamdeployment', async (key) => {
      if (!works) return
      // Gone, or not among those that are looked after: its children may be seen all the same.
      if (resources.cache.get(key) === undefined) return controller.forget(key)
      const { againMs, gone } = await controller.reconcile(parseKey(key) as Required<ObjectKey> & { namespace: string })
      if (gone) return
      // Not all of them at once, as they were seen at once.
      return { afterMs: Math.min(againMs ?? Infinity, resyncMs * (1 - random() / 10)) }
    })
    /** All that is there is being told of, whether or not it has changed. */
    let begins = false
    const enqueue = (key: string, isNews: boolean) => {
      if (works && isNews) work.add(key)
      else if (works) work.addBehind(key)
    }
    const add = ({ metadata, status }: KubeObject) =>
      enqueue(keyOf(metadata), !begins || status?.observedGeneration !== metadata.generation)
    const addOwner = ({ metadata }: KubeObject) => {
      // Its owner says it too, when somebody has taken the label off.
      const owner = metadata.ownerReferences?.find(({ kind, controller }) => controller && kind === DEPLOYMENTS.kind)
      const name = metadata.labels?.[DEPLOYMENT_LABEL] ?? owner?.name
      if (name !== undefined) enqueue(keyOf({ namespace: metadata.namespace, name }), !begins)
    }
    const listen = (): (() => void)[] => [
      resources.cache.listen({ changed: add, deleted: add }),
      ...[...caches.values()].map(({ cache }) => cache.listen({ changed: addOwner, deleted: addOwner })),
    ]
    let stops: (() => void)[] = []
    return {
      name: 'streamdeployment',
      start() {
        works = true
        begins = true
        stops = listen()
        begins = false
      },
      async stop(graceMs) {
        works = false
        for (const stop of stops) stop()
        controller.close()
        await work.drain(graceMs)
      },
    }
  }
}
