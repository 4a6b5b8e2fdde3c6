/**
 * The stop of a job with a savepoint, from the request to the job's end: whoever asked is answered once, when the job has finished behind the savepoint, or with the reason why it has not.
 */
import { TailraceError } from '../../core/errors.ts'
import { type CoordinatorState, cannot, messageOf } from './coordinator-state.ts'
import type { CheckpointResult, Stop } from './requests.ts'

export class StopWithSavepoint {
  readonly #state: CoordinatorState
  /** It is over, and nobody was told yet. */
  #stopped: Stop | undefined

  constructor(state: CoordinatorState) {
    this.#state = state
  }

  /** `drain`: the sources end first. */
  begin(directory: string, drain: boolean): Promise<CheckpointResult> {
    const { options, requests } = this.#state
    const result = Promise.withResolvers<CheckpointResult>()
    const stopExpiry = drain ? options.schedule(options.settings.timeoutMs, () => this.#notDrained()) : () => {}
    requests.stop = { drain, directory, result, taken: undefined, stopExpiry }
    return result.promise
  }

  #notDrained(): void {
    const { options, job, afterTimeout } = this.#state
    options.outlet.fail(cannot(`drain ${job}`, `its data had not ended ${afterTimeout}`))
  }

  /** The attempt's tasks are being ended. Gives an error for the job's history when the savepoint is there. */
  attemptEnds(cause: TailraceError): TailraceError | undefined {
    const { requests } = this.#state
    const { stop } = requests
    // One that is being written is told of when it is known whether it was.
    if (stop === undefined || this.#isWritten(stop)) return undefined
    requests.stop = undefined
    const error = this.failed(stop, cause)
    return stop.taken === undefined ? undefined : error
  }

  /** The savepoint of the stop is on its way into its folder. */
  #isWritten({ taken }: Stop): boolean {
    return (
      taken === undefined && this.#state.pending.some(({ kind, phase }) => kind === 'stop' && phase === 'completing')
    )
  }

  /** The job has ended, or is about to. `stop`: what was being done until then. */
  jobEnds(stop: Stop, finished: boolean): void {
    if (finished && stop.taken !== undefined) this.#stopped = stop
    else this.failed(stop, new TailraceError('TR-CHECKPOINT-001', 'the job has ended'))
  }

  /** Answers; `error`: the job could not be ended in its store. */
  async ends(error?: unknown): Promise<void> {
    const stop = this.#stopped
    this.#stopped = undefined
    if (stop?.taken === undefined) return
    if (error !== undefined) {
      this.failed(stop, cannot(`end ${this.#state.job} in its store`, messageOf(error), error))
      return
    }
    // Every task has committed before it finished.
    await this.#state.options.markCommitted(stop.taken.path)
    stop.result.resolve(stop.taken)
  }

  /** Answers that the job was not stopped; gives the answer. */
  failed({ taken, result }: Stop, cause: TailraceError): TailraceError {
    const why =
      taken === undefined
        ? cause.message
        : `savepoint ${taken.checkpointId} was taken at "${taken.path}", but the job had not stopped yet: ${cause.message}`
    const error = cannot(`stop ${this.#state.job} with a savepoint`, why, cause)
    result.reject(error)
    return error
  }
}
