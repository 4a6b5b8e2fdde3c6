/** TaskManager to JobManager: a message of a thread of a slot. */
import type { FromSlot } from '../slot-messages.ts'
import { oneWay } from '../wire/catalog.ts'
import { checkpointAck } from './from-slot/checkpoint-ack.ts'
import { checkpointDeclined } from './from-slot/checkpoint-declined.ts'
import { collected } from './from-slot/collected.ts'
import { dataEnded } from './from-slot/data-ended.ts'
import { deployFailed } from './from-slot/deploy-failed.ts'
import { deployed } from './from-slot/deployed.ts'
import { metricNames } from './from-slot/metric-names.ts'
import { print } from './from-slot/print.ts'
import { proposeType } from './from-slot/propose-type.ts'
import { ready } from './from-slot/ready.ts'
import { sourceEventFromSlot } from './from-slot/source-event.ts'
import { splitRequest } from './from-slot/split-request.ts'
import { taskState } from './from-slot/task-state.ts'
import { ofThread } from './parts/slot-ref.ts'
import { unionOf } from './parts/union-of.ts'

export const fromSlotData = unionOf<FromSlot>()({
  ready,
  deployed,
  deployFailed,
  taskState,
  dataEnded,
  checkpointAck,
  checkpointDeclined,
  splitRequest,
  sourceEvent: sourceEventFromSlot,
  proposeType,
  metricNames,
  collected,
  print,
})

export const fromSlot = oneWay('fromSlot', { ...ofThread, message: fromSlotData })
