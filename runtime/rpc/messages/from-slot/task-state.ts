/** Slot to JobManager: a subtask came into another state. */
import { z } from 'zod'
import { errorData } from '../../wire/error-data.ts'
import { anyNumber } from '../parts/numbers.ts'
import { ofSubtask } from '../parts/subtask.ts'

export const taskState = z.strictObject({
  type: z.literal('taskState'),
  ...ofSubtask,
  state: z.enum(['INITIALIZING', 'RUNNING', 'FINISHED', 'CANCELED', 'FAILED']),
  error: errorData.optional(),
  accumulators: z.record(z.string(), z.union([anyNumber, z.nan()])).optional(),
})
