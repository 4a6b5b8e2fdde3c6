/**
 * One job, from its plan to its end, over its attempts; stands between slots and program. What it does when is in its state (scheduler/, a file each); here is what all states share, and
 * what others see of the job. What must hold:
 * - the status moves by the table in job-status.ts only;
 * - one attempt at a time, and none before the one before it has ended in every slot;
 * - the program hears of a job's end once, after everything else about it.
 */
import type { CheckpointStore } from '../checkpoint/checkpoint-store.ts'
import type { CheckpointCoordinator } from '../checkpoint/coordinator/checkpoint-coordinator.ts'
import type { CheckpointResult } from '../checkpoint/coordinator/requests.ts'
import {
  type CheckpointsView,
  type CheckpointView,
  NO_CHECKPOINTS,
} from '../checkpoint/coordinator/statistics-model.ts'
import { type CheckpointSettings, readCheckpointSettings } from '../checkpoint/settings.ts'
import type { WriterRef } from '../checkpoint/task-state-store.ts'
import { ConfigValues } from '../config/option.ts'
import { REST } from '../config/options/rest.ts'
import type { Clock } from '../core/clock.ts'
import { type ErrorData, errorToData, TailraceError } from '../core/errors.ts'
import { planWithParallelism } from '../graph/deployed-numbers.ts'
import type { Plan } from '../graph/model.ts'
import { exchangeSettings } from '../network/settings.ts'
import type { JobResult, JobStatus, ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef, ProgramReplay } from '../rpc/slot-messages.ts'
import type { JobSummary, JobView, Requirements, RescalesView } from '../rpc/views.ts'
import { Attempt, type AttemptOptions, type JobTimeouts, type Schedule } from './attempt.ts'
import { ExceptionHistory, type Failure } from './exception-history.ts'
import { type AttemptStart, FROM_NOTHING, JobCheckpoints, type OpenStorage } from './job-checkpoints.ts'
import { JobSlots } from './job-slots.ts'
import { isEnd, isTaskEnd, type JobEndStatus, StatusHistory } from './job-status.ts'
import { type AboutJob, JobTraffic } from './job-traffic.ts'
import { localBytes } from './local-state.ts'
import type { JobBeginning } from './program-record.ts'
import { Rescales } from './rescales.ts'
import {
  decideRestart,
  describeRestartStrategy,
  NO_RESTARTS,
  type RestartDecision,
  type RestartHistory,
  type RestartStrategy,
  readRestartStrategy,
} from './restart-strategy.ts'
import type { Parallelism } from './scheduler/decide-parallelism.ts'
import type { LocalBytes } from './scheduler/decide-places.ts'
import { Initializing } from './scheduler/initializing.ts'
import type { JobContext, JobState, Next } from './scheduler/job-state.ts'
import { nextState } from './scheduler/next-state.ts'
import {
  checkRequirements,
  directedRequirements,
  initialRequirements,
  requirementsFor,
} from './scheduler/requirements.ts'
import { readSchedulerSettings, type SchedulerSettings } from './scheduler/settings.ts'
import type { SlotChoice } from './slot-choice.ts'
import type { SlotLease } from './slot-pool.ts'
import { countStates } from './task-states.ts'

export type { JobTimeouts } from './attempt.ts'

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

export class JobMaster implements JobContext {
  readonly id: string
  readonly checkpointSettings: CheckpointSettings
  readonly settings: SchedulerSettings
  readonly slots: JobSlots
  program: Plan
  readonly #options: JobOptions
  readonly #traffic: JobTraffic
  readonly #checkpoints: JobCheckpoints | undefined
  readonly #strategy: RestartStrategy
  readonly #history: StatusHistory
  readonly #exceptions: ExceptionHistory
  #modifiedTime: number
  #restarts: RestartHistory = NO_RESTARTS
  /** Why the job is not restarted any more. */
  #fatal: { error: ErrorData; why: string } | undefined
  #numRescales = 0
  #requirements: Requirements
  /** That its deployment is told to have. */
  #directed: number | undefined
  readonly #rescales: Rescales
  readonly #rescalesMax: number
  /** Who waits until it runs as is wanted. */
  readonly #awaiting = new Set<{ wanted: Requirements; done: (error?: TailraceError) => void }>()
  #state: JobState
  #attempt: Attempt
  /** Made so far. */
  #attempts = 0
  #accumulators: Record<string, number> = {}
  #keepCheckpoints = false

