/** JobManager to TaskManager: the job has ended; forget its store. What is still being written ends by itself. */
import { oneWay } from '../wire/catalog.ts'
import { id } from './parts/numbers.ts'

export const closeStore = oneWay('closeStore', { jobId: id })
