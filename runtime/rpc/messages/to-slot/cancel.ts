/** JobManager to slot: end what runs. */
import { z } from 'zod'

export const cancel = z.strictObject({ type: z.literal('cancel') })
