/**
 * Names, labels, annotations, ports and places that all children of a deployment share.
 *
 * A deployment's name has at most 40 characters: the longest name made of it, `<name>-taskmanager-<10 of a hash>`, is a label's value, which has at most 63.
 */

/** Held while a job may have to be ended before its deployment goes. */
export const FINALIZER = 'tailrace.dev/job'

export const ANNOTATIONS = {
  /** Of a pod template: which generation of the deployment a JobManager is of. */
  generation: 'tailrace.dev/generation',
  /** Of a pod template: the hash of the configuration that it was started with. */
  configuration: 'tailrace.dev/configuration',
  /** Of a pod template: the hash of all of it. A pod of another one is replaced. */
  template: 'tailrace.dev/template',
  /** Of the Lease: how parallel the job is to be. */
  parallelism: 'tailrace.dev/parallelism',
  /** Of the Lease: what the job of a generation begins with, as JSON. */
  restore: 'tailrace.dev/restore',
  /** Of a deployment that is deleted: `"true"` lets it go without waiting for its job. */
  forceDelete: 'tailrace.dev/force-delete',
  /** Of each child: the hash of what was applied last. */
  applied: 'tailrace.dev/applied',
} as const

export const DEPLOYMENT_LABEL = 'tailrace.dev/deployment'

/** On everything that the operator makes. */
export const MANAGED_BY = { label: 'app.kubernetes.io/managed-by', value: 'tailrace-operator' } as const

export const PORTS = { rest: 8081, rpc: 6123, metrics: 9249 } as const

export const PATHS = { configuration: '/opt/tailrace/conf', work: '/var/tailrace', temporary: '/tmp' } as const

/** Of the image. */
export const USER_ID = 9999

export type Component = 'jobmanager' | 'taskmanager'

/** Who a deployment is. */
export interface Identity {
  name: string
  namespace: string
  uid: string
  /** Of the deployment itself; handed on to children, not to pods. */
  labels?: Record<string, string> | undefined
}

/**
 * @example
 * childNames('fraud').jobManager // 'fraud-jobmanager'
 */
export function childNames(name: string) {
  return {
    jobManager: `${name}-jobmanager`,
    taskManager: `${name}-taskmanager`,
    rest: `${name}-rest`,
    headless: name,
    configuration: `${name}-config`,
    lease: `${name}-jobmanager`,
    access: name,
    ingress: name,
  } as const
}

/** What selects the pods of a component; never changes in the life of a deployment. */
export function selectorOf(name: string, component: Component): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'tailrace',
    'app.kubernetes.io/instance': name,
    'app.kubernetes.io/component': component,
    [DEPLOYMENT_LABEL]: name,
  }
}

export function labelsOf(name: string, component?: Component): Record<string, string> {
  return {
    'app.kubernetes.io/name': 'tailrace',
    'app.kubernetes.io/instance': name,
    ...(component && { 'app.kubernetes.io/component': component }),
    [MANAGED_BY.label]: MANAGED_BY.value,
    [DEPLOYMENT_LABEL]: name,
  }
}

/** As text for the scale subresource. */
export function selectorText(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(',')
}
