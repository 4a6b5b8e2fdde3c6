/** What a job is given, and how it ends. */
import type { WriterRef } from '../checkpoint/task-state-store.ts'
import type { Clock } from '../core/clock.ts'
import type { ErrorData } from '../core/errors.ts'
import type { Plan } from '../graph/model.ts'
import type { JobResult, ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef, ProgramReplay } from '../rpc/slot-messages.ts'
import type { JobTimeouts, Schedule } from './attempt.ts'
import type { OpenStorage } from './job-checkpoints.ts'
import type { JobEndStatus } from './job-status.ts'
import type { JobBeginning } from './program-record.ts'
import type { SlotChoice } from './slot-choice.ts'
import type { SlotLease } from './slot-pool.ts'

export interface JobOptions {
  jobId: string
  plan: Plan
  program: ProgramRef
  replay: ProgramReplay
  /** Taken for it already. */
  slots: SlotLease[]
  /** More of them; undefined when the cluster has fewer. Those of `wished` TaskManagers come first, as far as they are free. */
  acquireSlots(count: number, choice: SlotChoice, wished: readonly string[]): SlotLease[] | undefined
  /** Of the cluster. */
  freeSlots(): number
  /** Asks younger jobs for slots that they do not use. */
  claimSlots?(count: number): void
  /** Who has local copies of what this writer has written for the job; `ours`: under this JobManager. Nobody unless given. */
  holderOf?: ((writer: WriterRef, ours: boolean) => string | undefined) | undefined
  clock: Clock
  timeouts: JobTimeouts
  schedule: Schedule
  /** From 0 to 1. */
  random(): number
  /** A secret that nobody can guess, different each time. */
  newToken(): string
  toProgram(message: ToProgram): void
  onPrint(stream: 'stdout' | 'stderr', text: string): void
  /** undefined: the cluster has no place for checkpoints, and a job that wants them is refused. */
  openStorage?: OpenStorage | undefined
  /** An earlier leader has begun it, and its program runs again. */
  isRunAgain?: boolean
  /** How it begins, where it is told from outside. */
  beginning?: JobBeginning | undefined
  /** That its deployment is told to have; undefined: as its program says. */
  parallelism?: number | undefined
  /** Hears what went wrong and does not matter to the job. */
  warn(text: string): void
  /** For the log: what becomes of the job, and why. */
  log?(text: string): void
  /** Onlookers may see something else than before; not for each record. */
  onChange?(): void
  /** Its outcome is certain: nothing of it is cleaned up or told before this resolves. Not asked for a job that goes on in the next cluster, nor for one whose values the program has taken. */
  beforeEnd?: ((end: JobEnd) => Promise<void>) | undefined
  /** Last of all, when what is left of it has been cleaned up. */
  onEnd(end: JobEnd): void
}

export interface JobEnd {
  status: JobEndStatus
  /** With FINISHED. */
  result?: JobResult
  /** With FAILED and CANCELED. */
  error?: ErrorData
}
