/**
 * The programs of a cluster whose leader may be followed by another: what each has computed and run is in the registry of jobs before anyone is told of it.
 *
 * What must hold: a write that the store does not take is tried again for as long as this process leads; when another leads, nothing comes back, so nothing follows from it.
 */

import type { Schedule } from '../core/clock.ts'
import { ERRORS, type ErrorCode, errorToData, TailraceError } from '../core/errors.ts'
import type { JobRegistry } from '../ha/registry.ts'
import type { ProgramEntry } from '../ha/registry-state.ts'
import { cleanUpAfter } from '../jobmanager/clean-up.ts'
import type { EndedJob } from '../jobmanager/ended-job.ts'
import type { OpenStorage } from '../jobmanager/job-checkpoints.ts'
import type { JobEnd } from '../jobmanager/job-options.ts'
import type { JobEndStatus } from '../jobmanager/job-status.ts'
import type { KeptOperation } from '../jobmanager/operations.ts'
import type { ProgramRecord } from '../jobmanager/program-record.ts'
import type { ReplayedResult } from '../program/replay-context.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import { LOST, type OperationKind, type OperationView } from '../rpc/views.ts'

export interface KeptProgramsOptions {
  registry: JobRegistry
  /** Throws TR-HA-001 when this process does not lead any more. */
  refuseUnlessLeader(what: string): void
  /** Another leads, or what must be kept cannot be. */
  onLost(why: string): void
  schedule: Schedule
  /** A line of the log. */
  log(text: string): void
}

const RETRY_MS = 1_000

export class KeptPrograms {
  readonly #options: KeptProgramsOptions
  #said = ''

  constructor(options: KeptProgramsOptions) {
    this.#options = options
  }

  findOperation(jobId: string, kind: OperationKind, triggerId: string): OperationView | undefined {
    const job = this.#options.registry.programs.flatMap(({ jobs }) => jobs).find((one) => one.jobId === jobId)
    const found = job?.operations?.find((one) => one.kind === kind && one.triggerId === triggerId)
    if (found === undefined) return undefined
    const { state, taken, error } = found
    const isStopped = kind === 'stop' && taken !== undefined && job!.outcome?.status === 'FINISHED'
    if (state === 'done' || isStopped) return { status: 'COMPLETED', ...(taken && { result: taken }) }
    if (error === undefined)
      return {
        status: 'COMPLETED',
        error: errorToData(
          new TailraceError(
            LOST,
            `Cannot say what came of the ${kind} ${triggerId} of job ${jobId}: the JobManager that had begun it was lost before it was done, and nothing is gone on from that it may have written; wanted: the same request again, under this id`,
          ),
        ),
      }
    const code = Object.hasOwn(ERRORS, error.code) ? (error.code as ErrorCode) : 'TR-CHECKPOINT-001'
    return { status: 'COMPLETED', error: errorToData(new TailraceError(code, error.message)) }
  }

  /** What was asked for under an id of the asker's. */
  async keepOperation(jobId: string, operation: KeptOperation): Promise<void> {
    const what = `keep the ${operation.kind} ${operation.triggerId} of job ${jobId}`
    await this.#keep(what, () => this.#options.registry.keepOperation(jobId, operation))
  }

  find(programId: string): ProgramEntry | undefined {
    return this.#options.registry.programs.find((one) => one.programId === programId)
  }

  /** Those that have not ended, in the order of their submission. */
  toRun(): ProgramEntry[] {
    return this.#options.registry.toRun()
  }

  /** As it was submitted. */
  program(programId: string): Promise<ProgramRef> {
    return this.#options.registry.program(programId)
  }

  /** The bytes of an artifact, for whoever leads next. */
  async storeArtifact(name: string, bytes: Uint8Array): Promise<void> {
    await this.#keep(`store the artifact "${name}"`, () => this.#options.registry.storeArtifact(name, bytes))
  }

