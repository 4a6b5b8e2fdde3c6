/**
 * What the parts of a job's coordinator share: the attempt that runs, what is under way, what was asked for, and what the job goes back to. Nobody else changes it.
 */
import { TailraceError } from '../../core/errors.ts'
import type { Plan } from '../../graph/model.ts'
import type { StateHandle } from '../model.ts'
import { AttemptTasks } from './attempt-tasks.ts'
import type { CoordinatorOptions, RestorePoint } from './coordinator-options.ts'
import type { PendingCheckpoint } from './pending-checkpoint.ts'
import { Requests } from './requests.ts'
import { CheckpointStatistics } from './statistics.ts'

export class CoordinatorState {
  readonly options: CoordinatorOptions
  readonly statistics: CheckpointStatistics
  readonly requests = new Requests()
  tasks: AttemptTasks
  /** As the attempt was deployed. */
  plan: Plan
  restorePoint: RestorePoint | undefined
  /** An attempt runs. */
  isActive = false
  /** The job has ended. */
  isClosed = false
  /** Another owner has taken over: nothing may be told, changed or deleted any more. */
  isDeposed = false
  readonly #pending = new Map<number, PendingCheckpoint>()

  constructor(options: CoordinatorOptions) {
    const { plan, store, settings, clock } = options
    this.options = options
    this.tasks = new AttemptTasks(plan)
    this.plan = plan
    const newest = store.completed.at(-1)
    if (newest !== undefined) this.restorePoint = { metadata: newest.metadata, path: newest.path }
    this.statistics = new CheckpointStatistics({ clock, historyMax: settings.historyMax })
  }

  /** Checkpoints and savepoints under way, the oldest first: a copy, so that they may end meanwhile. */
  get pending(): readonly PendingCheckpoint[] {
    return [...this.#pending.values()]
  }
  pendingWith(checkpointId: number): PendingCheckpoint | undefined {
    return this.#pending.get(checkpointId)
  }
  begins(checkpoint: PendingCheckpoint): void {
    this.#pending.set(checkpoint.id, checkpoint)
  }
  ends({ id }: PendingCheckpoint): void {
    this.#pending.delete(id)
  }

  /** Bytes of a checkpoint that came to nothing. */
  discard(checkpointId: number, handles: readonly StateHandle[]): void {
    const files = handles.filter((handle) => 'file' in handle)
    if (files.length === 0 || this.isDeposed) return
    // What cannot be deleted now is found as an orphan when the store is opened the next time.
    this.options.store.discard(checkpointId, files).catch(() => {})
  }

  /** By the clock that never goes back. Milliseconds. */
  get nowMs(): number {
    return this.options.clock.monotonic()
  }

  /** For messages. */
  get job(): string {
    return `the job "${this.options.plan.config.jobName}"`
  }
  /** For messages: when what is under way is given up. */
  get afterTimeout(): string {
    return `after ${this.options.settings.timeoutMs / 1000} s (execution.checkpointing.timeout)`
  }
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** A checkpoint, savepoint or stop that cannot be. */
export function cannot(what: string, why: string, cause?: unknown): TailraceError {
  return new TailraceError('TR-CHECKPOINT-001', `Cannot ${what}: ${why}`, { cause })
}
