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
import { ConfigValues } from '../config/option.ts'
import { REST } from '../config/options/rest.ts'
import type { Clock } from '../core/clock.ts'
import { type ErrorData, errorToData, TailraceError } from '../core/errors.ts'
import { planWithParallelism } from '../graph/deployed-numbers.ts'
import type { Plan } from '../graph/model.ts'
import { exchangeSettings } from '../network/settings.ts'
import type { JobStatus } from '../rpc/program-messages.ts'
import type { JobSummary, JobView } from '../rpc/views.ts'
import { Attempt, type AttemptOptions, type JobTimeouts, type Schedule } from './attempt.ts'
import { ExceptionHistory, type Failure } from './exception-history.ts'
import { type AttemptStart, FROM_NOTHING, JobCheckpoints } from './job-checkpoints.ts'
import type { JobEnd, JobOptions } from './job-options.ts'
import { JobParallelism } from './job-parallelism.ts'
import { JobSlots } from './job-slots.ts'
import { isEnd, isTaskEnd, type JobEndStatus, StatusHistory } from './job-status.ts'
import { type AboutJob, JobTraffic } from './job-traffic.ts'
import { localBytes } from './local-state.ts'
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
import { readSchedulerSettings, type SchedulerSettings } from './scheduler/settings.ts'
import type { SlotLease } from './slot-pool.ts'
import { countStates } from './task-states.ts'

export type { JobTimeouts } from './attempt.ts'

export class JobMaster implements JobContext {
  readonly id: string
  readonly checkpointSettings: CheckpointSettings
  readonly settings: SchedulerSettings
  readonly slots: JobSlots
  readonly parallelism: JobParallelism
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
    this.parallelism = new JobParallelism({
      plan: () => this.program,
      settings: this.settings,
      directed: options.parallelism,
      historyMax: read.get(REST.rescaleHistory),
      refusal: () => this.#rescaleRefusal(),
      endStatus: () => (this.#history.ended ? this.status : undefined),
      clock,
      touch: () => this.#touch(),
      onChange: () => this.#state.requirementsChanged(),
      look: () => this.#runsNow(),
      log: (what) => this.#log(what),
    })
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

  #rescaleRefusal(): string | undefined {
    if (this.isObserved) return 'the program has taken values of executeAndCollect()'
    return this.#checkpoints === undefined ? 'this cluster has no place to store its state meanwhile' : undefined
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
      numRestarts: Math.max(0, this.#attempts - 1 - this.parallelism.count),
      numRescales: this.parallelism.count,
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
    this.#history.move(state.status, this.#touch())
    this.parallelism.entered(next.state)
    this.#log(`is ${state.status}`)
    if (!isEnd(state.status)) this.#options.toProgram({ type: 'jobStatus', jobId: this.id, status: state.status })
    state.enter()
  }

  async open(): Promise<void> {
    this.program = await this.#checkpoints!.open()
    // Its max parallelism may be that of what it goes on from.
    this.parallelism.opened()
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
    this.parallelism.begins('RECOVERABLE_FAILOVER')
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

  finish(status: JobEndStatus): void {
    this.slots.release()
    this.parallelism.jobEnds(status)
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
    this.parallelism.runs(parallelism)
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
