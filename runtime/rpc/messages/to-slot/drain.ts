/** JobManager to slot: the source reads no more, its input ends here. In order with triggerCheckpoint. */
import { z } from 'zod'
import { ofSubtask } from '../parts/subtask.ts'

export const drain = z.strictObject({ type: z.literal('drain'), ...ofSubtask })
