/**
 * What the operator has decided about a deployment and must not forget: `status.reconciliation`, its write-ahead log.
 *
 * What must hold: it is written before anything is done that it tells of, and whoever reads it can go on from any of its states. It says what is to be; what is, is asked of the cluster.
 *
 *   CREATED ──▶ DEPLOYED ◀──▶ STOPPING (a savepoint is taken, and the job ends behind it)
 *                  ▲  │           │
 *                  │  ▼           ▼
 *                SUSPENDED ◀──────┘          from any of them: DELETING
 */
import type { Scale } from '../../api/scale.ts'
import type { RestoreDirective } from '../../resources/restore-directive.ts'

export type Step = 'CREATED' | 'DEPLOYED' | 'STOPPING' | 'SUSPENDED' | 'DELETING'

export interface Reconciliation {
  step: Step
  /** Of the deployment: 0 before the first start, then one more with each start that is not a mere restart. */
  generation: number
  /** The ControllerRevision of the spec that the cluster is made of. */
  revision?: string
  /** That of the spec before, while this one has not run yet. */
  previous?: string
  /** The ControllerRevision of what its pods are made of, from one start by an upgrade to the next. */
  rendering?: string
  scale?: Scale
  /** What the job of this generation begins with; of a suspended one what the next begins with. */
  restore?: RestoreDirective
  /** The job of this generation has run. */
  begun: boolean
  /** The nonces that were acted on last. */
  nonces: { savepoint?: number; checkpoint?: number }
  /** Asked for by a nonce and not yet done. */
  pending: { savepoint?: PendingSnapshot; checkpoint?: PendingSnapshot }
  /** While STOPPING, or DELETING with a savepoint. */
  stop?: Stop
  /** The newest that was seen of this line of checkpoints. */
  checkpoint?: { id: number; path: string; timeMs: number }
  savepoint?: Savepoint
  /** Of the last one that was asked for by a nonce or an upgrade. */
  snapshotFailure?: { nonce?: number; message: string; timeMs: number }
  /** The savepoint of an upgrade has failed; it is tried again then. */
  retry?: { revision: string; attempts: number; notBeforeMs: number; message: string }
  /** A spec that could not go on from the state of the one before, which runs instead. */
  refused?: { revision: string; message: string }
}

export interface PendingSnapshot {
  nonce: number
  triggerId: string
  jobId: string
  sinceMs: number
  /** How often it was asked for before in vain, and when it may be again. */
  attempt?: number
  notBeforeMs?: number
}

export interface Stop {
  triggerId: string
  jobId: string
  sinceMs: number
}

export interface Savepoint {
  location: string
  timeMs: number
  /** undefined: taken by an upgrade, a suspension or a deletion. */
  nonce?: number
  kind: 'MANUAL' | 'UPGRADE'
}

export const FIRST_RECORD: Reconciliation = { step: 'CREATED', generation: 0, begun: false, nonces: {}, pending: {} }
