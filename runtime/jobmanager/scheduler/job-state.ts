/**
 * What a job does in one of its states, and what a state may do with the job. One file per state:
 *
 *     initializing ──▶ waiting for resources ──▶ executing ──▶ ended
 *                           ▲                        │
 *                           └───── restarting ◀──────┤ (a failure, or another parallelism)
 *                                                    ▼
 *                         any but an end ──▶ failing or cancelling ──▶ ended
 *
 * What must hold: one state at a time; a state that was left hears nothing and does nothing any more, its timers included.
 */
import type { CheckpointCoordinator } from '../../checkpoint/coordinator/checkpoint-coordinator.ts'
import type { Clock } from '../../core/clock.ts'
import { type ErrorData, errorToData } from '../../core/errors.ts'
import type { Plan } from '../../graph/model.ts'
import type { JobStatus } from '../../rpc/program-messages.ts'
import type { Attempt, JobTimeouts, Schedule } from '../attempt.ts'
import type { Failure } from '../exception-history.ts'
import type { JobParallelism } from '../job-parallelism.ts'
import type { JobSlots } from '../job-slots.ts'
import type { JobEndStatus } from '../job-status.ts'
import type { RestartDecision } from '../restart-strategy.ts'
import type { Parallelism } from './decide-parallelism.ts'
import type { SchedulerSettings } from './settings.ts'

/** Where a job goes next. */
export type Next =
  | { state: 'waiting for resources' }
  | { state: 'executing'; parallelism: Parallelism }
  /** `dueMs`: not before, by the monotonic clock. */
  | { state: 'restarting'; dueMs: number }
  | { state: 'failing' }
  | { state: 'cancelling' }
  | { state: 'ended'; status: JobEndStatus }

/** What states see of their job. */
export interface JobContext {
  readonly name: string
  /** Of the program, with the numbers of key groups that the job goes on with. */
  readonly program: Plan
  readonly clock: Clock
  readonly timer: Schedule
  readonly timeouts: JobTimeouts
  readonly settings: SchedulerSettings
  readonly parallelism: JobParallelism
  readonly slots: JobSlots
  /** The one that runs, or ran last. */
  readonly attempt: Attempt
  /** undefined: there is no place for checkpoints, or it is not open yet. */
  readonly coordinator: CheckpointCoordinator | undefined
  /** How often checkpoints are taken; undefined: only when somebody asks. */
  readonly checkpointIntervalMs: number | undefined
  /** Another attempt would give the program values that it has taken. */
  readonly isObserved: boolean
  /** Of the cluster, beside those that the job has. */
  freeSlots(): number
  /** It lacks so many slots to begin: younger jobs that do not use theirs give them, if that is enough. The states hear when they are free. */
  claimSlots(count: number): void
  goTo(next: Next): void
  /** Takes over what is stored. */
  open(): Promise<void>
  /** Makes the next attempt. False: others have taken the slots. Throws TR-CHECKPOINT-004 when what it should go on from does not fit, TR-CONFIG-001 for settings that only deploying reads. */
  makeAttempt(parallelism: Parallelism): boolean
  decideRestart(error: ErrorData): RestartDecision
  /** Remembers what ended an attempt, or the job. */
  addFailure(failure: Failure): void
  /** What else failed while tasks ended. */
  addConcurrent(failure: Failure): void
  /** The job is not restarted. */
  setFatal(error: ErrorData, why: string): void
  /** Last of all. */
  finish(status: JobEndStatus): void
}

export abstract class JobState {
  abstract readonly status: JobStatus
  protected readonly job: JobContext
  #left = false
  readonly #timers = new Set<() => void>()

  constructor(job: JobContext) {
    this.job = job
  }

  enter(): void {}

  leave(): void {
    this.#left = true
    for (const stop of this.#timers) stop()
    this.#timers.clear()
  }

  /** Tasks have ended, a slot has, or a checkpoint is complete. */
  progress(): void {}

  failed(_failure: Failure): void {}

  cancel(): void {
    this.job.goTo({ state: 'cancelling' })
  }

  /** The cluster has other slots than before. */
  resourcesChanged(): void {}

  /** Slots that the job holds and does not use: an older job may have them. */
  get idleSlots(): number {
    return 0
  }

  requirementsChanged(): void {}

  protected get isLeft(): boolean {
    return this.#left
  }

  /** Calls `then` after a time, unless the state is left before. The answer prevents it. */
  protected after(ms: number, then: () => void): () => void {
    const stop = this.job.timer(ms, () => {
      this.#timers.delete(stop)
      if (!this.#left) then()
    })
    this.#timers.add(stop)
    return () => {
      this.#timers.delete(stop)
      stop()
    }
  }

  /** An attempt, or the try to begin one, has failed: the strategy says what comes next. */
  protected restartOrFail(failure: Failure): void {
    const { job } = this
    job.addFailure(failure)
    const decision = job.decideRestart(failure.error)
    const more = job.coordinator?.attemptEnds(failure.error)
    if (more !== undefined) job.addConcurrent({ error: errorToData(more) })
    if (decision.action === 'restart') job.goTo({ state: 'restarting', dueMs: decision.history.dueMs })
    else {
      job.setFatal(failure.error, decision.why)
      job.goTo({ state: 'failing' })
    }
  }
}
