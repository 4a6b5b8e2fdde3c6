/** Slot to JobManager: what a reader says to its enumerator; data of the source's own. */
import { z } from 'zod'
import { ofSubtask } from '../parts/subtask.ts'

export const sourceEventFromSlot = z.strictObject({ type: z.literal('sourceEvent'), ...ofSubtask, event: z.unknown() })
