/**
 * What the election needs of Kubernetes' API: one Lease, read, created, replaced and watched. kubernetes-client.ts is the real one; the simulation has one in memory.
 */

/** As in JSON; fields that are not named here are kept. */
export interface LeaseObject {
  metadata: {
    uid?: string
    resourceVersion?: string
    annotations?: Record<string, string>
    [field: string]: unknown
  }
  spec?: {
    holderIdentity?: string
    leaseDurationSeconds?: number
    leaseTransitions?: number
    /** RFC 3339 with microseconds. */
    acquireTime?: string
    renewTime?: string
    [field: string]: unknown
  }
  [field: string]: unknown
}

export interface LeaseEvents {
  /** undefined: it was deleted. */
  changed(object: LeaseObject | undefined, resourceVersion: string | undefined): void
  /** Nothing was changed up to this version. */
  bookmark(resourceVersion: string): void
  /** Called once, and nothing after it. `gone`: the version to go on from is too old; without an error the server has ended it in peace. */
  ended(end: { gone?: boolean; error?: Error }): void
}

/** Calls throw TR-HA-002, with a `retryAfterMs` if the server has said it. */
export interface LeaseClient {
  /** For messages, such as `the Lease "jobs/fraud-jobmanager"`. */
  readonly place: string
  /** undefined: there is none. What is there now, not a cached one. */
  get(signal: AbortSignal): Promise<LeaseObject | undefined>
  /** undefined: there is one. */
  create(object: LeaseObject, signal: AbortSignal): Promise<LeaseObject | undefined>
  /** undefined: there is none, or it is not of this resourceVersion any more. */
  replace(object: LeaseObject, signal: AbortSignal): Promise<LeaseObject | undefined>
  /** Tells of changes after that version; undefined: of the object that is there, and then of changes. Returns how to stop, after which nothing is told. */
  watch(resourceVersion: string | undefined, events: LeaseEvents): () => void
  close(): void
}
