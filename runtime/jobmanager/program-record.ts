/**
 * What outlives this JobManager of a program, so that the next one runs it again as if nothing had happened. processes/kept-programs.ts has it in the registry of jobs.
 *
 * Calls resolve when what they say is sure to be found by the next leader. They do not come back while the store does not answer, nor when another leads: then nothing may follow from them.
 */
import type { CheckpointResult } from '../checkpoint/coordinator/requests.ts'
import type { Before, GenerationBegin, RestoreDirective } from '../checkpoint/restore-directive.ts'
import type { Plan } from '../graph/model.ts'
import type { JobEnd } from './job-options.ts'
import type { JobEndStatus } from './job-status.ts'

/** How a job begins that is told from outside what with. */
export interface JobBeginning {
  directive: RestoreDirective
  /** By an earlier start of the same generation. */
  begun: GenerationBegin | undefined
  /** Of the generations before. */
  before: Before | undefined
  /** Before the job begins. */
  keep(begun: GenerationBegin): Promise<void>
}

export interface ProgramRecord {
  /** Values of env.once() that earlier runs have computed, by name. */
  readonly once: Readonly<Record<string, unknown>>
  /** The job that an execute() was in an earlier run, and how it ended if it has. */
  job(executeIndex: number): { jobId: string; end?: JobEnd } | undefined
  /** Throws TR-HA-004 for a value that cannot be kept. */
  addOnce(name: string, value: unknown): Promise<void>
  addJob(job: { jobId: string; executeIndex: number; jobName: string; plan: Plan }): Promise<void>
  /** For a job that a new generation of its deployment begins, or has begun; undefined: it goes on as any other, since the generation has begun with another job of the program. */
  beginning(jobId: string, directive: RestoreDirective): JobBeginning | undefined
  /** @param stopped the savepoint behind which it has finished */
  endJob(jobId: string, end: JobEnd, stopped?: CheckpointResult): Promise<void>
  /** Nothing of it is left. */
  cleanJob(jobId: string): Promise<void>
  endProgram(end: Pick<JobEnd, 'error'> & { status: JobEndStatus }): Promise<void>
}
