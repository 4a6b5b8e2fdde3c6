/** What is to be done about a deployment: written down first, then done in this order. Each part can be done twice. */
import type { ClusterPlan } from '../../resources/children.ts'
import type { Rendering } from '../../resources/rendering.ts'
import type { ConditionReason, EventReason } from './reasons.ts'
import type { Reconciliation } from './record.ts'

export interface Decision {
  record: Reconciliation
  /** The children as they are to be; undefined: they are left alone. */
  plan?: ClusterPlan
  /** The wanted spec is kept as a revision of this name before the record names it. */
  keepRevision?: string
  /** What pods are made of is kept before the record names it. */
  keepRendering?: { name: string; data: Rendering }
  acts: Act[]
  events: EventWish[]
  /** Look again after so many milliseconds, though nothing is heard. */
  againMs?: number
  /** What is waited for, for the condition Progressing. */
  waiting?: { reason: ConditionReason; message: string }
}

export type Act =
  | { type: 'addFinalizer' }
  | { type: 'removeFinalizer' }
  | { type: 'triggerSavepoint'; jobId: string; triggerId: string }
  | { type: 'triggerCheckpoint'; jobId: string; triggerId: string }
  | { type: 'stopWithSavepoint'; jobId: string; triggerId: string; drain: boolean }
  | { type: 'cancel'; jobId: string }
  /** The Deployment and the StatefulSet, with their pods. */
  | { type: 'deleteWorkloads' }
  | { type: 'deletePod'; name: string; uid: string; force: boolean }

export interface EventWish {
  type: 'Normal' | 'Warning'
  reason: EventReason | ConditionReason
  message: string
}
