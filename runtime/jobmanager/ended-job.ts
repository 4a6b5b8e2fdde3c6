/** A job that ended under an earlier leader, as far as the registry of jobs knows it: REST shows it beside those of this one. What it counted and how its tasks went has gone with the process that led it. */
import { NO_CHECKPOINTS } from '../checkpoint/coordinator/statistics-model.ts'
import { readCheckpointSettings } from '../checkpoint/settings.ts'
import type { ErrorData } from '../core/errors.ts'
import type { Plan } from '../graph/model.ts'
import type { JobResult, JobStatus } from '../rpc/program-messages.ts'
import {
  JOB_STATUSES,
  type JobCheckpointsView,
  type JobSummary,
  type JobView,
  type OperationResult,
  type Requirements,
} from '../rpc/views.ts'
import { Execution, vertexView } from './execution.ts'
import type { JobEndStatus } from './job-status.ts'
import { describeRestartStrategy, readRestartStrategy } from './restart-strategy.ts'
import { initialRequirements } from './scheduler/requirements.ts'
import { countStates } from './task-states.ts'

export interface EndedJob {
  jobId: string
  status: JobEndStatus
  submittedMs: number
  endedMs: number
  /** As it was submitted. */
  plan: Plan
  result?: JobResult | undefined
  error?: ErrorData | undefined
  /** The savepoint behind which it has finished. */
  stopped?: OperationResult | undefined
}

export function endedSummary(job: EndedJob): JobSummary {
  const { jobId: id, status, submittedMs: startTime, endedMs: endTime, plan } = job
  const duration = Math.max(0, endTime - startTime)
  const tasks = countStates(plan.vertices.flatMap(({ parallelism }) => Array(parallelism).fill(status)))
  return { id, name: plan.config.jobName, status, startTime, endTime, duration, lastModified: endTime, tasks }
}

export function endedView(job: EndedJob): JobView {
  const { status, submittedMs, endedMs, plan, result, error } = job
  const { id, name, startTime, endTime, duration } = endedSummary(job)
  const settings = readCheckpointSettings(plan.config.options)
  const strategy = readRestartStrategy(plan.config.options, { checkpoints: settings.intervalMs !== undefined })
  const vertices = plan.vertices.map((vertex) => {
    const subtasks = Array.from({ length: vertex.parallelism }, (_, subtask) => {
      const execution = new Execution(vertex.id, subtask, -1, 0, submittedMs)
      execution.move(status, endedMs)
      return execution.view({ slot: -1, taskManager: '', host: '' }, endedMs)
    })
    return vertexView(vertex, subtasks, endedMs)
  })
  return {
    ...{ id, name, status, startTime, endTime, duration, plan, vertices },
    timestamps: { ...NEVER, INITIALIZING: submittedMs, [status]: endedMs },
    totalMs: NEVER,
    metrics: [],
    edgeTypes: {},
    accumulators: result?.accumulators ?? {},
    exceptions: error === undefined ? [] : [{ timestamp: endedMs, error, labels: {}, concurrent: [] }],
    restartStrategy: describeRestartStrategy(strategy),
    numRestarts: 0,
    numRescales: 0,
  }
}

export function endedCheckpoints({ plan }: EndedJob): JobCheckpointsView {
  return { ...NO_CHECKPOINTS, settings: readCheckpointSettings(plan.config.options) }
}

export function endedRequirements({ plan }: EndedJob): Requirements {
  return initialRequirements(plan)
}

const NEVER = Object.fromEntries(JOB_STATUSES.map((status) => [status, 0])) as Record<JobStatus, number>
