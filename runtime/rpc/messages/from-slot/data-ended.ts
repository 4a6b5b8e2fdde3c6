/** Slot to JobManager: all data of the subtask is out; it waits for a checkpoint that holds its end. */
import { z } from 'zod'
import { ofSubtask } from '../parts/subtask.ts'

export const dataEnded = z.strictObject({ type: z.literal('dataEnded'), ...ofSubtask })
