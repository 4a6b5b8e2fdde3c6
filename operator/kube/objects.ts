/**
 * Objects of Kubernetes as they are in JSON, and the descriptions of their kinds that a client works from.
 *
 * What must hold: an object is plain data, and nobody changes one that a cache has handed out.
 */

export interface OwnerReference {
  apiVersion: string
  kind: string
  name: string
  uid: string
  controller?: boolean
  blockOwnerDeletion?: boolean
}

/** Of an object that the API server has answered with, `uid`, `resourceVersion` and `creationTimestamp` are there. */
export interface ObjectMeta {
  name: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  /** Rises with each change of what is wanted, not of the status or of metadata; some kinds have none. */
  generation?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  ownerReferences?: OwnerReference[]
  finalizers?: string[]
  /** RFC 3339, whole seconds. */
  creationTimestamp?: string
  /** It is being deleted; gone when nobody holds it by a finalizer. */
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  generateName?: string
  managedFields?: unknown[]
}

export interface KubeObject {
  apiVersion?: string
  kind?: string
  metadata: ObjectMeta
  [field: string]: any
}

/** Names one object; the namespace of a kind without namespaces is left out. */
export interface ObjectKey {
  namespace?: string | undefined
  name: string
}

declare const OBJECT: unique symbol

/** A kind, and where the API has it. `T` is the type of its objects. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** `v1`, or group and version: `apps/v1`. */
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
  readonly namespaced: boolean
  readonly [OBJECT]?: T
}

/**
 * Describes a kind.
 *
 * @example
 * const DEPLOYMENTS = defineResource<StreamDeployment>({
 *   apiVersion: 'tailrace.dev/v1alpha1', kind: 'StreamDeployment', plural: 'streamdeployments', namespaced: true,
 * })
 */
export function defineResource<T extends KubeObject = KubeObject>(
  description: Pick<Resource, 'apiVersion' | 'kind' | 'plural' | 'namespaced'>,
): Resource<T> {
  return description
}

/** Core kinds of which Tailrace makes or reads objects. */
export const RESOURCES = {
  namespaces: cluster('v1', 'Namespace', 'namespaces'),
  nodes: cluster('v1', 'Node', 'nodes'),
  pods: namespaced('v1', 'Pod', 'pods'),
  services: namespaced('v1', 'Service', 'services'),
  configMaps: namespaced('v1', 'ConfigMap', 'configmaps'),
  serviceAccounts: namespaced('v1', 'ServiceAccount', 'serviceaccounts'),
  persistentVolumeClaims: namespaced('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims'),
  deployments: namespaced('apps/v1', 'Deployment', 'deployments'),
  statefulSets: namespaced('apps/v1', 'StatefulSet', 'statefulsets'),
  controllerRevisions: namespaced('apps/v1', 'ControllerRevision', 'controllerrevisions'),
  jobs: namespaced('batch/v1', 'Job', 'jobs'),
  leases: namespaced('coordination.k8s.io/v1', 'Lease', 'leases'),
  events: namespaced('events.k8s.io/v1', 'Event', 'events'),
  ingresses: namespaced('networking.k8s.io/v1', 'Ingress', 'ingresses'),
  roles: namespaced('rbac.authorization.k8s.io/v1', 'Role', 'roles'),
  roleBindings: namespaced('rbac.authorization.k8s.io/v1', 'RoleBinding', 'rolebindings'),
  podDisruptionBudgets: namespaced('policy/v1', 'PodDisruptionBudget', 'poddisruptionbudgets'),
} as const

function namespaced(apiVersion: string, kind: string, plural: string): Resource {
  return { apiVersion, kind, plural, namespaced: true }
}

function cluster(apiVersion: string, kind: string, plural: string): Resource {
  return { apiVersion, kind, plural, namespaced: false }
}

/** The path of a collection, of an object, or of a part of it such as `status`; without a namespace all of them. */
export function pathOf(resource: Resource, key: Partial<ObjectKey> = {}, subresource?: string): string {
  const { apiVersion, plural, namespaced } = resource
  const segments = apiVersion.includes('/') ? ['apis', ...apiVersion.split('/')] : ['api', apiVersion]
  if (namespaced && key.namespace !== undefined) segments.push('namespaces', key.namespace)
  segments.push(plural)
  if (key.name !== undefined) segments.push(key.name)
  if (subresource !== undefined) segments.push(subresource)
  return `/${segments.map(encodeURIComponent).join('/')}`
}

/** `namespace/name`, or the name alone: the key of caches and queues. */
export function keyOf({ namespace, name }: ObjectKey): string {
  return namespace === undefined ? name : `${namespace}/${name}`
}

/** The inverse of {@link keyOf}. */
export function parseKey(key: string): ObjectKey {
  const at = key.indexOf('/')
  return at < 0 ? { name: key } : { namespace: key.slice(0, at), name: key.slice(at + 1) }
}
