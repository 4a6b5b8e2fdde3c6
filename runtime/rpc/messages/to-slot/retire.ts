/** JobManager to slot: the job has ended; write out what is buffered and end the thread. */
import { z } from 'zod'

export const retire = z.strictObject({ type: z.literal('retire') })
