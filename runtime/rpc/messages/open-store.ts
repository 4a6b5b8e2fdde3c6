/**
 * JobManager to TaskManager, before a job's first `deploy`: where to put the bytes of its checkpoints and where to read them. Answered when it is known that the place can be reached.
 */
import { z } from 'zod'
import { call } from '../wire/catalog.ts'
import { count, id, texts } from './parts/numbers.ts'

export const openStore = call(
  'openStore',
  {
    jobId: id,
    /** Where the deployment's checkpoints are: a path or URL; absent: in the JobManager's memory, by calls. */
    directory: z.string().min(1).optional(),
    /** Below it, of the deployment. */
    folder: z.string(),
    /** Of the owner that has claimed the folder: names of new files begin with it. */
    owner: z.strictObject({ id, epoch: count }),
    /** Keys that the store needs, such as `s3.endpoint`; secrets among them. */
    options: texts,
  },
  z.null(),
)
