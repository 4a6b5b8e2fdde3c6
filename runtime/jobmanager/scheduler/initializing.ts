/** The job takes over what is stored of it. */
import { errorToData } from '../../core/errors.ts'
import type { Failure } from '../exception-history.ts'
import { JobState } from './job-state.ts'

export class Initializing extends JobState {
  readonly status = 'INITIALIZING'

  override enter(): void {
    this.job.open().then(
      () => {
        if (!this.isLeft) this.job.goTo({ state: 'waiting for resources' })
      },
      (error) => {
        if (!this.isLeft) this.failed({ error: errorToData(error, 'TR-CHECKPOINT-005') })
      },
    )
  }

  override failed(failure: Failure): void {
    this.job.addFailure(failure)
    this.job.setFatal(failure.error, 'it has not begun')
    this.job.goTo({ state: 'failing' })
  }
}
