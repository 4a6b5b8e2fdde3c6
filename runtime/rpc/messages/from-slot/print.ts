/** Slot to JobManager: text of print(); the JobManager writes it, so that lines of several threads never mix. */
import { z } from 'zod'

export const print = z.strictObject({
  type: z.literal('print'),
  stream: z.enum(['stdout', 'stderr']),
  text: z.string(),
})
