/**
 * What a TaskManager can tell of the jobs in its own slots, for its metrics: the plan and the subtasks that it was deployed with, and the pages that their threads write.
 *
 * What must hold: it is read without a word to a slot or to the JobManager.
 */

import type { Plan } from '../graph/model.ts'
import type { MeasuredCluster, MeasuredJob, MeasuredPage, MeasuredSubtask } from '../metrics/measured.ts'
import { taskEnded } from '../metrics/measured.ts'

/** A slot's share of a job. */
export interface MeasuredWork extends MeasuredPage {
  jobId: string
  attempt: number
  plan: Plan
  subtasks: { vertexId: string; subtask: number; state: string }[]
}

export interface MeasuredJobsOptions {
  /** Of the process. */
  taskManagerId: string
  startedMs: number
  host(): string
  /** What its slots run now. */
  work(): readonly MeasuredWork[]
}

/**
 * @example
 * const metrics = new MetricsReader(measuredJobs({ taskManagerId: 'tm-1', … }), systemClock)
 */
export function measuredJobs({ taskManagerId, startedMs, host, work }: MeasuredJobsOptions): MeasuredCluster {
  const of = (jobId: string) => work().filter((one) => one.jobId === jobId)
  const isOver = (parts: readonly MeasuredWork[]) =>
    parts.every(({ subtasks }) => subtasks.every(({ state }) => taskEnded(state)))
  return {
    taskManagers: () => undefined,
    cluster: () => ({ startTime: startedMs, slots: [] }),
    list: () =>
      [...new Set(work().map(({ jobId }) => jobId))].map((id) => ({
        id,
        status: isOver(of(id)) ? 'FINISHED' : 'RUNNING',
      })),
    view(jobId): MeasuredJob | undefined {
      const parts = of(jobId)
      // Slots of an attempt that is over may still be ending theirs.
      const attempt = Math.max(...parts.map((part) => part.attempt))
      const current = parts.filter((part) => part.attempt === attempt)
      const [first] = current
      if (first === undefined) return undefined
      const subtasksOf = (vertexId: string): MeasuredSubtask[] =>
        current.flatMap(({ subtasks }) =>
          subtasks
            .filter((one) => one.vertexId === vertexId)
            .map(({ subtask: index, state }) => {
              return { index, attempt, state, taskManager: taskManagerId, host: host(), timestamps: {} }
            }),
        )
      return {
        id: jobId,
        name: first.plan.config.jobName,
        status: isOver(current) ? 'FINISHED' : 'RUNNING',
        startTime: startedMs,
        endTime: -1,
        timestamps: {},
        totalMs: {},
        numRestarts: 0,
        numRescales: 0,
        plan: first.plan,
        vertices: first.plan.vertices.map(({ id }) => ({ id, subtasks: subtasksOf(id) })),
        metrics: current.map(({ page, names }) => ({ page, names })),
      }
    },
  }
}
