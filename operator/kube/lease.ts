/**
 * Who of the operator's pods leads: runtime/ha's election over a Lease, by the operator's own client.
 *
 * What must hold: only the leader changes anything; one that is told to end releases the Lease, so that a pod that stands by, and watches it, leads at once.
 */
import type { Clock, Schedule } from '../../runtime/core/clock.ts'
import type { Election, LeaseTiming } from '../../runtime/ha/election.ts'
import { kubernetesLease } from '../../runtime/ha/kubernetes-lease.ts'
import type { LeaseClient, LeaseObject } from '../../runtime/ha/lease-client.ts'
import { openElection } from '../../runtime/ha/lease-election.ts'
import type { KubeClient } from './client.ts'
import { type KubeObject, type ObjectKey, RESOURCES } from './objects.ts'
import { isKubeError, KUBE } from './status-error.ts'

/** As controllers of Kubernetes have it. */
export const OPERATOR_TIMING: LeaseTiming = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 }

const WATCH_SECONDS = 300

export interface OperatorElectionOptions {
  client: KubeClient
  namespace: string
  /** Of the Lease. */
  name: string
  labels?: Record<string, string>
  timing?: LeaseTiming
  clock: Clock
  schedule: Schedule
  random(): number
  warn(text: string): void
}

/**
 * @example
 * const election = openOperatorElection({ client, namespace: 'tailrace', name: 'tailrace-operator', clock, schedule, random, warn })
 * election.campaign({ identity: podName, startId: randomUUID(), address: podName }, { elected, lost })
 */
export function openOperatorElection(options: OperatorElectionOptions): Election {
  const { client, namespace, name, labels, timing = OPERATOR_TIMING, schedule, random, warn } = options
  const lease = leaseClient(client, { namespace, name, ...(labels && { labels }) })
  const store = kubernetesLease({ client: lease, schedule, random, warn, silenceMs: timing.retryMs * 1.5 })
  return openElection({ ...options, store, timing })
}

/**
 * Makes the Lease, held by nobody, where it is not: an election that finds none waits as long as a lease lasts, as it may have been deleted under a leader. Before a process that starts
 * stands for election.
 */
export async function makeLease(
  client: KubeClient,
  { namespace, name }: Required<ObjectKey>,
  labels = {},
): Promise<void> {
  const { leases } = RESOURCES
  const key = { namespace, name }
  if ((await client.get(leases, key)) !== undefined) return
  try {
    await client.create(leases, { metadata: { ...key, labels }, spec: {} } as KubeObject)
  } catch (error) {
    if (!isKubeError(error, KUBE.exists)) throw error
  }
}

/** One Lease, as elections read and write it. Closing it ends its watches, and leaves the client open. */
export function leaseClient(
  client: KubeClient,
  { namespace, name, labels }: { namespace: string; name: string; labels?: Record<string, string> },
): LeaseClient {
  const { leases } = RESOURCES
  const stops = new Set<() => void>()
  const unless = async (
    codes: readonly (typeof KUBE)[keyof typeof KUBE][],
    request: Promise<KubeObject | undefined>,
  ) => {
    try {
      return (await request) as unknown as LeaseObject | undefined
    } catch (error) {
      if (isKubeError(error, ...codes)) return undefined
      throw error
    }
  }
  return {
    place: `the Lease "${namespace}/${name}"`,
    get: async (signal) =>
      (await client.get(leases, { namespace, name }, { signal })) as unknown as LeaseObject | undefined,
    create: (object, signal) => {
      const metadata = { ...object.metadata, namespace, name, ...(labels && { labels }) }
      return unless([KUBE.exists], client.create(leases, { ...object, metadata }, { signal }))
    },
    replace: (object, signal) => {
      const metadata = { ...object.metadata, namespace, name }
      return unless([KUBE.notFound, KUBE.conflict], client.replace(leases, { ...object, metadata }, { signal }))
    },
    watch: (resourceVersion, events) => {
      const fieldSelector = `metadata.name=${name}`
      const options = { namespace, fieldSelector, resourceVersion, timeoutSeconds: WATCH_SECONDS }
      const stop = client.watch(leases, options, {
        heard: () => {},
        event: (type, object) =>
          events.changed(
            type === 'DELETED' ? undefined : (object as unknown as LeaseObject),
            object.metadata.resourceVersion,
          ),
        bookmark: (version) => events.bookmark(version),
        ended: (end) => {
          stops.delete(stop)
          events.ended(end)
        },
      })
      stops.add(stop)
      return () => {
        stops.delete(stop)
        stop()
      }
    },
    close: () => {
      for (const stop of stops) stop()
      stops.clear()
    },
  }
}
