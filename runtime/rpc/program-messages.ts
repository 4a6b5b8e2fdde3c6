/**
 * Messages between the JobManager and the thread that runs the job's `main` and its source enumerators.
 */
import type { ErrorData } from '../core/errors.ts'
import type { SourceSplit } from '../core/source.ts'
import type { Plan } from '../graph/model.ts'
import type { ProgramRef } from './slot-messages.ts'

/** How a job ended, as `execute()` resolves. */
export interface JobResult {
  jobId: string
  jobName: string
  /** From RUNNING to the end, milliseconds. */
  netRuntimeMs: number
  accumulators: Record<string, number>
}

export type JobStatus =
  | 'INITIALIZING'
  | 'CREATED'
  | 'RUNNING'
  | 'FAILING'
  | 'FAILED'
  | 'CANCELLING'
  | 'CANCELED'
  | 'FINISHED'
  | 'RESTARTING'
  | 'SUSPENDED'
  | 'RECONCILING'

export type ToProgram =
  /** Loads what any program needs; `run` comes later. */
  | { type: 'load' }
  /** `kept`: values of env.once() so far, where they are kept for the next JobManager: then each new one is told by `once` first. */
  | { type: 'run'; program: ProgramRef; kept?: Readonly<Record<string, unknown>> | undefined }
  /** The answer to `once`: the program may have the value; with an error it cannot. */
  | { type: 'onceKept'; name: string; error?: ErrorData }
  | { type: 'submitted'; executeIndex: number; jobId: string }
  | { type: 'submitFailed'; executeIndex: number; error: ErrorData }
  | {
      type: 'jobEnded'
      executeIndex: number
      jobId: string
      status: 'FINISHED' | 'FAILED' | 'CANCELED'
      result?: JobResult
      error?: ErrorData
    }
  /** A subtask of a source runs: its reader is registered. */
  | { type: 'addReader'; jobId: string; vertexId: string; subtask: number }
  | { type: 'splitRequest'; jobId: string; vertexId: string; subtask: number }
  | { type: 'sourceEvent'; jobId: string; vertexId: string; subtask: number; event: unknown }
  | { type: 'collected'; jobId: string; collectId: string; subtask: number; values: unknown[] }
  | { type: 'jobStatus'; jobId: string; status: JobStatus }
  /** Takes the state of all enumerators of the job, now; answered by `enumeratorStates`. */
  | { type: 'snapshotEnumerators'; jobId: string; checkpointId: number }
  | { type: 'checkpointComplete'; jobId: string; checkpointId: number }
  /**
   * An attempt of the job begins: enumerators of the one before are closed, `enumeratorsReset` is answered, and new ones are made, from these states (by
   * operator id) or, without, from the start.
   */
  | {
      type: 'resetEnumerators'
      jobId: string
      attempt: number
      states: Record<string, unknown> | undefined
      /** That the vertices of the attempt have, by id. */
      parallelism: Readonly<Record<string, number>>
    }

export type FromProgram =
  | { type: 'ready' }
  | {
      type: 'submit'
      executeIndex: number
      plan: Plan
      /** Values of env.once() so far and results of earlier executes, for the slots' replay. */
      once: Record<string, unknown>
      results: unknown[]
    }
  /** A value of env.once() that the program has computed and waits for. */
  | { type: 'once'; name: string; value: unknown }
  /** None: there is no split for it now. */
  | { type: 'assignSplits'; jobId: string; vertexId: string; subtask: number; splits: SourceSplit[] }
  | { type: 'noMoreSplits'; jobId: string; vertexId: string; subtask: number }
  | { type: 'sourceEvent'; jobId: string; vertexId: string; subtask: number; event: unknown }
  /** By operator id; with an error one of them could not give its state. */
  | {
      type: 'enumeratorStates'
      jobId: string
      checkpointId: number
      states: Record<string, unknown>
      error?: ErrorData
    }
  /** A source begins or ends to work off a backlog. */
  | { type: 'backlog'; jobId: string; vertexId: string; has: boolean }
  /** Enumerators of earlier attempts have said their last. */
  | { type: 'enumeratorsReset'; jobId: string; attempt: number }
  /** An enumerator threw. */
  | { type: 'coordinatorFailed'; jobId: string; vertexId: string; error: ErrorData }
  | { type: 'collectAck'; jobId: string; collectId: string; subtask: number; count: number }
  | { type: 'cancel'; jobId: string }
  /** main has returned. */
  | { type: 'finished'; executes: number }
  | { type: 'failed'; error: ErrorData }
