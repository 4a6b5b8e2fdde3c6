/**
 * One program that runs beside the JobManager, and the jobs that it submits.
 *
 * What must hold: a program that ends, however it does, leaves no job running; the session ends once, when program and jobs have.
 */
import { type Schedule, systemSchedule } from '../core/clock.ts'
import { type ErrorData, errorToData, TailraceError } from '../core/errors.ts'
import type { Host, HostExit } from '../rpc/host.ts'
import type { FromProgram, JobResult, ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import type { Dispatcher } from './dispatcher.ts'
import type { JobEnd, JobMaster } from './job-master.ts'
import type { JobEndStatus } from './job-status.ts'

export type ProgramHost = Host<ToProgram, FromProgram>

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
  schedule?: Schedule
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
    this.#options.host.port.post({ type: 'run', program: this.#options.program })
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
    const error = errorToData(new TailraceError('TR-CLUSTER-002', 'The cluster was stopped'))
    for (const job of this.#live) job.cancel({ keepCheckpoints: true })
    this.#ends({ status: 'CANCELED', error })
  }

  #receive(message: FromProgram): void {
    switch (message.type) {
      case 'ready':
        break
      case 'submit':
        this.#submit(message)
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

  #submit({ executeIndex, plan, once, results }: Extract<FromProgram, { type: 'submit' }>): void {
    const { dispatcher, host, program, onJob } = this.#options
    this.#executes++
    try {
      if (this.#cancelled) throw new TailraceError('TR-CLUSTER-002', 'The program was cancelled')
      const job = dispatcher.submit({
        plan,
        program,
        replay: { executeIndex, once, results },
        toProgram: (message) => host.port.post(message),
        onEnd: (ended, end) => this.#jobEnded(executeIndex, ended, end),
      })
      this.#live.add(job)
      host.port.post({ type: 'submitted', executeIndex, jobId: job.id })
      onJob?.(job)
      job.schedule()
    } catch (error) {
      host.port.post({ type: 'submitFailed', executeIndex, error: errorToData(error) })
    }
  }

  #jobEnded(executeIndex: number, job: JobMaster, end: JobEnd): void {
    this.#live.delete(job)
    if (end.result !== undefined) this.#results.push(end.result)
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
    this.#options.host.terminate()
    this.#end({ ...this.#outcome, results: this.#results })
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
    const why = error === undefined ? 'process.exit() was called in it' : error.message
    const text = `The program's thread ended with exit code ${code}: ${why}`
    this.#ends({ status: 'FAILED', error: errorToData(new TailraceError('TR-PROGRAM-002', text, { cause: error })) })
  }
}
