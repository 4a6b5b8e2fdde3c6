/** JobManager to slot: the program has taken so many collected values. */
import { z } from 'zod'
import { count, id } from '../parts/numbers.ts'

export const collectAck = z.strictObject({ type: z.literal('collectAck'), collectId: id, subtask: count, count })
