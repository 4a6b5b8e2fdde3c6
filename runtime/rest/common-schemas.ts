/** Types that several answers share, in Flink's spelling. Times are milliseconds since 1970, -1 is "not yet". */
import { z } from 'zod'
import { EXECUTION_STATES, JOB_STATUSES } from '../rpc/views.ts'

export const jobStatus = z.enum(JOB_STATUSES)
export const executionState = z.enum(EXECUTION_STATES)
export const counts = z.record(z.string(), z.number())
/** Flink's binary ids, where its REST contract shows them in parts. */
export const binaryId = z.object({ bytes: z.string(), lowerPart: z.number(), upperPart: z.number() })

/** Sums over subtasks, or the numbers of one. */
export const ioMetrics = z.object({
  'read-bytes': z.number(),
  'read-bytes-complete': z.boolean(),
  'write-bytes': z.number(),
  'write-bytes-complete': z.boolean(),
  'read-records': z.number(),
  'read-records-complete': z.boolean(),
  'write-records': z.number(),
  'write-records-complete': z.boolean(),
  'accumulated-backpressured-time': z.number(),
  'accumulated-idle-time': z.number(),
  'accumulated-busy-time': z.number(),
})
export type IoMetrics = z.infer<typeof ioMetrics>

/** The JSON of any error. */
export const errors = z.object({ errors: z.array(z.string()) })
