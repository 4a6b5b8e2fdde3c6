/** The job comes to its end: because it failed for good, or was cancelled. */
import type { Failure } from '../exception-history.ts'
import { decideEnd } from '../job-status.ts'
import { JobState } from './job-state.ts'

abstract class Ending extends JobState {
  abstract override readonly status: 'FAILING' | 'CANCELLING'

  override enter(): void {
    this.job.attempt.cancel()
    this.progress()
  }

  override progress(): void {
    if (this.isLeft) return
    const status = decideEnd(
      this.status,
      this.job.attempt.executions.map((execution) => execution.state),
    )
    if (status !== undefined) this.job.goTo({ state: 'ended', status })
  }
}

export class Failing extends Ending {
  readonly status = 'FAILING'

  override failed(failure: Failure): void {
    this.job.addConcurrent(failure)
  }
}

export class Cancelling extends Ending {
  readonly status = 'CANCELLING'

  override enter(): void {
    this.job.coordinator?.jobEnds(false)
    super.enter()
  }

  override failed(failure: Failure): void {
    this.job.addFailure(failure)
  }

  override cancel(): void {}
}
