/** JobManager to every TaskManager: the job has ended for good, and nothing that is kept for its next attempt is of use any more. */
import { oneWay } from '../wire/catalog.ts'
import { id } from './parts/numbers.ts'

export const jobEnded = oneWay('jobEnded', { jobId: id })
