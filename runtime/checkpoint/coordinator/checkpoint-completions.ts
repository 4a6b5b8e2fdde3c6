/**
 * Completes checkpoints and savepoints for which everything is there, one after the other: has them stored, and then tells everyone.
 *
 * What must hold: nobody is told of a checkpoint before the store has it. What has begun to complete is waited for before a restart
 * ({@link CheckpointCompletions.settled}), as nobody else can tell whether the store has it.
 */
import { isTailraceError } from '../../core/errors.ts'
import type { CompletedCheckpoint } from '../checkpoint-store.ts'
import type { CheckpointMetadata } from '../model.ts'
import { nameOfOperator, partOfUnion } from '../operator-state.ts'
import type { CheckpointFailures } from './checkpoint-failures.ts'
import type { CheckpointTriggers } from './checkpoint-triggers.ts'
import { collectMetadata } from './collect-metadata.ts'
import type { WrittenSavepoint } from './coordinator-options.ts'
import { type CoordinatorState, cannot, messageOf } from './coordinator-state.ts'
import type { PendingCheckpoint } from './pending-checkpoint.ts'
import type { StopWithSavepoint } from './stop-with-savepoint.ts'

/** Of the same coordinator. */
interface OtherParts {
  triggers: CheckpointTriggers
  failures: CheckpointFailures
  stop: StopWithSavepoint
}

export class CheckpointCompletions {
  readonly #state: CoordinatorState
  readonly #triggers: CheckpointTriggers
  readonly #failures: CheckpointFailures
  readonly #stop: StopWithSavepoint
  /** Completes one after the other. */
  #completing: Promise<void> = Promise.resolve()

  constructor(state: CoordinatorState, { triggers, failures, stop }: OtherParts) {
    this.#state = state
    this.#triggers = triggers
    this.#failures = failures
    this.#stop = stop
  }

  /** Resolves when nothing is being completed. */
  async settled(): Promise<void> {
    await this.#completing
  }

  /** All have given their parts. */
  complete(checkpoint: PendingCheckpoint): void {
    const { options, plan, tasks } = this.#state
    const { jobId, store } = options
    const { places, left } = tasks
    const edgeTypes = options.edgeTypes()
    const metadata = collectMetadata({ checkpoint, plan, places, jobId, epoch: store.epoch, edgeTypes, left })
    const part = partOfUnion(metadata.operators)
    if (part !== undefined) {
      const state = `union state "${part.state}" of operator ${nameOfOperator(part.operator)}`
      this.#failures.fails(checkpoint, 'store', `${state} is not whole, since some of its subtasks have finished`)
      return
    }
    checkpoint.stopExpiry()
    checkpoint.phase = 'completing'
    this.#completing = this.#completing.then(() => this.#store(checkpoint, metadata))
  }

  async #store(checkpoint: PendingCheckpoint, metadata: CheckpointMetadata): Promise<void> {
    const { options, restorePoint } = this.#state
    const { store, writeSavepoint } = options
    // A newer one may have been acknowledged and stored first.
    if (checkpoint.kind === 'checkpoint' && checkpoint.id < (restorePoint?.metadata.checkpointId ?? -1)) {
      this.#failures.fails(checkpoint, 'subsumed', 'a newer one is complete')
      return
    }
    try {
      if (checkpoint.kind === 'checkpoint') this.#completed(checkpoint, await store.complete(metadata))
      else {
        const written = await writeSavepoint(metadata, checkpoint.directory!)
        const stops = checkpoint.kind === 'stop' && this.#state.isActive
        const kept = stops ? await store.complete({ ...metadata, kind: 'checkpoint' }) : undefined
        this.#savepointTaken(checkpoint, written, kept)
      }
    } catch (error) {
      this.#notCompleted(checkpoint, error)
    }
  }

  #completed(checkpoint: PendingCheckpoint, done: CompletedCheckpoint): void {
    const state = this.#state
    state.restorePoint = { metadata: done.metadata, path: done.path }
    this.#failures.startOver()
    this.#done(checkpoint, done)
    state.statistics.keeps(state.options.store.completed.map(({ metadata }) => metadata.checkpointId))
    if (!state.isActive) return
    state.options.outlet.complete(checkpoint.id)
    for (const older of state.pending)
      if (older.id < checkpoint.id && older.kind === 'checkpoint' && older.phase !== 'completing')
        this.#failures.fails(older, 'subsumed', 'a newer one is complete')
    this.#letGo(checkpoint)
    this.#triggers.look()
  }

  /**
   * `kept`: of a savepoint that stops the job, as a checkpoint of the store. Tasks are about to commit up to it, so it is fenced like any other, and what whoever comes next
   * goes on from: another attempt, or another process.
   */
  #savepointTaken(checkpoint: PendingCheckpoint, done: WrittenSavepoint, kept: CompletedCheckpoint | undefined): void {
    const state = this.#state
    this.#done(checkpoint, done)
    if (kept === undefined) state.discard(checkpoint.id, checkpoint.handles())
    else state.restorePoint = { metadata: kept.metadata, path: kept.path }
    const stop = checkpoint.kind === 'stop' ? state.requests.stop : undefined
    if (stop !== undefined) {
      stop.taken = { checkpointId: checkpoint.id, path: done.path }
      if (!state.isActive) {
        state.requests.stop = undefined
        this.#stop.failed(stop, cannot(`stop ${state.job}`, 'a task failed meanwhile'))
        return
      }
      state.options.outlet.complete(checkpoint.id)
      this.#letGo(checkpoint)
    }
    this.#triggers.look()
  }

  #done(checkpoint: PendingCheckpoint, done: WrittenSavepoint): void {
    this.#state.ends(checkpoint)
    this.#triggers.completed()
    this.#state.statistics.completed(checkpoint.id, done)
    for (const asker of checkpoint.askers) asker.complete({ checkpointId: checkpoint.id, path: done.path })
  }

  #letGo({ snapshots }: PendingCheckpoint): void {
    const { tasks, nowMs, options } = this.#state
    tasks.letGo(snapshots, nowMs + options.settings.timeoutMs)
  }

  #notCompleted(checkpoint: PendingCheckpoint, error: unknown): void {
    const state = this.#state
    if (isTailraceError(error) && error.code === 'TR-CHECKPOINT-002') {
      state.isDeposed = true
      this.#failures.giveUp(checkpoint, error.message, error)
      this.#failures.takenOver(error)
      return
    }
    const what = checkpoint.kind === 'checkpoint' ? 'its store could not complete it' : 'it could not be written'
    const message = messageOf(error)
    const reason = state.isActive ? 'store' : 'failover'
    this.#failures.fails(checkpoint, reason, `${what}: ${message}`, error)
    const { stop } = state.requests
    if (reason !== 'failover' || checkpoint.kind !== 'stop' || stop === undefined) return
    state.requests.stop = undefined
    this.#stop.failed(stop, cannot(`stop ${state.job}`, `${what}: ${message}`, error))
  }
}