  /** Throws TR-CHECKPOINT-006 when the plan's configuration of checkpoints or restarts cannot be used, 005 when there is no place for them. */
  constructor(options: JobOptions) {
    const { plan, clock } = options
    this.#options = options
    this.id = options.jobId
    this.program = plan
    this.settings = readSchedulerSettings(plan.config.options, options.timeouts.slotsMs)
    this.#directed = this.settings.reactive ? undefined : options.parallelism
    this.#requirements = this.#firstRequirements(plan)
    this.#traffic = new JobTraffic({
      jobId: options.jobId,
      plan,
      toProgram: (message) => options.toProgram(message),
      onPrint: (stream, text) => options.onPrint(stream, text),
      coordinator: () => this.coordinator,
      onSourceFailed: (error, vertexId) => this.fail(error, vertexId),
    })
    const settings = readCheckpointSettings(plan.config.options)
    this.checkpointSettings = settings
    this.#strategy = readRestartStrategy(plan.config.options, { checkpoints: settings.intervalMs !== undefined })
    this.#checkpoints = this.#checkpointsOf(settings)
    const read = new ConfigValues(plan.config.options, 'TR-CHECKPOINT-006')
    this.#exceptions = new ExceptionHistory(read.get(REST.exceptionHistory))
    this.#history = new StatusHistory(clock.now())
    this.#modifiedTime = clock.now()
    this.#rescalesMax = read.get(REST.rescaleHistory)
    this.#rescales = new Rescales({ max: this.#rescalesMax })
    this.#rescales.begin('INITIAL_SCHEDULE', plan, this.#requirements, clock.now())
    this.slots = new JobSlots({
      leases: options.slots,
      acquire: (...which) => options.acquireSlots(...which),
      placement: this.settings.placement,
      localBytes: (plan) => this.#localBytes(plan),
      prepare: ({ post }) =>
        post({ type: 'prepare', jobId: options.jobId, program: options.program, replay: options.replay }),
      onMessage: (message) => this.#traffic.late(message),
    })
    // For views, until the first one is made.
    this.#attempt = this.#newAttempt(plan, 0, [], FROM_NOTHING)
    this.#state = new Initializing(this)
  }

  /** As it is deployed. */
  get plan(): Plan {
    return this.#attempt.plan
  }
  get status(): JobStatus {
    return this.#history.status
  }
  /** Where slots keep their state; undefined before it is open, and when there is no place for it. */
  get store(): CheckpointStore | undefined {
    return this.#checkpoints?.store
  }

  /** Begins the first attempt, from what is stored for the job. */
  schedule(): void {
    if (this.#checkpoints === undefined) this.goTo({ state: 'waiting for resources' })
    else this.#state.enter()
  }

  /** `keepCheckpoints`: it is the cluster that ends, and the job may go on in the next one. */
  cancel({ keepCheckpoints = false } = {}): void {
    if (keepCheckpoints) this.#keepCheckpoints = true
    this.#state.cancel()
  }

  /** The cluster has other slots than before. */
  resourcesChanged(): void {
    this.#state.resourcesChanged()
  }

  /** Slots that it holds and does not use. */
  get idleSlots(): number {
    return this.#state.idleSlots
  }

  /** Gives idle slots to other jobs. */
  giveBackSlots(count: number): void {
    this.slots.giveBack(Math.min(count, this.idleSlots))
  }

  /** Throws TR-CLUSTER-004 when the job cannot have these. It goes on from a fresh checkpoint as soon as it can have what is wanted now. */
  setRequirements(wanted: Requirements): void {
    checkRequirements(this.program, wanted)
    if (this.settings.reactive)
      throw new TailraceError(
        'TR-CLUSTER-004',
        `Cannot change the requirements of the job "${this.name}": its parallelism follows the slots (scheduler-mode: REACTIVE); start or end TaskManagers instead`,
      )
    if (this.#checkpoints === undefined || this.isObserved)
      throw new TailraceError(
        'TR-CLUSTER-004',
        `Cannot change the requirements of the job "${this.name}": ${this.isObserved ? 'the program has taken values of executeAndCollect()' : 'this cluster has no place to store its state meanwhile'}`,
      )
    this.#requirements = wanted
    this.#rescales.begin('UPDATE_REQUIREMENT', this.program, wanted, this.#touch())
    for (const one of [...this.#awaiting])
      if (one.wanted !== wanted) one.done(this.#notRescaled('something else is wanted now'))
    this.#state.requirementsChanged()
  }

  /** The deployment is told another parallelism. What the job cannot have is told of, and it stays as it is. */
  directParallelism(parallelism: number): void {
    if (this.#history.ended || this.#directed === parallelism) return
    try {
      this.setRequirements(directedRequirements(this.program, parallelism))
      this.#directed = parallelism
      this.#log(`is to have parallelism ${parallelism}`)
    } catch (error) {
      this.#log(`keeps its parallelism: ${errorToData(error).message}`)
    }
  }

  #firstRequirements(plan: Plan): Requirements {
    return this.#directed === undefined ? initialRequirements(plan) : directedRequirements(plan, this.#directed)
  }

  /** Gives the job as a whole another parallelism, and resolves when it runs so. Throws as {@link setRequirements}, also when the job ends before. */
  async rescale(parallelism: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const wanted = requirementsFor(this.program, parallelism)
    if (!Object.values(wanted).some(({ upperBound }) => upperBound === parallelism))
      throw new TailraceError(
        'TR-CLUSTER-004',
        `Cannot run the job "${this.name}" with parallelism ${parallelism}: each of its vertices has a parallelism of its own, or a max parallelism that is less`,
      )
    this.setRequirements(wanted)
    const one = {
      wanted,
      done: (error?: TailraceError) => {
        this.#awaiting.delete(one)
        if (error === undefined) resolve()
        else reject(error)
      },
    }
    if (this.#history.ended) one.done(this.#notRescaled(`it is ${this.status}`))
    else this.#awaiting.add(one)
    this.#runsNow()
    return promise
  }

  rescales(): RescalesView {
    const { cooldownMs, stabilizationMs, startStabilizationMs, checkpointFailuresMax, slotsWait } = this.settings
    return {
      rescales: this.#rescales.views(),
      counts: this.#rescales.counts,
      settings: {
        historyMax: this.#rescalesMax,
        cooldownMs,
        stabilizationMs,
        startStabilizationMs,
        checkpointFailuresMax,
        slotsTimeoutMs: Number.isFinite(slotsWait.ms) ? slotsWait.ms : -1,
      },
    }
  }

  /** Resolves when it is complete. Rejects with TR-CHECKPOINT-001. */
  async takeCheckpoint(): Promise<CheckpointResult> {
    return this.#needCoordinator('take a checkpoint').takeCheckpoint()
  }

  /** `cancel`: the job is cancelled once it is there [SV-05]. */
  async takeSavepoint(directory: string | undefined, { cancel = false } = {}): Promise<CheckpointResult> {
    const coordinator = this.#needCoordinator('take a savepoint')
    const result = await coordinator.takeSavepoint(await this.#checkpoints!.directory(directory))
    if (cancel) this.cancel()
    return result
  }

  /** Resolves when the job has finished behind its savepoint. A failure fails the job's attempt [SV-03], but a directory that is no good is found before. */
  async stopWithSavepoint(directory: string | undefined, drain: boolean): Promise<CheckpointResult> {
    const coordinator = this.#needCoordinator('stop with a savepoint')
    return coordinator.stopWithSavepoint(await this.#checkpoints!.directory(directory), drain)
  }

  /** The savepoint behind which it ends, once that is there. */
  get stopTaken(): CheckpointResult | undefined {
    return this.coordinator?.stopTaken
  }

  /** Fails the job for a reason outside of its tasks; it restarts if its strategy says so. */
  fail(error: ErrorData, vertexId?: string): void {
    this.#state.failed({ error, ...(vertexId === undefined ? {} : { vertexId }) })
  }

  /** A message of the program about this job. */
  receive(message: AboutJob): void {
    if (message.type === 'cancel') this.cancel()
    else this.#traffic.fromProgram(message)
  }

  view(): JobView {
    const nowMs = this.#options.clock.now()
    const { id, name, status, startTime, endTime, duration } = this.summary()
    return {
      id,
      name,
      status,
      startTime,
      endTime,
      duration,
      timestamps: { ...this.#history.timestamps },
      totalMs: this.#history.totalMs(nowMs),
      plan: this.plan,
      vertices: this.#attempt.vertices(nowMs),
      metrics: this.#attempt.metrics(),
      edgeTypes: { ...this.#traffic.edgeTypes },
      accumulators: { ...this.#accumulators },
      exceptions: this.#exceptions.views(),
      restartStrategy: describeRestartStrategy(this.#strategy),
      numRestarts: Math.max(0, this.#attempts - 1 - this.#numRescales),
      numRescales: this.#numRescales,
      ...(this.coordinator === undefined ? {} : { checkpoints: this.coordinator.statistics.numbers() }),
      ...(this.#fatal === undefined ? {} : { notRestarted: this.#fatal.why }),
    }
  }

  summary(): JobSummary {
    const { status, startTime, endTime } = this.#history
    return {
      id: this.id,
      name: this.name,
      status,
      startTime,
      endTime,
      duration: Math.max(0, (endTime < 0 ? this.#options.clock.now() : endTime) - startTime),
      lastModified: this.#modifiedTime,
      tasks: countStates(this.#attempt.executions.map((e) => e.state)),
    }
  }

  checkpoints(): CheckpointsView {
    return this.coordinator?.statistics.view() ?? NO_CHECKPOINTS
  }
  checkpoint(checkpointId: number): CheckpointView | undefined {
    return this.coordinator?.statistics.detail(checkpointId)
  }

  // --- what states do with the job (scheduler/job-state.ts)

  get name(): string {
    return this.program.config.jobName
  }
  get clock(): Clock {
    return this.#options.clock
  }
  get timer(): Schedule {
    return this.#options.schedule
  }
  get timeouts(): JobTimeouts {
    return this.#options.timeouts
  }
  get requirements(): Requirements {
    return this.#requirements
  }
  get attempt(): Attempt {
    return this.#attempt
  }
  get coordinator(): CheckpointCoordinator | undefined {
    return this.#checkpoints?.coordinator
  }
  get checkpointIntervalMs(): number | undefined {
    return this.checkpointSettings.intervalMs
  }
  get isObserved(): boolean {
    return this.#traffic.hasCollected
  }

  freeSlots = (): number => this.#options.freeSlots()

  claimSlots(count: number): void {
    this.#options.claimSlots?.(count)
  }

  goTo(next: Next): void {
    this.#state.leave()
    const state = nextState(next, this)
    this.#state = state
    const nowMs = this.#touch()
    this.#history.move(state.status, nowMs)
    this.#rescales.entered(next.state, nowMs)
    this.#log(`is ${state.status}`)
    if (!isEnd(state.status)) this.#options.toProgram({ type: 'jobStatus', jobId: this.id, status: state.status })
    state.enter()
  }

  async open(): Promise<void> {
    this.program = await this.#checkpoints!.open()
    // Its max parallelism may be that of what it goes on from.
    if (this.#directed !== undefined) this.#requirements = this.#firstRequirements(this.program)
  }

  makeAttempt(parallelism: Parallelism): boolean {
    const { program } = this
    exchangeSettings(program.config.options)
    const slots = this.slots.take(program, parallelism)
    if (slots === undefined) return false
    const number = this.#attempts
    const plan = planWithParallelism(program, parallelism)
    const start = this.#checkpoints?.start(plan) ?? FROM_NOTHING
    for (const [edge, type] of Object.entries(start.edgeTypes)) this.#traffic.edgeTypes[Number(edge)] ??= type
    this.#accumulators = {}
    this.#attempt = this.#newAttempt(plan, number, slots, start)
    this.#attempts++
    this.coordinator?.attemptBegins(plan)
    this.#traffic.begin(this.#attempt, start.enumerators, parallelism)
    return true
  }

  decideRestart({ code }: ErrorData): RestartDecision {
    const { clock, random } = this.#options
    const facts = { strategy: this.#strategy, code, nowMs: clock.monotonic(), history: this.#restarts }
    const decision = decideRestart({ ...facts, random: random() })
    if (decision.action !== 'restart') return decision
    // They would come again, and nobody could tell.
    if (this.isObserved) return { action: 'fail', why: 'the program has taken values of executeAndCollect()' }
    this.#restarts = decision.history
    this.#rescales.begin('RECOVERABLE_FAILOVER', this.program, this.#requirements, this.#touch())
    return decision
  }

  addFailure(failure: Failure): void {
    this.#log(`has failed: ${failure.error.code} ${failure.error.message}`)
    this.#exceptions.add(failure, this.#touch())
  }
  addConcurrent(failure: Failure): void {
    this.#exceptions.addConcurrent(failure, this.#touch())
  }
  setFatal(error: ErrorData, why: string): void {
    this.#fatal = { error, why }
  }
  countRescale(): void {
    this.#numRescales++
  }
  rescaleBegins(): void {
    this.#rescales.begin('NEW_RESOURCE_AVAILABLE', this.program, this.#requirements, this.#touch())
  }
  rescaleStays(): void {
    this.#rescales.stays(this.#options.clock.now())
  }

  finish(status: JobEndStatus): void {
    this.slots.release()
    this.#rescales.jobEnds(status, this.#options.clock.now())
    for (const one of [...this.#awaiting]) one.done(this.#notRescaled(`it is ${status}`))
    const end = this.#end(status)
    const { beforeEnd } = this.#options
    if (beforeEnd === undefined || this.#keepCheckpoints || this.isObserved) this.#close(status, end)
    else void beforeEnd(end).then(() => this.#close(status, end))
  }

  #close(status: JobEndStatus, end: JobEnd): void {
    if (this.#checkpoints === undefined) this.#options.onEnd(end)
    else {
      const keep = this.#keepCheckpoints
      void this.#checkpoints.close({ status, code: end.error?.code, keep }).then(() => this.#options.onEnd(end))
    }
  }

  /** What the next attempt goes on from, where TaskManagers have copies of it. */
  #localBytes(plan: Plan): readonly LocalBytes[] {
    const { holderOf } = this.#options
    const { metadata } = this.coordinator?.restorePoint ?? {}
    const { keeps, reads } = this.checkpointSettings.local
    if (!keeps || !reads || holderOf === undefined || metadata === undefined) return []
    const own = this.#checkpoints?.state?.epoch
    return localBytes(metadata, plan, (writer) => holderOf(writer, writer.epoch === own))
  }

  // --- attempts

  #newAttempt(plan: Plan, attempt: number, slots: SlotLease[], { restore }: AttemptStart): Attempt {
    const { jobId, program, replay, clock, timeouts, schedule } = this.#options
    const events: AttemptOptions['events'] = {
      onTaskState: (execution, { accumulators = {} }) => {
        this.#touch()
        for (const [name, value] of Object.entries(accumulators))
          this.#accumulators[name] = (this.#accumulators[name] ?? 0) + value
        const { vertexId, subtask, state } = execution
        const vertex = plan.vertices.find((v) => v.id === vertexId)!
        if (state === 'RUNNING' && vertex.isSource)
          this.#options.toProgram({ type: 'addReader', jobId, vertexId, subtask })
        if (state === 'RUNNING') this.#runsNow()
        if (state === 'RUNNING' || isTaskEnd(state)) this.coordinator?.taskState(vertexId, subtask, state)
      },
      onFailure: (failure) => this.#state.failed(failure),
      onMessage: (message, slot) => {
        // Output may come after the last task's end.
        if (this.#history.ended) this.#traffic.late(message)
        else this.#traffic.fromSlot(attempt, slot, message)
      },
      onProgress: () => this.#progress(),
    }
    return new Attempt({
      jobId,
      plan,
      program,
      replay,
      attempt,
      token: this.#options.newToken(),
      slots,
      edgeTypes: this.#traffic.edgeTypes,
      checkpointing: this.#checkpoints?.mode,
      restore,
      storage: this.#checkpoints?.state,
      clock,
      timeouts,
      schedule,
      events,
    })
  }

  #progress(): void {
    if (this.#history.ended) return
    this.#touch()
    this.#state.progress()
  }

  /** Tells whoever waits for it when all tasks run. */
  #runsNow(): void {
    const { executions, plan } = this.#attempt
    if (this.status !== 'RUNNING' || !executions.every(({ state }) => state === 'RUNNING' || state === 'FINISHED'))
      return
    const parallelism = Object.fromEntries(plan.vertices.map((vertex) => [vertex.id, vertex.parallelism]))
    this.#rescales.runs(parallelism, this.#options.clock.now())
    for (const one of [...this.#awaiting])
      if (Object.entries(one.wanted).every(([id, { lowerBound }]) => parallelism[id]! === lowerBound)) one.done()
  }

  #notRescaled(why: string): TailraceError {
    return new TailraceError(
      'TR-CLUSTER-004',
      `Cannot say that the job "${this.name}" runs with another parallelism: ${why}`,
    )
  }

  // --- checkpoints

  #checkpointsOf(settings: CheckpointSettings): JobCheckpoints | undefined {
    const { jobId, plan, openStorage, isRunAgain = false, beginning, clock, schedule, warn } = this.#options
    if (openStorage === undefined) {
      if (settings.intervalMs === undefined && settings.restore === undefined) return undefined
      const text = `Cannot take checkpoints of the job "${plan.config.jobName}": this cluster has no place to store them`
      throw new TailraceError('TR-CHECKPOINT-005', text)
    }
    const edgeTypes = () => this.#traffic.edgeTypes
    const outlet = this.#traffic.outlet({
      completed: () => {
        this.#checkpoints!.completed()
        this.#progress()
      },
      aborted: () => this.#options.onChange?.(),
      fail: (error) => this.#state.failed({ error: errorToData(error) }),
    })
    return new JobCheckpoints({
      jobId,
      plan,
      settings,
      openStorage,
      isRunAgain,
      beginning,
      clock,
      schedule,
      outlet,
      edgeTypes,
      warn,
    })
  }

  #needCoordinator(what: string): CheckpointCoordinator {
    if (this.coordinator !== undefined) return this.coordinator
    const why = this.#checkpoints === undefined ? 'this cluster has no place to store it' : 'it has not begun'
    throw new TailraceError('TR-CHECKPOINT-001', `Cannot ${what} of the job "${this.name}": ${why}`)
  }

  // --- status

  #end(status: JobEndStatus): JobEnd {
    if (status === 'FAILED') return { status, error: this.#fatal!.error }
    if (status === 'CANCELED') {
      const text = `The job "${this.name}" was cancelled`
      return { status, error: errorToData(new TailraceError('TR-CLUSTER-002', text)) }
    }
    return {
      status,
      result: {
        jobId: this.id,
        jobName: this.name,
        netRuntimeMs: this.#history.timestamps.FINISHED - this.#history.timestamps.RUNNING,
        accumulators: { ...this.#accumulators },
      },
    }
  }

  #log(what: string): void {
    this.#options.log?.(`Job "${this.name}" (${this.id}) ${what}`)
  }

  #touch(): number {
    this.#options.onChange?.()
    this.#modifiedTime = this.#options.clock.now()
    return this.#modifiedTime
  }
}
