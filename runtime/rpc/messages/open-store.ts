/**
 * JobManager to TaskManager, before a job's first `deploy`: where to put the bytes of its checkpoints and where to read them. Answered when it is known that the place can be reached.
 */
import { z } from 'zod'
import { call } from '../wire/catalog.ts'
import { id, texts } from './parts/numbers.ts'
import { stateStorage } from './parts/state-storage.ts'

export const openStore = call(
  'openStore',
  {
    jobId: id,
    storage: stateStorage,
    /** Keys that the store needs, such as `s3.endpoint`; secrets among them. */
    options: texts,
  },
  z.null(),
)
