/** JobManager to slot: splits for a reader. */
import { z } from 'zod'
import { splitList } from '../parts/splits.ts'
import { ofSubtask } from '../parts/subtask.ts'

export const splits = z.strictObject({ type: z.literal('splits'), ...ofSubtask, splits: splitList })
