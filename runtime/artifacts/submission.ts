/**
 * A request to run an uploaded artifact, as REST hands it over, and the program that it means.
 */
import { RESTORE_KEYS } from '../checkpoint/restore-settings.ts'
import { namesOf } from '../config/option.ts'
import { JOB } from '../config/options/job.ts'
import type { Plan } from '../graph/model.ts'
import { type JobEntry, jobEntry } from '../program/job-entry.ts'
import { parseArguments } from '../program/parameters.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import type { Artifact } from './fetch-artifact.ts'
import type { Uploads } from './uploads.ts'

export interface Submission {
  /** Of the upload. */
  uploadId: string
  /** Which part of it is the job (program/job-entry.ts); undefined: as the configuration says, else its own. */
  entry: string | undefined
  /** Arguments and parameters of the job. */
  args: readonly string[]
  parallelism: number | undefined
  /** That the (first) job should have: 32 hex digits; undefined: any. */
  jobId: string | undefined
  savepointPath: string | undefined
  allowNonRestoredState: boolean | undefined
  claimMode: string | undefined
  /** Over that of the cluster. */
  configuration: Readonly<Record<string, string>>
}

/** A cluster that runs programs; the part of REST's context behind `/jars`. */
export interface Submissions {
  readonly uploads: Uploads
  /** What it would run, up to its first execute(). Throws what the program throws, and TR-ARTIFACT-004 for an upload that is not there. */
  plan(submission: Submission): Promise<Plan>
  /** Begins it; resolves with the id of its first job when it has one, rejects when it ends before. */
  run(submission: Submission): Promise<string>
}

/**
 * The program of a submission; what the request says wins over its configuration, and that over the cluster's.
 *
 * @example
 * const artifact = await uploads.open(submission.uploadId, entryOf(submission).module)
 * const program = programOf(submission, artifact, clusterConfiguration)
 */
export function programOf(
  submission: Submission,
  { moduleUrl }: Pick<Artifact, 'moduleUrl'>,
  cluster: Readonly<Record<string, string>>,
): ProgramRef {
  const { args, parallelism, savepointPath, allowNonRestoredState, claimMode, configuration } = submission
  const options = { ...cluster }
  const set = ([key, ...older]: readonly string[], value: string | undefined) => {
    if (value === undefined) return
    for (const alias of older) delete options[alias]
    options[key!] = value
  }
  // What one job goes on from is not what the next one does.
  for (const keys of Object.values(RESTORE_KEYS)) for (const key of keys) delete options[key]
  Object.assign(options, configuration)
  set(RESTORE_KEYS.path, savepointPath)
  set(
    RESTORE_KEYS.allowNonRestoredState,
    allowNonRestoredState === undefined ? undefined : String(allowNonRestoredState),
  )
  set(RESTORE_KEYS.claimMode, claimMode)
  set(namesOf(JOB.parallelism), parallelism === undefined ? undefined : String(parallelism))
  const { main } = entryOf(submission)
  return { url: moduleUrl, ...parseArguments(args), options, ...(main && { main }) }
}

/** As the request says; that of the cluster's configuration is of its application. */
export function entryOf({ entry, configuration }: Pick<Submission, 'entry' | 'configuration'>): JobEntry {
  return jobEntry(entry || configuration[JOB.entry.key])
}
