/**
 * One program that runs beside the JobManager, and the jobs that it submits.
 *
 * What must hold: a program that ends, however it does, leaves no job running; the session ends once, when program and jobs have.
 */
import type { RestoreDirective } from '../checkpoint/restore-directive.ts'
import { type Schedule, systemSchedule } from '../core/clock.ts'
import { type ErrorData, errorToData, TailraceError } from '../core/errors.ts'
import type { Host, HostExit } from '../rpc/host.ts'
import type { FromProgram, JobResult, ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { JobMaster } from './job-master.ts'
import type { JobEnd } from './job-options.ts'
import type { JobEndStatus } from './job-status.ts'
import type { ProgramRecord } from './program-record.ts'

export type ProgramHost = Host<ToProgram, FromProgram>
type Submit = Extract<FromProgram, { type: 'submit' }>

export interface SessionEnd {
  status: JobEndStatus
  error?: ErrorData
  /** Results of the jobs that finished, in the order of their ends. */
  results: JobResult[]
}

export interface SessionOptions {
  host: ProgramHost
  program: ProgramRef
  dispatcher: Dispatcher
  /** What outlives this JobManager; undefined: nothing. Jobs that have ended by it are not run again. */
  record?: ProgramRecord | undefined
  /** What the job of this generation of the deployment begins with. Asks for a record. */
  restore?: RestoreDirective | undefined
  schedule?: Schedule
  /** Of its first job; absent: one is made. */
  jobId?: string | undefined
  /** A job was submitted and is about to be scheduled. */
  onJob?(job: JobMaster): void
  onJobEnd?(job: JobMaster, end: JobEnd): void
}

/** A cancelled program may still clean up for this time after its jobs have ended. */
const CLEAN_UP_MS = 3000

export class ProgramSession {
  /** Resolves, also for a failure. */
  readonly ended: Promise<SessionEnd>
  readonly #options: SessionOptions
  readonly #live = new Set<JobMaster>()
  readonly #results: JobResult[] = []
  readonly #end: (end: SessionEnd) => void
  /** How the program ended; its jobs may still be ending. */
  #outcome: { status: JobEndStatus; error?: ErrorData } | undefined
  #cancelled = false
  /** The cluster ends, not the program: the next one goes on with it. */
  #stopped = false
  #executes = 0

  constructor(options: SessionOptions) {
    this.#options = options
    const { promise, resolve } = Promise.withResolvers<SessionEnd>()
    this.ended = promise
    this.#end = resolve
    options.host.port.onMessage((message) => this.#receive(message))
    options.host.onExit((exit) => this.#exited(exit))
  }

  /** Tells the program to begin. */
  run(): void {
    const { host, program, record } = this.#options
    host.port.post({ type: 'run', program, kept: record?.once })
  }

  /** Cancels the jobs; the program then sees its execute() rejected and can clean up. */
  cancel(): void {
    if (this.#outcome !== undefined || this.#cancelled) return
    this.#cancelled = true
    for (const job of this.#live) job.cancel()
    this.#giveUpWhenIdle()
  }

  /** Ends the program at once; its jobs end with the cluster. */
  stop(): void {
    this.#stopped = true
    const error = errorToData(new TailraceError('TR-CLUSTER-002', 'The cluster was stopped'))
    for (const job of this.#live) job.cancel({ keepCheckpoints: true })
    this.#ends({ status: 'CANCELED', error })
  }

  #receive(message: FromProgram): void {
    switch (message.type) {
      case 'ready':
        break
      case 'submit':
        void this.#submit(message)
        break
      case 'once':
        void this.#once(message)
        break
      case 'finished':
        this.#ends({ status: 'FINISHED' })
        break
      case 'failed': {
        const { error } = message
        this.#ends({ status: this.#cancelled || error.code === 'TR-CLUSTER-002' ? 'CANCELED' : 'FAILED', error })
        break
      }
      default:
        this.#options.dispatcher.job(message.jobId)?.receive(message)
    }
  }

  async #submit(message: Submit): Promise<void> {
    const { host, record, dispatcher } = this.#options
    const { executeIndex, plan } = message
    const wanted = this.#executes === 0 ? this.#options.jobId : undefined
    this.#executes++
    try {
      if (record === undefined) {
        this.#run(message, wanted)
        return
      }
      const known = record.job(executeIndex)
      if (known?.end !== undefined) {
        this.#replay(executeIndex, known.jobId, known.end)
        return
      }
      const jobId = known?.jobId ?? wanted ?? dispatcher.newJobId()
      await record.addJob({ jobId, executeIndex, jobName: plan.config.jobName, plan })
      if (this.#outcome === undefined) this.#run(message, jobId, known !== undefined)
    } catch (error) {
      host.port.post({ type: 'submitFailed', executeIndex, error: errorToData(error) })
    }
  }

  #run({ executeIndex, plan, once, results }: Submit, jobId: string | undefined, isRunAgain = false): void {
    const { dispatcher, host, program, record, restore, onJob } = this.#options
    if (this.#cancelled) throw new TailraceError('TR-CLUSTER-002', 'The program was cancelled')
    const job = dispatcher.submit({
      plan,
      jobId,
      isRunAgain,
      program,
      replay: { executeIndex, once, results },
      toProgram: (message) => host.port.post(message),
      beginning: jobId === undefined ? undefined : restore && record?.beginning(jobId, restore),
      beforeEnd: record && ((end) => record.endJob(job.id, end, end.status === 'FINISHED' ? job.stopTaken : undefined)),
      onEnd: (ended, end) => this.#jobEnded(executeIndex, ended, end),
    })
    this.#live.add(job)
    host.port.post({ type: 'submitted', executeIndex, jobId: job.id })
    onJob?.(job)
    job.schedule()
  }

  /** A job that an earlier JobManager has run to its end. */
  #replay(executeIndex: number, jobId: string, end: JobEnd): void {
    const { port } = this.#options.host
    if (end.result !== undefined) this.#results.push(end.result)
    port.post({ type: 'submitted', executeIndex, jobId })
    port.post({ type: 'jobEnded', executeIndex, jobId, ...end })
  }

  async #once({ name, value }: Extract<FromProgram, { type: 'once' }>): Promise<void> {
    const { host, record } = this.#options
    try {
      await record?.addOnce(name, value)
      host.port.post({ type: 'onceKept', name })
    } catch (error) {
      host.port.post({ type: 'onceKept', name, error: errorToData(error) })
    }
  }

  #jobEnded(executeIndex: number, job: JobMaster, end: JobEnd): void {
    this.#live.delete(job)
    if (end.result !== undefined) this.#results.push(end.result)
    if (!this.#stopped) void this.#options.record?.cleanJob(job.id)
    this.#options.onJobEnd?.(job, end)
    this.#options.host.port.post({ type: 'jobEnded', executeIndex, jobId: job.id, ...end })
    if (this.#cancelled) this.#giveUpWhenIdle()
    this.#endWhenDone()
  }

  #ends(outcome: { status: JobEndStatus; error?: ErrorData }): void {
    if (this.#outcome !== undefined) return
    this.#outcome = outcome
    for (const job of this.#live) job.cancel()
    this.#endWhenDone()
  }

  #endWhenDone(): void {
    if (this.#outcome === undefined || this.#live.size > 0) return
    const { host, record } = this.#options
    const end = { ...this.#outcome, results: this.#results }
    host.terminate()
    if (record === undefined || this.#stopped) this.#end(end)
    else void record.endProgram(this.#outcome).then(() => this.#end(end))
  }

  #giveUpWhenIdle(): void {
    if (this.#live.size > 0 || this.#outcome !== undefined) return
    const error = errorToData(new TailraceError('TR-CLUSTER-002', 'The program was cancelled'))
    const { schedule = systemSchedule } = this.#options
    const cleanUpMs = this.#executes === 0 ? 0 : CLEAN_UP_MS
    void this.ended.then(schedule(cleanUpMs, () => this.#ends({ status: 'CANCELED', error })))
  }

  /** The program's thread ended by itself. process.exit(0) after its jobs is a way to end, too. */
  #exited({ code, error }: HostExit): void {
    if (this.#outcome !== undefined) return
    if (code === 0 && error === undefined && this.#executes > 0 && this.#live.size === 0) {
      this.#ends({ status: 'FINISHED' })
      return
    }
    const why = error === undefined ? 'process.exit() was called in it' : whyOf(error)
    const text = `The program's thread ended with exit code ${code}: ${why}`
    this.#ends({ status: 'FAILED', error: errorToData(new TailraceError('TR-PROGRAM-002', text, { cause: error })) })
  }
}

function whyOf({ code, message }: Error & { code?: string }): string {
  if (code === 'ERR_WORKER_OUT_OF_MEMORY')
    return 'its heap reached its limit, half of "jobmanager.memory.process.size" where that is set'
  return message
}
