/** Slot to JobManager: the subtask could not take a checkpoint, or it made way for a newer one. */
import { z } from 'zod'
import { errorData } from '../../wire/error-data.ts'
import { count } from '../parts/numbers.ts'
import { ofSubtask } from '../parts/subtask.ts'

export const checkpointDeclined = z.strictObject({
  type: z.literal('checkpointDeclined'),
  ...ofSubtask,
  checkpointId: count,
  error: errorData.optional(),
})
