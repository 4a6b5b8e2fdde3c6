/** JobManager to slot: the enumerator has given all splits that there will be. */
import { z } from 'zod'
import { ofSubtask } from '../parts/subtask.ts'

export const noMoreSplits = z.strictObject({ type: z.literal('noMoreSplits'), ...ofSubtask })
