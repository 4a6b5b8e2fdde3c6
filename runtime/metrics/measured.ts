/**
 * What the reading side of metrics needs to know of a cluster. The read model of rpc/views.ts fits these types; they are here, and
 * smaller, because metrics know nobody but core.
 */
import type { MetricName } from './page.ts'

/** A slot's page with the names that the slot reported so far, in the order of their indexes. */
export interface MeasuredPage {
  readonly page: SharedArrayBuffer
  readonly names: readonly MetricName[]
}

export interface MeasuredSubtask {
  readonly index: number
  readonly attempt: number
  readonly state: string
  /** Id of its TaskManager, and where that is; '' for the one in this process. */
  readonly taskManager: string
  readonly host: string
  /** When it entered each state; -1 is never. */
  readonly timestamps: Readonly<Record<string, number>>
}

export interface MeasuredOperator {
  readonly operatorId: string
  readonly name: string
  readonly isSource: boolean
  readonly isSink: boolean
}

export interface MeasuredJob {
  readonly id: string
  readonly name: string
  readonly status: string
  readonly startTime: number
  /** -1 while it runs. */
  readonly endTime: number
  /** When it entered each status; 0 is never. */
  readonly timestamps: Readonly<Record<string, number>>
  /** Milliseconds spent in each status, in all. */
  readonly totalMs: Readonly<Record<string, number>>
  readonly numRestarts: number
  readonly numRescales: number
  /** By metric's name; absent when it takes no checkpoints. */
  readonly checkpoints?: object
  readonly plan: {
    readonly vertices: readonly {
      readonly id: string
      readonly name: string
      readonly operators: readonly MeasuredOperator[]
    }[]
  }
  readonly vertices: readonly { readonly id: string; readonly subtasks: readonly MeasuredSubtask[] }[]
  readonly metrics: readonly MeasuredPage[]
}

/** A TaskManager in a process of its own. */
export interface MeasuredTaskManager {
  readonly id: string
  readonly host: string
  /** Of its process, by Flink's names. */
  readonly process: Readonly<Record<string, number>>
}

export interface MeasuredCluster {
  /** undefined: the only one shares this process. */
  taskManagers(): readonly MeasuredTaskManager[] | undefined
  cluster(): { readonly startTime: number; readonly slots: readonly { readonly state: string }[] }
  list(): readonly { readonly id: string; readonly status: string }[]
  view(jobId: string): MeasuredJob | undefined
}

const ENDED_JOB = new Set(['FINISHED', 'FAILED', 'CANCELED'])
const ENDED_TASK = new Set(['FINISHED', 'FAILED', 'CANCELED'])

/** Whether a job status is final. */
export function jobEnded(status: string): boolean {
  return ENDED_JOB.has(status)
}

/** Whether a task state is final. */
export function taskEnded(state: string): boolean {
  return ENDED_TASK.has(state)
}
