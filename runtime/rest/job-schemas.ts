/** A job with its plan and vertices. */
import { z } from 'zod'
import { binaryId, counts, executionState, ioMetrics, jobStatus } from './common-schemas.ts'

const planInput = z.object({
  num: z.number(),
  id: z.string(),
  ship_strategy: z.string(),
  exchange: z.string(),
  local_strategy: z.string(),
  caching: z.string(),
})

const planNode = z.object({
  id: z.string(),
  parallelism: z.number(),
  operator: z.string(),
  operator_strategy: z.string(),
  description: z.string(),
  inputs: z.array(planInput),
  optimizer_properties: z.object({}),
})

export const plan = z.object({ jid: z.string(), name: z.string(), type: z.string(), nodes: z.array(planNode) })
export type RestPlan = z.infer<typeof plan>
export const jobPlan = z.object({ plan })

export const jobVertex = z.object({
  id: z.string(),
  slotSharingGroupId: binaryId,
  name: z.string(),
  maxParallelism: z.number(),
  parallelism: z.number(),
  status: executionState,
  'start-time': z.number(),
  'end-time': z.number(),
  duration: z.number(),
  tasks: counts,
  metrics: ioMetrics,
})

export const jobDetails = z.object({
  jid: z.string(),
  name: z.string(),
  isStoppable: z.boolean(),
  state: jobStatus,
  'job-type': z.enum(['BATCH', 'STREAMING']),
  'start-time': z.number(),
  'end-time': z.number(),
  duration: z.number(),
  maxParallelism: z.number(),
  now: z.number(),
  timestamps: counts,
  vertices: z.array(jobVertex),
  'status-counts': counts,
  plan,
  'stream-graph': z.object({}),
  'pending-operators': z.number(),
  schedulerType: z.enum(['Default', 'Adaptive', 'AdaptiveBatch']),
  'application-id': binaryId,
})
export type JobDetails = z.infer<typeof jobDetails>
