/**
 * The context of a program beside the JobManager: submits jobs over a port, runs their enumerators, and keeps what slots replay.
 *
 * Used by the program thread and, in one thread with everything else, by the inline cluster.
 */
import type { Schedule } from '../core/clock.ts'
import { type ErrorData, errorFromData, errorToData, TailraceError } from '../core/errors.ts'
import { compileJobGraph } from '../graph/compile.ts'
import type { JobGraph, LogicalGraph } from '../graph/model.ts'
import { buildPlan } from '../graph/plan.ts'
import type { Port } from '../rpc/port.ts'
import type { FromProgram, JobResult, JobStatus, ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import type { ExecutionContext, JobClient, SubmitOptions } from './context.ts'
import { SourceCoordinators } from './coordinators.ts'
import type { ReplayedResult } from './replay-context.ts'

/** Values of executeAndCollect that are kept for the slots of later jobs. */
export const REPLAYED_VALUES_MAX = 100_000

interface Execute {
  readonly logical: LogicalGraph
  readonly options: SubmitOptions
  /** Resolves when the job has a JobMaster. */
  readonly submitted: PromiseWithResolvers<string>
  /** Resolves or rejects when it has ended and all collected values have been taken. */
  readonly ended: PromiseWithResolvers<JobResult>
  graph: JobGraph | undefined
  jobId: string
  status: JobStatus
  coordinators: SourceCoordinators | undefined
  /** Values of earlier batches are being taken. */
  taking: Promise<void>
  /** For replay; undefined when nothing is collected, 'too many' above the bound. */
  collected: unknown[] | undefined | 'too many'
  outcome: ReplayedResult | undefined
  /** The program has asked how it ended. */
  observed: boolean
}

export interface SubmitContextOptions {
  /** Called with the number of jobs under way when it changes. */
  onPending?: (pending: number) => void
  /** Whether slots run the program again; else collected values need not be kept. */
  replayed?: boolean
  /** Values of env.once() that earlier runs of the program have computed; each new one is kept before the program has it. undefined: nothing is kept. */
  kept?: Readonly<Record<string, unknown>> | undefined
  /** Of what enumerators do again and again; by timers if not given. */
  schedule?: Schedule
}

export class SubmitContext implements ExecutionContext {
  readonly args: readonly string[]
  readonly parameters: Readonly<Record<string, string>>
  readonly options: Readonly<Record<string, string>>
  readonly #port: Port<FromProgram, ToProgram>
  readonly #executes: Execute[] = []
  readonly #once = new Map<string, Promise<unknown>>()
  readonly #onceValues: Record<string, unknown> = {}
  /** Values on their way to where they are kept, by name; undefined: nothing is kept. */
  readonly #keeping: Map<string, PromiseWithResolvers<void>> | undefined
  readonly #onPending: (pending: number) => void
  readonly #replayed: boolean
  readonly #schedule: Schedule | undefined
  #pending = 0

  constructor(
    program: ProgramRef,
    port: Port<FromProgram, ToProgram>,
    { onPending = () => {}, replayed = true, schedule, kept }: SubmitContextOptions = {},
  ) {
    this.#keeping = kept && new Map()
    for (const [name, value] of Object.entries(kept ?? {})) {
      this.#onceValues[name] = value
      this.#once.set(name, Promise.resolve(value))
    }
    this.#schedule = schedule
    this.#onPending = onPending
    this.#replayed = replayed
    this.args = program.args
    this.parameters = program.parameters
    this.options = program.options
    this.#port = port
  }

  get executes(): number {
    return this.#executes.length
  }

  /** For slots in the same thread: the graph as it was submitted. */
  graphOf(executeIndex: number): LogicalGraph | undefined {
    return this.#executes[executeIndex]?.logical
  }

  /** Jobs under way. */
  get pending(): number {
    return this.#pending
  }

  async submit(logical: LogicalGraph, options: SubmitOptions): Promise<JobClient> {
    const execute: Execute = {
      logical,
      options,
      submitted: Promise.withResolvers(),
      ended: Promise.withResolvers(),
      graph: undefined,
      jobId: '',
      status: 'INITIALIZING',
      coordinators: undefined,
      taking: Promise.resolve(),
      collected: options.onCollected === undefined || !this.#replayed ? undefined : [],
      outcome: undefined,
      observed: false,
    }
    // Rejections are the program's to see through result(); one that never asks is told by drain().
    execute.ended.promise.catch(() => {})
    const executeIndex = this.#executes.push(execute) - 1
    this.#count(1)
    try {
      this.#checkReplay()
      execute.graph = compileJobGraph(logical)
      this.#port.post({
        type: 'submit',
        executeIndex,
        plan: buildPlan(execute.graph),
        once: { ...this.#onceValues },
        results: this.#executes.slice(0, executeIndex).map((e) => e.outcome),
      })
    } catch (error) {
      this.#refused(execute, errorToData(error))
    }
    const jobId = await execute.submitted.promise
    return {
      jobId,
      status: async () => execute.status,
      cancel: async () => {
        this.#port.post({ type: 'cancel', jobId })
        execute.observed = true
        await execute.ended.promise.catch(() => {})
      },
      result: () => {
        execute.observed = true
        return execute.ended.promise
      },
    }
  }

  once<T>(name: string, compute: () => T | Promise<T>): Promise<T> {
    let value = this.#once.get(name)
    if (value === undefined) {
      value = Promise.resolve()
        .then(compute)
        .then(async (computed) => {
          const copy = clone(name, computed)
          await this.#keep(name, copy)
          this.#onceValues[name] = copy
          return computed
        })
      this.#once.set(name, value)
    }
    return value as Promise<T>
  }

  /** Resolves when all jobs have ended; rejects with the failure of one that the program never asked about. */
  async drain(): Promise<void> {
    for (let i = 0; i < this.#executes.length; i++) {
      const { ended } = this.#executes[i]!
      try {
        await ended.promise
      } catch (error) {
        if (!this.#executes[i]!.observed) throw error
      }
    }
  }

  /** The thread ends: enumerators too. */
  close(): void {
    for (const { coordinators } of this.#executes) coordinators?.close()
  }

  receive(message: ToProgram): void {
    switch (message.type) {
      case 'load':
      case 'run':
        break
      case 'onceKept': {
        const { name, error } = message
        if (error === undefined) this.#keeping?.get(name)?.resolve()
        else this.#keeping?.get(name)?.reject(errorFromData(error))
        break
      }
      case 'submitted':
        this.#submitted(this.#executes[message.executeIndex]!, message.jobId)
        break
      case 'submitFailed':
        this.#refused(this.#executes[message.executeIndex]!, message.error)
        break
      case 'jobStatus':
        this.#of(message.jobId).status = message.status
        break
      case 'collected':
        this.#collected(this.#of(message.jobId), message)
        break
      case 'jobEnded':
        void this.#ended(this.#executes[message.executeIndex]!, message)
        break
      case 'resetEnumerators':
        this.#resetEnumerators(this.#of(message.jobId), message)
        break
      case 'snapshotEnumerators':
        this.#snapshotEnumerators(this.#of(message.jobId), message)
        break
      case 'checkpointComplete':
        this.#of(message.jobId).coordinators?.checkpointComplete(message.checkpointId)
        break
      default:
        this.#of(message.jobId).coordinators?.receive(message)
    }
  }

  /** A next run of the program will find the value. */
  #keep(name: string, value: unknown): Promise<void> | undefined {
    if (this.#keeping === undefined) return undefined
    const kept = Promise.withResolvers<void>()
    this.#keeping.set(name, kept)
    this.#port.post({ type: 'once', name, value })
    return kept.promise
  }

  #count(by: number): void {
    this.#pending += by
    this.#onPending(this.#pending)
  }

  #checkReplay(): void {
    if (!this.#executes.some((e) => e.collected === 'too many')) return
    throw new TailraceError(
      'TR-PROGRAM-005',
      `Cannot run another job: an execute before it collected more than ${REPLAYED_VALUES_MAX} values, ` +
        'which every slot of the next job would have to replay. Collect less, or run the jobs as two programs',
    )
  }

  /** The execute gets no job. It counts all the same, as it does when slots run the program again. */
  #refused(execute: Execute, data: ErrorData): void {
    const error = errorFromData(data)
    execute.outcome = { jobId: '', error: data }
    execute.status = 'FAILED'
    execute.observed = true
    execute.submitted.reject(error)
    execute.ended.reject(error)
    this.#count(-1)
  }

  #of(jobId: string): Execute {
    return this.#executes.find((e) => e.jobId === jobId)!
  }

  #submitted(execute: Execute, jobId: string): void {
    execute.jobId = jobId
    execute.submitted.resolve(jobId)
  }

  #resetEnumerators(execute: Execute, message: Extract<ToProgram, { type: 'resetEnumerators' }>): void {
    const { jobId, attempt, states, parallelism } = message
    execute.coordinators?.close()
    // Before the new ones are made: what they say comes after it.
    this.#port.post({ type: 'enumeratorsReset', jobId, attempt })
    const post = (message: FromProgram) => this.#port.post(message)
    execute.coordinators = new SourceCoordinators(jobId, execute.graph!, post, states, this.#schedule, parallelism)
  }

  #snapshotEnumerators(
    execute: Execute,
    { jobId, checkpointId }: Extract<ToProgram, { type: 'snapshotEnumerators' }>,
  ): void {
    const answer = { type: 'enumeratorStates', jobId, checkpointId } as const
    try {
      this.#port.post({ ...answer, states: execute.coordinators?.snapshot() ?? {} })
    } catch (error) {
      this.#port.post({ ...answer, states: {}, error: errorToData(error) })
    }
  }

  #collected(execute: Execute, message: Extract<ToProgram, { type: 'collected' }>): void {
    const { jobId, collectId, subtask, values } = message
    execute.taking = execute.taking.then(async () => {
      if (Array.isArray(execute.collected)) {
        for (const value of values) execute.collected.push(value)
        if (execute.collected.length > REPLAYED_VALUES_MAX) execute.collected = 'too many'
      }
      await execute.options.onCollected?.(values)
      this.#port.post({ type: 'collectAck', jobId, collectId, subtask, count: values.length })
    })
    // A consumer that throws ends the job; the program sees its own error where it iterates.
    execute.taking.catch(() => this.#port.post({ type: 'cancel', jobId }))
  }

  async #ended(execute: Execute, message: Extract<ToProgram, { type: 'jobEnded' }>): Promise<void> {
    execute.coordinators?.close()
    execute.status = message.status
    let error: ErrorData | undefined = message.error
    try {
      await execute.taking
    } catch (thrown) {
      error = errorToData(thrown, 'TR-PROGRAM-002')
    }
    const { jobId, result } = message
    const collected = Array.isArray(execute.collected) ? { collected: execute.collected } : {}
    if (error === undefined && result !== undefined) {
      execute.outcome = { jobId, result, ...collected }
      execute.ended.resolve(result)
    } else {
      const data = error ?? errorToData(new Error(`the job ended ${message.status}`))
      execute.outcome = { jobId, error: data, ...collected }
      execute.ended.reject(errorFromData(data))
    }
    this.#count(-1)
  }
}

function clone(name: string, value: unknown): unknown {
  try {
    return structuredClone(value)
  } catch (cause) {
    throw new TypeError(
      `Cannot keep the value of env.once("${name}"): it cannot be sent to slots (${(cause as Error).message}), ` +
        'wanted: data that structuredClone can copy',
      { cause },
    )
  }
}
