/** JobManager to every slot: the checkpoint was given up. */
import { z } from 'zod'
import { count } from '../parts/numbers.ts'

export const checkpointAborted = z.strictObject({ type: z.literal('checkpointAborted'), checkpointId: count })
