/** JobManager to every slot: the checkpoint is complete, and all before it. */
import { z } from 'zod'
import { count } from '../parts/numbers.ts'

export const checkpointComplete = z.strictObject({ type: z.literal('checkpointComplete'), checkpointId: count })
