/**
 * The parallelism of a job: what is wanted of it, who waits until the job runs so, and how it came to what it has.
 *
 * What must hold: whoever asks for another one is told once, when all tasks run so, when something else is wanted, or when the job ends.
 */
import type { Clock } from '../core/clock.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import type { Plan } from '../graph/model.ts'
import type { Requirements, RescaleCause, RescalesView } from '../rpc/views.ts'
import type { JobEndStatus } from './job-status.ts'
import { Rescales } from './rescales.ts'
import type { Parallelism } from './scheduler/decide-parallelism.ts'
import type { Next } from './scheduler/job-state.ts'
import {
  checkRequirements,
  directedRequirements,
  initialRequirements,
  requirementsFor,
} from './scheduler/requirements.ts'
import type { SchedulerSettings } from './scheduler/settings.ts'

/** The job, as far as its parallelism needs it. */
export interface ParallelismOptions {
  /** Of the program, with the numbers of key groups that the job goes on with. */
  plan(): Plan
  settings: SchedulerSettings
  /** That its deployment is told to have; undefined: as its program says. */
  directed: number | undefined
  /** `web.adaptive-scheduler.rescale-history.size`. */
  historyMax: number
  /** Why the job cannot go on with another parallelism; undefined: it can. */
  refusal(): string | undefined
  /** Its status, once it has ended. */
  endStatus(): string | undefined
  clock: Clock
  /** Something about the job has changed; gives the time. */
  touch(): number
  /** Something else is wanted. */
  onChange(): void
  log(what: string): void
  /** Tells {@link JobParallelism.runs} if all tasks run. */
  look(): void
}

export class JobParallelism {
  readonly #options: ParallelismOptions
  readonly #rescales: Rescales
  #requirements: Requirements
  /** That its deployment is told to have. */
  #directed: number | undefined
  #count = 0
  /** Who waits until it runs as is wanted. */
  readonly #awaiting = new Set<{ wanted: Requirements; done: (error?: TailraceError) => void }>()

  constructor(options: ParallelismOptions) {
    this.#options = options
    this.#directed = options.settings.reactive ? undefined : options.directed
    this.#requirements = this.#initial()
    this.#rescales = new Rescales({ max: options.historyMax })
    this.begins('INITIAL_SCHEDULE')
  }

  get requirements(): Requirements {
    return this.#requirements
  }
  /** How often the job began again for another one. */
  get count(): number {
    return this.#count
  }

  /** Throws TR-CLUSTER-004 when the job cannot have these. It goes on from a fresh checkpoint as soon as it can have what is wanted now. */
  set(wanted: Requirements): void {
    const { plan, refusal, settings, onChange } = this.#options
    checkRequirements(plan(), wanted)
    const why = settings.reactive
      ? 'its parallelism follows the slots (scheduler-mode: REACTIVE); start or end TaskManagers instead'
      : refusal()
    if (why !== undefined)
      throw new TailraceError('TR-CLUSTER-004', `Cannot change the requirements of the job "${this.#name}": ${why}`)
    this.#requirements = wanted
    this.begins('UPDATE_REQUIREMENT')
    for (const one of [...this.#awaiting])
      if (one.wanted !== wanted) one.done(this.#notRescaled('something else is wanted now'))
    onChange()
  }

  /** The deployment is told another one. What the job cannot have is told of, and it stays as it is. */
  direct(parallelism: number): void {
    const { endStatus, log, plan } = this.#options
    if (endStatus() !== undefined || this.#directed === parallelism) return
    try {
      this.set(directedRequirements(plan(), parallelism))
      this.#directed = parallelism
      log(`is to have parallelism ${parallelism}`)
    } catch (error) {
      log(`keeps its parallelism: ${errorToData(error).message}`)
    }
  }

  /** The plan has the numbers of key groups that the job goes on with. */
  opened(): void {
    if (this.#directed !== undefined) this.#requirements = this.#initial()
  }

  #initial(): Requirements {
    const plan = this.#options.plan()
    return this.#directed === undefined ? initialRequirements(plan) : directedRequirements(plan, this.#directed)
  }

  /** Gives the job as a whole another parallelism, and resolves when it runs so. Throws as {@link set}, also when the job ends before. */
  async change(parallelism: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const wanted = requirementsFor(this.#options.plan(), parallelism)
    if (!Object.values(wanted).some(({ upperBound }) => upperBound === parallelism))
      throw new TailraceError(
        'TR-CLUSTER-004',
        `Cannot run the job "${this.#name}" with parallelism ${parallelism}: each of its vertices has a parallelism of its own, or a max parallelism that is less`,
      )
    this.set(wanted)
    const one = {
      wanted,
      done: (error?: TailraceError) => {
        this.#awaiting.delete(one)
        if (error === undefined) resolve()
        else reject(error)
      },
    }
    const ended = this.#options.endStatus()
    if (ended !== undefined) one.done(this.#notRescaled(`it is ${ended}`))
    else this.#awaiting.add(one)
    this.#options.look()
    return promise
  }

  /** The job is about to get what is wanted, or what it can have of it. */
  begins(cause: RescaleCause): void {
    this.#rescales.begin(cause, this.#options.plan(), this.#requirements, this.#options.touch())
  }
  /** It begins again for it. */
  beginsAgain(): void {
    this.#count++
  }
  /** It has what it can have of what is wanted. */
  stays(): void {
    this.#rescales.stays(this.#options.clock.now())
  }
  /** The job is in another state. */
  entered(state: Next['state']): void {
    this.#rescales.entered(state, this.#options.clock.now())
  }

  /** All tasks run, with this parallelism: whoever waits for it is told. */
  runs(parallelism: Parallelism): void {
    this.#rescales.runs(parallelism, this.#options.clock.now())
    for (const one of [...this.#awaiting])
      if (Object.entries(one.wanted).every(([id, { lowerBound }]) => parallelism[id]! === lowerBound)) one.done()
  }

  jobEnds(status: JobEndStatus): void {
    this.#rescales.jobEnds(status, this.#options.clock.now())
    for (const one of [...this.#awaiting]) one.done(this.#notRescaled(`it is ${status}`))
  }

  view(): RescalesView {
    const { historyMax, settings } = this.#options
    const { cooldownMs, stabilizationMs, startStabilizationMs, checkpointFailuresMax, slotsWait } = settings
    return {
      rescales: this.#rescales.views(),
      counts: this.#rescales.counts,
      settings: {
        historyMax,
        cooldownMs,
        stabilizationMs,
        startStabilizationMs,
        checkpointFailuresMax,
        slotsTimeoutMs: Number.isFinite(slotsWait.ms) ? slotsWait.ms : -1,
      },
    }
  }

  get #name(): string {
    return this.#options.plan().config.jobName
  }

  #notRescaled(why: string): TailraceError {
    const text = `Cannot say that the job "${this.#name}" runs with another parallelism: ${why}`
    return new TailraceError('TR-CLUSTER-004', text)
  }
}
