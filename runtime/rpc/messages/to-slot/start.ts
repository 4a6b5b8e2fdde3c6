/** JobManager to slot: all slots of the job have deployed, begin. */
import { z } from 'zod'

export const start = z.strictObject({ type: z.literal('start') })
