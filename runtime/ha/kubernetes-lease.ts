/**
 * A lease as the Lease of Kubernetes (coordination.k8s.io/v1), through a small client (kubernetes-client.ts has the real one).
 *
 * The API server replaces an object only if its resourceVersion is the one that was read, so it decides who wins. Where the fields are:
 * - `spec.holderIdentity`: the candidate's identity, such as the pod's name; not there when released;
 * - `spec.leaseTransitions`: the epoch;
 * - annotations `tailrace.dev/leader-start` and `tailrace.dev/leader-address`: the rest of the candidate;
 * - `spec.acquireTime`, `spec.renewTime`: for people.
 *
 * Everything else of the object stays as it is; two annotations of others are directives to the leader (directives.ts). The Lease is made beforehand (by the operator or a manifest); where it is not there and may be created, it is.
 */
import type { Schedule } from '../core/clock.ts'
import { type Directives, SeenDirectives } from './directives.ts'
import { type Candidate, LEASE_TIMING } from './election.ts'
import type { LeaseClient, LeaseObject } from './lease-client.ts'
import type { LeaseRecord, LeaseStore, StoredLease } from './lease-store.ts'
import { isOlder, LeaseWatch } from './lease-watch.ts'

export const START_ANNOTATION = 'tailrace.dev/leader-start'
export const ADDRESS_ANNOTATION = 'tailrace.dev/leader-address'

export interface KubernetesLeaseOptions {
  client: LeaseClient
  schedule: Schedule
  random(): number
  warn(text: string): void
  /** For how long a watch may tell nothing before it is looked after; longer than between two renewals, one and a half of a JobManager's if not given. */
  silenceMs?: number
}

/** For onlookers whose watch is down: the record is read so often anyway before it counts as up. */
const POLL_MS = 1_000

/**
 * A lease of Kubernetes. The client is closed with it.
 *
 * @example
 * const client = await openLeaseClient({ namespace: 'jobs', name: 'fraud-jobmanager' })
 * const election = openElection({ store: kubernetesLease({ client, schedule, random, warn }), clock, schedule, random, warn })
 */
export function kubernetesLease(options: KubernetesLeaseOptions): LeaseStore & { readonly directives: Directives } {
  return new KubernetesLease(options)
}

interface StoredObject extends StoredLease {
  readonly object: LeaseObject
}

class KubernetesLease implements LeaseStore {
  readonly place: string
  readonly pollMs = POLL_MS
  readonly absentIsNew = false
  readonly directives: SeenDirectives
  readonly #client: LeaseClient
  readonly #options: KubernetesLeaseOptions
  /** Of what was seen last. */
  #seen: string | undefined

  constructor(options: KubernetesLeaseOptions) {
    this.place = options.client.place
    this.#client = options.client
    this.#options = options
    this.directives = new SeenDirectives(this.place)
  }

  async read(signal: AbortSignal): Promise<StoredObject | undefined> {
    return this.#see(await this.#client.get(signal))
  }

  async write(
    record: LeaseRecord,
    over: StoredObject | undefined,
    signal: AbortSignal,
  ): Promise<StoredObject | undefined> {
    const object = objectOf(record, over?.object)
    return this.#see(
      await (over === undefined ? this.#client.create(object, signal) : this.#client.replace(object, signal)),
    )
  }

  watch(changed: (stored: StoredLease | undefined) => void): () => void {
    const options = { silenceMs: LEASE_TIMING.retryMs * 1.5, ...this.#options }
    const watch = new LeaseWatch(options, (object) => changed(this.#see(object)))
    return () => watch.stop()
  }

  async close(): Promise<void> {
    this.#client.close()
  }

  #see(object: LeaseObject | undefined): StoredObject | undefined {
    if (object === undefined) return undefined
    const { resourceVersion, annotations } = object.metadata
    // An answer may come after a newer event.
    if (!isOlder(resourceVersion, this.#seen)) {
      this.#seen = resourceVersion
      this.directives.see(annotations)
    }
    return storedOf(object)
  }
}

export function storedOf(object: LeaseObject): StoredObject {
  const { metadata, spec = {} } = object
  const annotations = metadata.annotations ?? {}
  const holder: Candidate | null = spec.holderIdentity
    ? {
        identity: spec.holderIdentity,
        startId: annotations[START_ANNOTATION] ?? '',
        address: annotations[ADDRESS_ANNOTATION] ?? '',
      }
    : null
  return {
    object,
    version: `${metadata.uid}/${metadata.resourceVersion}`,
    record: {
      epoch: spec.leaseTransitions ?? 0,
      holder,
      leaseMs: (spec.leaseDurationSeconds ?? 0) * 1000,
      acquiredMs: msOf(spec.acquireTime),
      renewedMs: msOf(spec.renewTime),
    },
  }
}

function objectOf(record: LeaseRecord, over: LeaseObject | undefined): LeaseObject {
  const { epoch, holder, leaseMs, acquiredMs, renewedMs } = record
  const { holderIdentity: _, ...spec } = over?.spec ?? {}
  const annotations = { ...over?.metadata.annotations }
  delete annotations[START_ANNOTATION]
  delete annotations[ADDRESS_ANNOTATION]
  return {
    ...over,
    metadata: {
      ...over?.metadata,
      annotations: {
        ...annotations,
        ...(holder && { [START_ANNOTATION]: holder.startId, [ADDRESS_ANNOTATION]: holder.address }),
      },
    },
    spec: {
      ...spec,
      ...(holder && { holderIdentity: holder.identity }),
      leaseTransitions: epoch,
      leaseDurationSeconds: Math.max(1, Math.ceil(leaseMs / 1000)),
      acquireTime: microTime(acquiredMs),
      renewTime: microTime(renewedMs),
    },
  }
}

/** As the API has it: with six digits. */
function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z')
}

function msOf(time: string | undefined): number {
  const ms = time === undefined ? Number.NaN : Date.parse(time)
  return Number.isNaN(ms) ? 0 : ms
}
