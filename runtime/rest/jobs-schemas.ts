/** Lists of jobs, and what there is to know of one without its vertices' numbers. */
import { z } from 'zod'
import { counts, jobStatus } from './common-schemas.ts'

export const jobIds = z.object({ jobs: z.array(z.object({ id: z.string(), status: jobStatus })) })

export const jobLine = z.object({
  jid: z.string(),
  name: z.string(),
  state: jobStatus,
  'start-time': z.number(),
  'end-time': z.number(),
  duration: z.number(),
  'last-modification': z.number(),
  tasks: counts,
  'pending-operators': z.number(),
  jobType: z.enum(['BATCH', 'STREAMING']),
  schedulerType: z.enum(['Default', 'Adaptive', 'AdaptiveBatch']),
})
export type JobLine = z.infer<typeof jobLine>
export const jobsOverview = z.object({ jobs: z.array(jobLine) })

export const jobStatusInfo = z.object({ status: jobStatus })

/** The long names are those of Flink's published contract, the short ones those that it sends. */
export const jobConfig = z.object({
  jid: z.string(),
  name: z.string(),
  'execution-config': z.object({
    'restart-strategy': z.string(),
    'job-parallelism': z.number(),
    'object-reuse-mode': z.boolean(),
    'user-config': z.record(z.string(), z.string()),
  }),
  jobId: z.string(),
  jobName: z.string(),
  executionConfigInfo: z.object({
    'restart-strategy': z.string(),
    'job-parallelism': z.number(),
    'object-reuse-mode': z.boolean(),
    'user-config': z.record(z.string(), z.string()),
  }),
})

export const accumulators = z.object({
  'job-accumulators': z.array(z.unknown()),
  'user-task-accumulators': z.array(z.object({ name: z.string(), type: z.string(), value: z.string() })),
  'serialized-user-task-accumulators': z.record(z.string(), z.unknown()),
})

const exceptionInfo = z.object({
  exceptionName: z.string(),
  stacktrace: z.string(),
  timestamp: z.number(),
  taskName: z.string().nullable(),
  endpoint: z.string().nullable(),
  taskManagerId: z.string().nullable(),
  failureLabels: z.record(z.string(), z.string()),
  /** Ours: the code of docs/errors.md, the operator, and the line of the user's that threw. */
  code: z.string(),
  message: z.string(),
  operator: z.string().nullable(),
  location: z.string().nullable(),
})
export type ExceptionInfo = z.infer<typeof exceptionInfo>

export const exceptions = z.object({
  exceptionHistory: z.object({
    entries: z.array(exceptionInfo.extend({ concurrentExceptions: z.array(exceptionInfo) })),
    truncated: z.boolean(),
  }),
  'root-exception': z.string().nullable(),
  timestamp: z.number().nullable(),
  'all-exceptions': z.array(z.unknown()),
  truncated: z.boolean(),
})
export type Exceptions = z.infer<typeof exceptions>
