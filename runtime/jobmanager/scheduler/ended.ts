/** The job has ended. */
import type { JobEndStatus } from '../job-status.ts'
import { type JobContext, JobState } from './job-state.ts'

export class Ended extends JobState {
  readonly status: JobEndStatus

  constructor(job: JobContext, status: JobEndStatus) {
    super(job)
    this.status = status
  }

  override enter(): void {
    this.job.finish(this.status)
  }

  override cancel(): void {}
}
