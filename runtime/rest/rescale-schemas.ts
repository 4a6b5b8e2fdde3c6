/** What a job wants of parallelism, and what it got, in Flink's spelling. */
import { z } from 'zod'
import { hex32 } from './common.ts'
import { binaryId, counts } from './common-schemas.ts'
import { failureCause } from './operations-schemas.ts'

const bound = z.number().int()
export const requirements = z.record(
  hex32('a vertex id').toLowerCase(),
  z.object({ parallelism: z.object({ lowerBound: bound, upperBound: bound }) }),
)
export type RequirementsBody = z.infer<typeof requirements>

export const rescalingQuery = z.object({
  parallelism: z.coerce.number('parallelism must be a number').int().min(1),
  /** Ours: safe to send again. */
  triggerId: hex32('the trigger id').toLowerCase().optional(),
})

export const rescaling = z.object({
  status: z.object({ id: z.enum(['IN_PROGRESS', 'COMPLETED']) }),
  /** null while it goes on. */
  operation: z.object({ 'failure-cause': failureCause.optional() }).nullable(),
})
export type Rescaling = z.infer<typeof rescaling>

const resources = z.object({
  cpuCores: z.number(),
  taskHeapMemory: z.number(),
  taskOffHeapMemory: z.number(),
  managedMemory: z.number(),
  networkMemory: z.number(),
  extendedResources: counts,
})
const group = { slotSharingGroupId: binaryId, slotSharingGroupName: z.string() }

/** null and absent: not yet. */
export const rescaleDetails = z.object({
  rescaleUuid: z.string(),
  resourceRequirementsUuid: z.string(),
  rescaleAttemptId: z.number(),
  triggerCause: z.string(),
  startTimestampInMillis: z.number(),
  endTimestampInMillis: z.number().nullable(),
  terminalState: z.string().nullable(),
  terminatedReason: z.string().nullable(),
  vertices: z.record(
    z.string(),
    z.object({
      jobVertexId: z.string(),
      jobVertexName: z.string(),
      ...group,
      desiredParallelism: z.number(),
      sufficientParallelism: z.number(),
      preRescaleParallelism: z.number().nullable(),
      postRescaleParallelism: z.number().nullable(),
      requiredParallelisms: z.object({
        minParallelism: z.number(),
        parallelism: z.number(),
        maxParallelism: z.number(),
      }),
    }),
  ),
  slots: z.record(
    z.string(),
    z.object({
      ...group,
      desiredSlots: z.number(),
      minimalRequiredSlots: z.number(),
      preRescaleSlots: z.number().nullable(),
      postRescaleSlots: z.number().nullable(),
      requestResourceProfile: resources,
      acquiredResourceProfile: resources,
    }),
  ),
  schedulerStates: z.array(
    z.object({
      state: z.string(),
      enterTimestampInMillis: z.number(),
      leaveTimestampInMillis: z.number().nullable(),
      durationInMillis: z.number(),
      stringifiedException: z.string().nullable(),
    }),
  ),
})
export type RescaleDetails = z.infer<typeof rescaleDetails>

const rescalesCounts = z.object({
  inProgress: z.number(),
  completed: z.number(),
  failed: z.number(),
  ignored: z.number(),
})
export const rescalesOverview = z.object({
  rescalesCounts,
  latest: z.object({
    completed: rescaleDetails.nullable(),
    failed: rescaleDetails.nullable(),
    ignored: rescaleDetails.nullable(),
  }),
})
export const rescalesHistory = z.array(rescaleDetails)

const statistics = z.object({
  min: z.number(),
  max: z.number(),
  avg: z.number(),
  p50: z.number(),
  p90: z.number(),
  p95: z.number(),
  p99: z.number(),
  p999: z.number(),
})
export const rescalesSummary = z.object({
  rescalesCounts,
  rescalesDurationStatsInMillis: statistics,
  completedRescalesDurationStatsInMillis: statistics,
  failedRescalesDurationStatsInMillis: statistics,
  ignoredRescalesDurationStatsInMillis: statistics,
})

export const rescalesConfig = z.object({
  rescaleHistoryMax: z.number(),
  schedulerExecutionMode: z.string().nullable(),
  submissionResourceWaitTimeoutInMillis: z.number(),
  submissionResourceStabilizationTimeoutInMillis: z.number(),
  slotIdleTimeoutInMillis: z.number(),
  executingCooldownTimeoutInMillis: z.number(),
  executingResourceStabilizationTimeoutInMillis: z.number(),
  maximumDelayForTriggeringRescaleInMillis: z.number(),
  rescaleOnFailedCheckpointCount: z.number(),
})
