/** JobManager to slot: what an enumerator says to a reader; data of the source's own. */
import { z } from 'zod'
import { ofSubtask } from '../parts/subtask.ts'

export const sourceEventToSlot = z.strictObject({ type: z.literal('sourceEvent'), ...ofSubtask, event: z.unknown() })
