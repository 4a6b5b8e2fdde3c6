/** Slot to JobManager: its tasks are built and wait for start. */
import { z } from 'zod'

export const deployed = z.strictObject({ type: z.literal('deployed') })
