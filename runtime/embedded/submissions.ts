/** Uploaded programs on an embedded cluster. */
import { programOf, type Submission, type Submissions } from '../artifacts/submission.ts'
import type { Uploads } from '../artifacts/uploads.ts'
import { type Schedule, systemSchedule } from '../core/clock.ts'
import { errorFromData, TailraceError } from '../core/errors.ts'
import type { ProgramSession } from '../jobmanager/program-session.ts'
import type { EmbeddedCluster } from './cluster.ts'
import { planInThread } from './plan-in-thread.ts'

export interface SubmissionOptions {
  uploads: Uploads
  /** Of the cluster; that of each job begins with it. */
  configuration: Readonly<Record<string, string>>
  /** For a program to submit its first job, milliseconds. */
  timeoutMs?: number
  schedule?: Schedule
}

const TIMEOUT_MS = 600_000

export function embeddedSubmissions(cluster: EmbeddedCluster, options: SubmissionOptions): Submissions {
  const { uploads, configuration, timeoutMs = TIMEOUT_MS, schedule = systemSchedule } = options
  const open = async ({ uploadId, entry }: Submission) => {
    const artifact = await uploads.open(uploadId, entry)
    if (artifact !== undefined) return artifact
    throw new TailraceError('TR-ARTIFACT-004', `Cannot find the upload ${uploadId}: there is none of this id`)
  }
  return {
    uploads,
    async plan(submission) {
      const artifact = await open(submission)
      try {
        return await planInThread(programOf(submission, artifact, configuration), { timeoutMs, schedule })
      } finally {
        await artifact.release()
      }
    },
    async run(submission) {
      if (submission.jobId !== undefined)
        throw new TailraceError(
          'TR-CONFIG-001',
          `Cannot run it as job ${submission.jobId}: this cluster gives ids by itself, wanted: no job id`,
        )
      const artifact = await open(submission)
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      let session: ProgramSession
      try {
        session = await cluster.run(programOf(submission, artifact, configuration), { onJob: ({ id }) => resolve(id) })
      } catch (error) {
        await artifact.release()
        throw error
      }
      void session.ended.then(({ error }) => {
        reject(
          error === undefined
            ? new TailraceError('TR-PROGRAM-003', `Cannot run "${artifact.name}": it ended without calling execute()`)
            : errorFromData(error),
        )
        return artifact.release()
      })
      const stop = schedule(timeoutMs, () => {
        reject(
          new TailraceError(
            'TR-PROGRAM-003',
            `Cannot run "${artifact.name}": it did not call execute() within ${timeoutMs} ms`,
          ),
        )
        session.cancel()
      })
      return promise.finally(stop)
    },
  }
}
