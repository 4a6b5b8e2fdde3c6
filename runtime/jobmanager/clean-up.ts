/** What an interrupted JobManager has left of a job that had ended: its checkpoints go as they would have gone then. */
import { decideRetention } from '../checkpoint/coordinator/retention.ts'
import { readCheckpointSettings } from '../checkpoint/settings.ts'
import type { ErrorCode } from '../core/errors.ts'
import type { Plan } from '../graph/model.ts'
import type { OpenStorage } from './job-checkpoints.ts'
import type { JobEndStatus } from './job-status.ts'

export interface EndedJob {
  jobId: string
  plan: Plan
  status: JobEndStatus
  /** Why it failed. */
  code: ErrorCode | undefined
}

/** Takes over the store of the job, so nobody may run it. Throws what the store throws. */
export async function cleanUpAfter({ jobId, plan, status, code }: EndedJob, openStorage: OpenStorage): Promise<void> {
  const settings = readCheckpointSettings(plan.config.options)
  if (settings.directory === undefined) return
  const { store } = await openStorage({ jobId, plan, settings })
  try {
    const { retention } = settings
    const tookOne = store.completed.length > 0
    if (decideRetention({ status, retention, code, tookOne }) === 'delete') await store.discardAll()
  } finally {
    await store.close()
  }
}
