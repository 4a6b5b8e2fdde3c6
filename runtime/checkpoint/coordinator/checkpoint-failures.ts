/**
 * Gives up checkpoints and savepoints: whoever asked is told, what was written is discarded, tasks let go of them, and the job fails where decide-failure.ts says so.
 */
import type { TailraceError } from '../../core/errors.ts'
import type { CheckpointTriggers } from './checkpoint-triggers.ts'
import { type CoordinatorState, cannot } from './coordinator-state.ts'
import { decideFailure, type FailureReason } from './decide-failure.ts'
import type { PendingCheckpoint } from './pending-checkpoint.ts'

export class CheckpointFailures {
  readonly #state: CoordinatorState
  readonly #triggers: CheckpointTriggers
  #inRow = 0

  constructor(state: CoordinatorState, triggers: CheckpointTriggers) {
    this.#state = state
    this.#triggers = triggers
  }

  /** A checkpoint is complete: failures in a row are counted anew. */
  startOver(): void {
    this.#inRow = 0
  }

  /** It came to nothing. */
  fails(checkpoint: PendingCheckpoint, reason: FailureReason, why: string, cause?: unknown): void {
    const state = this.#state
    const { settings, outlet } = state.options
    const { askers, directory, kind, phase } = checkpoint
    const decision = decideFailure({ reason, kind, inRow: this.#inRow, tolerable: settings.tolerableFailures })
    this.#inRow = decision.inRow
    if (decision.again && state.isActive) {
      checkpoint.askers = []
      state.requests.again(askers, directory)
      if (reason === 'task finished') this.#triggers.atOnce()
    } else if (checkpoint.barrier.then === 'end') this.#triggers.finalFailed()
    this.giveUp(checkpoint, why, cause)
    if (phase !== 'enumerators' && state.isActive && !state.isDeposed) {
      outlet.abort(checkpoint.id)
      // Tasks that wait for barriers of an older one give it up with this one.
      for (const older of state.pending)
        if (older.id < checkpoint.id && older.phase === 'collecting')
          this.fails(older, 'overtaken', 'a newer one was given up')
    }
    if (decision.job === 'fails') outlet.fail(this.#jobFailure(checkpoint, why, cause))
    else this.#triggers.look()
  }

  /** It has taken too long. */
  expired(checkpoint: PendingCheckpoint): void {
    const { tasks, afterTimeout } = this.#state
    const who =
      checkpoint.phase === 'enumerators'
        ? 'the source enumerators have not given their states'
        : `${tasks.names(checkpoint.missing)} had not acknowledged it`
    this.fails(checkpoint, 'expired', `${who} ${afterTimeout}`)
  }

  /** Without consequences for the job. */
  giveUp(checkpoint: PendingCheckpoint, why: string, cause: unknown): void {
    const state = this.#state
    checkpoint.stopExpiry()
    state.ends(checkpoint)
    state.statistics.failed(checkpoint.id, why)
    state.discard(checkpoint.id, checkpoint.handles())
    const what = `take ${checkpoint.barrier.kind} ${checkpoint.id} of ${state.job}`
    for (const asker of checkpoint.askers) asker.failed(cannot(what, why, cause))
    checkpoint.askers = []
  }

  /** Another owner goes on with the job. */
  takenOver(error: TailraceError): void {
    const state = this.#state
    if (state.isClosed) return
    state.isDeposed = true
    this.#triggers.stop()
    state.options.outlet.fail(error)
  }

  #jobFailure({ id, kind }: PendingCheckpoint, why: string, cause: unknown): TailraceError {
    const { job, options } = this.#state
    if (kind === 'stop') return cannot(`stop ${job} with savepoint ${id}`, why, cause)
    const { tolerableFailures } = options.settings
    const failed = this.#inRow === 1 ? 'one failed' : `${this.#inRow} failed in a row`
    const limit = `execution.checkpointing.tolerable-failed-checkpoints is ${tolerableFailures}`
    // The next attempt may fail as often.
    this.#inRow = 0
    return cannot(`take checkpoints of ${job}`, `${failed}, and ${limit}; checkpoint ${id}: ${why}`, cause)
  }
}
