/** What an interrupted JobManager has left of a job that had ended: its checkpoints go as they would have gone then, and its savepoint is said to be committed. */
import { decideRetention } from '../checkpoint/coordinator/retention.ts'
import { readCheckpointSettings } from '../checkpoint/settings.ts'
import { type ErrorCode, errorToData } from '../core/errors.ts'
import type { Plan } from '../graph/model.ts'
import type { OpenStorage } from './job-checkpoints.ts'
import type { JobEndStatus } from './job-status.ts'

export interface EndedJob {
  jobId: string
  plan: Plan
  status: JobEndStatus
  /** Why it failed. */
  code: ErrorCode | undefined
  /** The savepoint behind which it has finished: all of it is committed. */
  stopped?: string | undefined
  /** A generation of its deployment has begun it as it was told. */
  isTold: boolean
}

/** Takes over the store of the job, so nobody may run it. Throws what the store throws; `warn` hears what does not matter to it. */
export async function cleanUpAfter(
  job: EndedJob,
  openStorage: OpenStorage,
  warn: (text: string) => void,
): Promise<void> {
  const { jobId, plan, status, code, stopped, isTold } = job
  const settings = readCheckpointSettings(plan.config.options)
  if (settings.directory === undefined && stopped === undefined) return
  const { store, markCommitted } = await openStorage({ jobId, plan, settings })
  try {
    if (stopped !== undefined)
      await markCommitted(stopped).catch((error) =>
        warn(`Cannot mark savepoint "${stopped}" as committed: ${errorToData(error).message}`),
      )
    const { retention } = settings
    const tookOne = store.completed.length > 0
    if (decideRetention({ status, retention, code, tookOne, isTold }) === 'delete') await store.discardAll()
  } finally {
    await store.close()
  }
}