  /** Throws TR-HA-003 when there is none of this hash. */
  readArtifact(sha256: string): Promise<Uint8Array> {
    return this.#options.registry.readArtifact(sha256)
  }

  /** Makes sure that a program is known, and gives what is: values of env.once(), jobs, results. */
  async record(programId: string, program: ProgramRef, artifact?: string): Promise<ProgramRecord> {
    const { registry } = this.#options
    await this.#keep(`keep the program "${programId}"`, () =>
      registry.addProgram({ programId, program, ...(artifact === undefined ? {} : { artifact }) }),
    )
    const entry = this.find(programId)!
    const { once, results } = await registry.replay(programId, (entry.jobs.at(-1)?.executeIndex ?? -1) + 1)
    const jobs = new Map(
      entry.jobs.map(({ executeIndex, jobId, outcome }) => {
        const end = outcome && endOf(outcome.status, results[executeIndex] as ReplayedResult)
        return [executeIndex, { jobId, ...(end === undefined ? {} : { end }) }]
      }),
    )
    const keep = (what: string, work: () => Promise<unknown>) => this.#keep(what, work)
    return {
      once,
      job: (executeIndex) => jobs.get(executeIndex),
      addOnce: (name, value) => keep(`keep env.once("${name}")`, () => registry.addOnce(programId, name, value)),
      addJob: (job) => keep(`keep job ${job.jobId}`, () => registry.addJob(programId, job)),
      beginning: (jobId, directive) => {
        const { generation } = directive
        const known = this.find(programId)?.jobs ?? []
        const isOf = (one: ProgramEntry['jobs'][number]) => one.begun?.generation === generation
        const own = known.find((one) => one.jobId === jobId)
        if (known.some(isOf) && !(own && isOf(own))) return undefined
        const left = registry.left(programId)
        const last = own?.begun ?? left?.begun
        const what = `keep what generation ${generation} begins job ${jobId} with`
        return {
          directive,
          begun: last?.generation === generation ? last : undefined,
          before: { begun: last, stopped: left?.stopped },
          keep: (begun) => keep(what, () => registry.beginJob(jobId, begun)),
        }
      },
      endJob: (jobId, { status, result, error }, stopped) =>
        this.#mustKeep(`keep the end of job ${jobId}`, () => {
          const told = { jobId, ...(result && { result }), ...(error && { error }) }
          return registry.endJob(jobId, { status, result: told, ...(stopped && { stopped }) })
        }),
      cleanJob: (jobId) => this.#mustKeep(`keep that job ${jobId} is cleaned up`, () => registry.cleanJob(jobId)),
      endProgram: ({ status, error }) =>
        this.#mustKeep(`keep the end of the program "${programId}"`, () =>
          registry.endProgram(programId, { status, ...(error && { error }) }),
        ),
    }
  }

  /** Cleans up what interrupted leaders have left of jobs that had ended; before any program runs. What cannot be cleaned up is told of, and stays. */
  async cleanUp(openStorage: OpenStorage): Promise<void> {
    const { registry, log } = this.#options
    for (const { jobs } of registry.programs) {
      // A later job of the program may go on in the folder of the one before.
      const last = jobs.at(-1)
      for (const job of jobs) {
        if (job.outcome === undefined || job.cleaned) continue
        const { jobId, outcome } = job
        try {
          if (job === last) {
            const { error } = await registry.result(jobId)
            await cleanUpAfter(
              {
                jobId,
                plan: await registry.plan(jobId),
                status: outcome.status,
                code: error?.code,
                stopped: outcome.stopped?.path,
                isTold: job.begun !== undefined,
              },
              openStorage,
              log,
            )
          }
          await this.#keep(`keep that job ${jobId} is cleaned up`, () => registry.cleanJob(jobId))
        } catch (error) {
          log(`Cannot clean up what is left of job ${jobId}: ${errorToData(error).message}`)
        }
      }
    }
  }

  /** Jobs that have ended, `max` at most: those that ended last. One whose record cannot be read is told of, and left out. */
  async endedJobs(max: number): Promise<EndedJob[]> {
    const { registry, log } = this.#options
    const ended = registry.programs.flatMap(({ jobs }) => jobs.filter(({ outcome }) => outcome !== undefined))
    const newest = ended.sort((a, b) => b.outcome!.endedMs - a.outcome!.endedMs).slice(0, max)
    const read = newest.map(async ({ jobId, submittedMs, outcome }): Promise<EndedJob | undefined> => {
      const { status, endedMs, stopped } = outcome!
      try {
        const [plan, end] = await Promise.all([registry.plan(jobId), registry.result(jobId)])
        const { result, error } = end as ReplayedResult
        return { jobId, status, submittedMs, endedMs, plan, result, error, stopped }
      } catch (error) {
        log(`Cannot show job ${jobId}, which has ended: ${errorToData(error).message}`)
        return undefined
      }
    })
    return (await Promise.all(read)).filter((job) => job !== undefined)
  }

  /** The whole cluster is ended on purpose: nobody is to go on with what runs. */
  async endAll(): Promise<void> {
    for (const { programId } of this.toRun()) await this.end(programId)
  }

  /** Nobody is to go on with it. */
  async end(programId: string): Promise<void> {
    const error = errorToData(new TailraceError('TR-CLUSTER-002', 'The cluster was stopped'))
    await this.#keep(`keep the end of the program "${programId}"`, () =>
      this.#options.registry.endProgram(programId, { status: 'CANCELED', error }),
    )
  }

  /**
   * A program has ended that nobody runs again: its artifact goes if no other runs from it, and so do the programs that ended first when there are more than `max`. Those that stay are known for what has come of
   * their jobs. One that has not ended stays as it is.
   */
  async drop(programId: string, max: number): Promise<void> {
    const { registry, log } = this.#options
    const entry = this.find(programId)
    if (entry?.outcome === undefined) return
    try {
      const { artifact } = entry
      const isStored = artifact !== null && registry.artifacts.some(({ sha256 }) => sha256 === artifact)
      if (isStored && !registry.toRun().some((one) => one.artifact === artifact))
        await this.#keep(`remove the artifact ${artifact}`, () => registry.removeArtifact(artifact))
      const ended = registry.programs.filter(({ outcome }) => outcome !== undefined)
      const oldest = ended.sort((a, b) => a.outcome!.endedMs - b.outcome!.endedMs)
      for (const one of oldest.slice(0, Math.max(0, oldest.length - max))) await this.forget(one.programId)
    } catch (error) {
      log(errorToData(error).message)
    }
  }

  /** Its results are not wanted any more. */
  async forget(programId: string): Promise<void> {
    await this.#keep(`forget the program "${programId}"`, () => this.#options.registry.forgetProgram(programId))
  }

  async #keep(what: string, work: () => Promise<unknown>): Promise<void> {
    const { refuseUnlessLeader, onLost, schedule, log } = this.#options
    for (;;) {
      try {
        refuseUnlessLeader(what)
        await work()
        return
      } catch (error) {
        const { code, message } = error as TailraceError
        if (code === 'TR-CHECKPOINT-002' || code === 'TR-HA-001') {
          onLost(message)
          await new Promise(() => {})
        }
        if (ERRORS[code]?.retry !== true) throw error
        if (message !== this.#said) log(`${code} ${message}`)
        this.#said = message
        await new Promise<void>((resolve) => void schedule(RETRY_MS, resolve))
      }
    }
  }

  /** What has happened cannot be taken back: who cannot keep it must not lead. */
  async #mustKeep(what: string, work: () => Promise<unknown>): Promise<void> {
    try {
      await this.#keep(what, work)
    } catch (error) {
      this.#options.onLost(`Cannot ${what}: ${errorToData(error).message}`)
      await new Promise(() => {})
    }
  }
}

function endOf(status: JobEndStatus, { result, error }: ReplayedResult): JobEnd {
  return { status, ...(result && { result }), ...(error && { error }) }
}
