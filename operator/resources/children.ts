/**
 * All objects that a deployment has, in the order in which they are applied: what others refer to comes first.
 *
 * What must hold: equal arguments give equal objects; names and selectors never change; each is owned by the deployment, so that the API server removes it with that.
 */
import type { DeploymentSpec } from '../api/deployment-spec.ts'
import { STREAM_DEPLOYMENT } from '../api/stream-deployment.ts'
import { access } from './access.ts'
import { configurationFiles } from './configuration.ts'
import { shortHash } from './hash.ts'
import { ingress } from './ingress.ts'
import { jobManagerDeployment, restService } from './job-manager.ts'
import { lease } from './lease.ts'
import { ANNOTATIONS, type Identity, labelsOf } from './names.ts'
import type { KubeObject, OwnerReference } from './objects.ts'
import { type Rendering, render } from './rendering.ts'
import type { RestoreDirective } from './restore-directive.ts'
import { headlessService, taskManagerStatefulSet } from './task-manager.ts'

/** What is to be there. */
export interface ClusterPlan {
  spec: DeploymentSpec
  /** Of the deployment: rises with each start that is not a mere restart. */
  generation: number
  slots: number
  /** undefined: of a session cluster. */
  parallelism: number | undefined
  taskManagers: number
  restore: RestoreDirective
  /** false: suspended. What pods need stays, pods go. */
  pods: boolean
  /** What pods are made of; as this version makes it if not given. */
  rendering?: Rendering
}

/**
 * @example
 * for (const object of buildChildren({ name: 'fraud', namespace: 'jobs', uid }, plan)) await client.apply(object)
 */
export function buildChildren(identity: Identity, plan: ClusterPlan): KubeObject[] {
  const { spec, slots, generation } = plan
  const { name, namespace } = identity
  const rendering = plan.rendering ?? render({ identity, spec, slots, generation })
  const { name: configName, data } = configurationFiles(identity, spec, rendering.configuration)
  const objects = [
    ...access(identity, spec),
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: configName, namespace, labels: labelsOf(name) }, data },
    lease(identity, plan.restore, plan.parallelism),
    headlessService(identity),
    restService(identity),
    ...(spec.ingress ? [ingress(identity, spec.ingress)] : []),
    ...(plan.pods
      ? [
          taskManagerStatefulSet(identity, rendering.taskManager, plan.taskManagers),
          jobManagerDeployment(identity, spec, rendering.jobManager),
        ]
      : []),
  ]
  return objects.map((object) => owned(object, identity))
}

/** Handed on: labels of the deployment, but not those of tools that keep track of what they have applied. */
const NOT_HANDED_ON = /(^|\.)kubernetes\.io\/|^argocd\.|^kustomize\.|^helm\./

function owned(object: KubeObject, identity: Identity): KubeObject {
  const given = Object.entries(identity.labels ?? {}).filter(([key]) => !NOT_HANDED_ON.test(key))
  const result: KubeObject = {
    ...object,
    metadata: {
      ...object.metadata,
      labels: { ...Object.fromEntries(given), ...object.metadata.labels },
      ownerReferences: [ownerReference(identity)],
    },
  }
  result.metadata.annotations = { ...result.metadata.annotations, [ANNOTATIONS.applied]: shortHash(result) }
  return result
}

export function ownerReference({ name, uid }: Identity): OwnerReference {
  const { apiVersion, kind } = STREAM_DEPLOYMENT
  return { apiVersion, kind, name, uid, controller: true, blockOwnerDeletion: true }
}
