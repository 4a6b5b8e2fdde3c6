/** JobManager to TaskManager: end all slots, then the process. */
import { z } from 'zod'
import { oneWay } from '../wire/catalog.ts'

export const shutdown = oneWay('shutdown', { reason: z.string().max(2_000) })
