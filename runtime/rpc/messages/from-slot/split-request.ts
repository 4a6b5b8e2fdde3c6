/** Slot to JobManager: a reader wants a split. */
import { z } from 'zod'
import { ofSubtask } from '../parts/subtask.ts'

export const splitRequest = z.strictObject({ type: z.literal('splitRequest'), ...ofSubtask })
