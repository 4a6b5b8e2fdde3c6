/** JobManager to TaskManager: a message for a thread of a slot. What comes for a thread that has ended is dropped: `slotEnded` has told, or will. */
import type { ToSlot } from '../slot-messages.ts'
import { oneWay } from '../wire/catalog.ts'
import { ofThread } from './parts/slot-ref.ts'
import { unionOf } from './parts/union-of.ts'
import { cancel } from './to-slot/cancel.ts'
import { checkpointAborted } from './to-slot/checkpoint-aborted.ts'
import { checkpointComplete } from './to-slot/checkpoint-complete.ts'
import { collectAck } from './to-slot/collect-ack.ts'
import { type DeploymentData, deploy } from './to-slot/deploy.ts'
import { drain } from './to-slot/drain.ts'
import { edgeType } from './to-slot/edge-type.ts'
import { noMoreSplits } from './to-slot/no-more-splits.ts'
import { prepare } from './to-slot/prepare.ts'
import { retire } from './to-slot/retire.ts'
import { sourceEventToSlot } from './to-slot/source-event.ts'
import { splits } from './to-slot/splits.ts'
import { start } from './to-slot/start.ts'
import { triggerCheckpoint } from './to-slot/trigger-checkpoint.ts'

/** {@link ToSlot} as it travels. */
export type ToSlotData = Exclude<ToSlot, { type: 'deploy' }> | { type: 'deploy'; deployment: DeploymentData }

export const toSlotData = unionOf<ToSlotData>()({
  deploy,
  prepare,
  start,
  cancel,
  splits,
  noMoreSplits,
  sourceEvent: sourceEventToSlot,
  edgeType,
  collectAck,
  triggerCheckpoint,
  drain,
  checkpointComplete,
  checkpointAborted,
  retire,
})

export const toSlot = oneWay('toSlot', { ...ofThread, message: toSlotData })
