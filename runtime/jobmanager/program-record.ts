/**
 * What outlives this JobManager of a program, so that the next one runs it again as if nothing had happened. processes/kept-programs.ts has it in the registry of jobs.
 *
 * Calls resolve when what they say is sure to be found by the next leader. They do not come back while the store does not answer, nor when another leads: then nothing may follow from them.
 */
import type { Plan } from '../graph/model.ts'
import type { JobEnd } from './job-master.ts'
import type { JobEndStatus } from './job-status.ts'

export interface ProgramRecord {
  /** Values of env.once() that earlier runs have computed, by name. */
  readonly once: Readonly<Record<string, unknown>>
  /** The job that an execute() was in an earlier run, and how it ended if it has. */
  job(executeIndex: number): { jobId: string; end?: JobEnd } | undefined
  /** Throws TR-HA-004 for a value that cannot be kept. */
  addOnce(name: string, value: unknown): Promise<void>
  addJob(job: { jobId: string; executeIndex: number; jobName: string; plan: Plan }): Promise<void>
  endJob(jobId: string, end: JobEnd): Promise<void>
  /** Nothing of it is left. */
  cleanJob(jobId: string): Promise<void>
  endProgram(end: Pick<JobEnd, 'error'> & { status: JobEndStatus }): Promise<void>
}
