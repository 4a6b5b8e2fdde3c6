/** Uploaded programs, on an embedded cluster or on one of processes. Each is held until its jobs have ended. */
import type { Artifact } from '../artifacts/fetch-artifact.ts'
import { entryOf, programOf, type Submission, type Submissions } from '../artifacts/submission.ts'
import type { Uploads } from '../artifacts/uploads.ts'
import { type Schedule, systemSchedule } from '../core/clock.ts'
import { errorFromData, TailraceError } from '../core/errors.ts'
import { planInThread } from '../embedded/plan-in-thread.ts'
import type { ProgramSession, SessionOptions } from '../jobmanager/program-session.ts'
import type { ArtifactRef, ProgramRef } from '../rpc/slot-messages.ts'

/** What runs programs: EmbeddedCluster and JobManager. */
export interface Programs {
  readonly dispatcher: { view(jobId: string): unknown }
  run(program: ProgramRef, options: Pick<SessionOptions, 'onJob' | 'jobId'>): ProgramSession | Promise<ProgramSession>
}

export interface SubmissionOptions {
  uploads: Uploads
  /** Of the cluster; that of each job begins with it. */
  configuration: Readonly<Record<string, string>>
  /** For a program to submit its first job, milliseconds. */
  timeoutMs?: number
  schedule?: Schedule
  /** Lets processes elsewhere fetch the artifact until `end` is called; absent: programs run in this process. */
  ship?: ((artifact: Artifact, entry?: string) => { ref: ArtifactRef; end(): void }) | undefined
}

const TIMEOUT_MS = 600_000

export function programSubmissions(programs: Programs, options: SubmissionOptions): Submissions {
  const { ship, uploads, configuration, timeoutMs = TIMEOUT_MS, schedule = systemSchedule } = options
  const open = async ({ uploadId, ...submission }: Submission) => {
    const artifact = await uploads.open(uploadId, entryOf(submission).module)
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
      const { jobId } = submission
      if (jobId !== undefined && programs.dispatcher.view(jobId) !== undefined)
        throw new TailraceError(
          'TR-CONFIG-001',
          `Cannot run it as job ${jobId}: the cluster has a job of this id, wanted: another one, or none`,
        )
      const artifact = await open(submission)
      const { promise, resolve, reject } = Promise.withResolvers<string>()
      const shipped = ship?.(artifact, entryOf(submission).module)
      const release = async () => {
        shipped?.end()
        await artifact.release()
      }
      let session: ProgramSession
      try {
        const program = programOf(submission, artifact, configuration)
        if (shipped !== undefined) program.artifact = shipped.ref
        session = await programs.run(program, {
          onJob: ({ id }) => resolve(id),
          ...(jobId === undefined ? {} : { jobId }),
        })
      } catch (error) {
        await release()
        throw error
      }
      void session.ended.then(({ error }) => {
        reject(
          error === undefined
            ? new TailraceError('TR-PROGRAM-003', `Cannot run "${artifact.name}": it ended without calling execute()`)
            : errorFromData(error),
        )
        return release()
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
