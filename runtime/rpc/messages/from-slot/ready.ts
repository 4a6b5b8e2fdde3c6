/** Slot to JobManager: the thread is up and has loaded the runtime. */
import { z } from 'zod'
import { id, port } from '../parts/numbers.ts'

export const ready = z.strictObject({ type: z.literal('ready'), dataPort: port.optional(), loaded: id.optional() })
