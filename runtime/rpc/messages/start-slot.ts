/** JobManager to TaskManager: start a thread in this slot; it answers with `ready` when it has loaded the runtime. The one before it ends by itself or by `endSlot`. */
import { oneWay } from '../wire/catalog.ts'
import { ofThread } from './parts/slot-ref.ts'

export const startSlot = oneWay('startSlot', ofThread)
