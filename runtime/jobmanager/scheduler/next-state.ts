/** The states of a job by name. They name each other, and only this file knows them all. */
import { Ended } from './ended.ts'
import { Cancelling, Failing } from './ending.ts'
import { Executing } from './executing.ts'
import type { JobContext, JobState, Next } from './job-state.ts'
import { Restarting } from './restarting.ts'
import { WaitingForResources } from './waiting-for-resources.ts'

export function nextState(next: Next, job: JobContext): JobState {
  switch (next.state) {
    case 'waiting for resources':
      return new WaitingForResources(job)
    case 'executing':
      return new Executing(job, next.parallelism)
    case 'restarting':
      return new Restarting(job, next.dueMs)
    case 'failing':
      return new Failing(job)
    case 'cancelling':
      return new Cancelling(job)
    case 'ended':
      return new Ended(job, next.status)
  }
}
