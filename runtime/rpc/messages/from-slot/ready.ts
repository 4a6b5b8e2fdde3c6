/** Slot to JobManager: the thread is up and has loaded the runtime. */
import { z } from 'zod'

export const ready = z.strictObject({ type: z.literal('ready') })
