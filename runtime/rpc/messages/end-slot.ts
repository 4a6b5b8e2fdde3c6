/** JobManager to TaskManager: end this thread at once. `slotEnded` follows, also when it has ended before. */
import { oneWay } from '../wire/catalog.ts'
import { ofThread } from './parts/slot-ref.ts'

export const endSlot = oneWay('endSlot', ofThread)
