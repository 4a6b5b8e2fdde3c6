/**
 * One job, from its plan to its end, over its attempts; stands between slots and program.
 *
 * Life: schedule() → an attempt is deployed and runs (attempt.ts) → all of its tasks finish, and the job is FINISHED. A failure makes the job RESTARTING or
 * FAILING (restart-strategy.ts): the attempt's tasks are cancelled, and when all have ended the next attempt begins, or the job is FAILED. What must hold:
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
import type { Clock } from '../core/clock.ts'
import { type ErrorData, errorToData, TailraceError } from '../core/errors.ts'
import { OptionReader } from '../core/option-reader.ts'
import type { Plan } from '../graph/model.ts'
import type { JobResult, JobStatus, ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef, ProgramReplay } from '../rpc/slot-messages.ts'
import type { JobSummary, JobView } from '../rpc/views.ts'
import { Attempt, type AttemptOptions, type JobTimeouts, type Schedule } from './attempt.ts'
import { EXCEPTIONS_MAX, ExceptionHistory, type Failure } from './exception-history.ts'
import { type AttemptStart, FROM_NOTHING, JobCheckpoints, type OpenStorage } from './job-checkpoints.ts'
import { JobSlots } from './job-slots.ts'
import { decideEnd, isEnd, isTaskEnd, type JobEndStatus, StatusHistory } from './job-status.ts'
import { type AboutJob, JobTraffic } from './job-traffic.ts'
import {
  canRetry,
  decideRestart,
  describeRestartStrategy,
  NO_RESTARTS,
  type RestartDecision,
  type RestartHistory,
  type RestartStrategy,
  readRestartStrategy,
} from './restart-strategy.ts'
import type { SlotLease } from './slot-pool.ts'
import { countStates } from './task-states.ts'

export type { JobTimeouts } from './attempt.ts'

/** A restart that lacks slots asks for them again after this. */
const SLOTS_AGAIN_MS = 200

export interface JobOptions {
  jobId: string
  plan: Plan
  program: ProgramRef
  replay: ProgramReplay
  /** As many as assignSlots(plan) says. */
  slots: SlotLease[]
  /** In place of slots that were lost; undefined when the cluster has fewer. */
  acquireSlots(count: number): SlotLease[] | undefined
  clock: Clock
  timeouts: JobTimeouts
  schedule: Schedule
  /** From 0 to 1. */
  random(): number
  toProgram(message: ToProgram): void
  onPrint(stream: 'stdout' | 'stderr', text: string): void
  /** undefined: the cluster has no place for checkpoints, and a job that wants them is refused. */
  openStorage?: OpenStorage | undefined
  /** Hears what went wrong and does not matter to the job. */
  warn(text: string): void
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

export class JobMaster {
  readonly id: string
  readonly checkpointSettings: CheckpointSettings
  readonly #options: JobOptions
  /** Of the program, with the numbers of key groups that the job goes on with. */
  #plan: Plan
  readonly #traffic: JobTraffic
  readonly #checkpoints: JobCheckpoints | undefined
  readonly #slots: JobSlots
  readonly #strategy: RestartStrategy
  readonly #history: StatusHistory
  readonly #exceptions: ExceptionHistory
  #modifiedTime: number
  #restarts: RestartHistory = NO_RESTARTS
  #numRestarts = 0
  /** Why the job is not restarted any more. */
  #fatal: { error: ErrorData; why: string } | undefined
  /** The one that runs, or ran last. */
  #attempt: Attempt
  /** The slots that the last attempt has left are kept or given back. */
  #slotsSorted = false
  /** Prevents the timer that a restart waits for. */
  #stopWait: (() => void) | undefined
  #accumulators: Record<string, number> = {}
  #keepCheckpoints = false

  /** Throws TR-CHECKPOINT-006 when the plan's configuration of checkpoints or restarts cannot be used, 005 when there is no place for them. */
  constructor(options: JobOptions) {
    const { plan, clock } = options
    this.#options = options
    this.id = options.jobId
    this.#plan = plan
    this.#traffic = new JobTraffic({
      jobId: options.jobId,
      plan,
      toProgram: (message) => options.toProgram(message),
      onPrint: (stream, text) => options.onPrint(stream, text),
      coordinator: () => this.#coordinator,
      onSourceFailed: (error, vertexId) => this.fail(error, vertexId),
    })
    const settings = readCheckpointSettings(plan.config.options)
    this.checkpointSettings = settings
    this.#strategy = readRestartStrategy(plan.config.options, { checkpoints: settings.intervalMs !== undefined })
    this.#checkpoints = this.#checkpointsOf(settings)
    const read = new OptionReader(plan.config.options, 'TR-CHECKPOINT-006')
    this.#exceptions = new ExceptionHistory(read.integer(EXCEPTIONS_MAX, { atLeast: 1 }, 'web.exception-history-size'))
    this.#history = new StatusHistory(clock.now())
    this.#modifiedTime = clock.now()
    this.#slots = new JobSlots({
      leases: options.slots,
      acquire: (count) => options.acquireSlots(count),
      onMessage: (message) => this.#traffic.late(message),
    })
    this.#attempt = this.#newAttempt(0, FROM_NOTHING)
  }

  get plan(): Plan {
    return this.#plan
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
    const checkpoints = this.#checkpoints
    if (checkpoints === undefined) {
      this.#begin(0)
      return
    }
    checkpoints.open().then(
      (plan) => {
        if (this.status !== 'INITIALIZING') return
        this.#plan = plan
        this.#begin(0)
      },
      (error) => this.#fail({ error: errorToData(error, 'TR-CHECKPOINT-005') }),
    )
  }

  /** `keepCheckpoints`: it is the cluster that ends, and the job may go on in the next one. */
  cancel({ keepCheckpoints = false } = {}): void {
    if (keepCheckpoints) this.#keepCheckpoints = true
    if (!this.#history.canMove('CANCELLING')) return
    this.#move('CANCELLING')
    this.#coordinator?.jobEnds(false)
    this.#endAttempt()
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

  /** Fails the job for a reason outside of its tasks; it restarts if its strategy says so. */
  fail(error: ErrorData, vertexId?: string): void {
    this.#fail({ error, ...(vertexId === undefined ? {} : { vertexId }) })
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
      plan: this.#plan,
      vertices: this.#attempt.vertices(nowMs),
      metrics: this.#attempt.metrics(),
      edgeTypes: { ...this.#traffic.edgeTypes },
      accumulators: { ...this.#accumulators },
      exceptions: this.#exceptions.views(),
      restartStrategy: describeRestartStrategy(this.#strategy),
      numRestarts: this.#numRestarts,
      ...(this.#coordinator === undefined ? {} : { checkpoints: this.#coordinator.statistics.numbers() }),
      ...(this.#fatal === undefined ? {} : { notRestarted: this.#fatal.why }),
    }
  }

  summary(): JobSummary {
    const { status, startTime, endTime } = this.#history
    return {
      id: this.id,
      name: this.#plan.config.jobName,
      status,
      startTime,
      endTime,
      duration: Math.max(0, (endTime < 0 ? this.#options.clock.now() : endTime) - startTime),
      lastModified: this.#modifiedTime,
      tasks: countStates(this.#attempt.executions.map((e) => e.state)),
    }
  }

  checkpoints(): CheckpointsView {
    return this.#coordinator?.statistics.view() ?? NO_CHECKPOINTS
  }
  checkpoint(checkpointId: number): CheckpointView | undefined {
    return this.#coordinator?.statistics.detail(checkpointId)
  }

  // --- attempts

  #newAttempt(attempt: number, { restore }: AttemptStart): Attempt {
    const { jobId, program, replay, clock, timeouts, schedule } = this.#options
    const plan = this.#plan
    const events: AttemptOptions['events'] = {
      onTaskState: (execution, { accumulators = {} }) => {
        this.#touch()
        for (const [name, value] of Object.entries(accumulators))
          this.#accumulators[name] = (this.#accumulators[name] ?? 0) + value
        const { vertexId, subtask, state } = execution
        const vertex = plan.vertices.find((v) => v.id === vertexId)!
        if (state === 'RUNNING' && vertex.isSource)
          this.#options.toProgram({ type: 'addReader', jobId, vertexId, subtask })
        if (state === 'RUNNING' || isTaskEnd(state)) this.#coordinator?.taskState(vertexId, subtask, state)
      },
      onFailure: (failure) => this.#fail(failure),
      onMessage: (message, slot) => {
        // Output may come after the last task's end.
        if (this.#history.ended) this.#traffic.late(message)
        else this.#traffic.fromSlot(attempt, slot, message)
      },
      onProgress: () => this.#onProgress(),
    }
    return new Attempt({
      jobId,
      plan,
      program,
      replay,
      attempt,
      slots: this.#slots.all(),
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

  /** Deploys an attempt, from the newest checkpoint, as soon as all slots are there. */
  #begin(attempt: number, sinceMs = this.#options.clock.monotonic()): void {
    if (this.status !== 'CREATED') this.#move('CREATED')
    const { clock, timeouts } = this.#options
    if (!this.#slots.fill()) {
      if (clock.monotonic() - sinceMs < timeouts.slotsMs)
        this.#wait(SLOTS_AGAIN_MS, () => this.#begin(attempt, sinceMs))
      else this.#fail({ error: errorToData(this.#tooFewSlots()) })
      return
    }
    if (attempt > 0) this.#numRestarts++
    try {
      this.#deploy(attempt)
    } catch (error) {
      this.#fail({ error: errorToData(error) })
    }
  }

  /** Throws TR-CHECKPOINT-004 when what it should go on from does not fit, TR-CONFIG-001 for settings that only deploying reads. */
  #deploy(attempt: number): void {
    const start = this.#checkpoints?.start(this.#plan) ?? FROM_NOTHING
    for (const [edge, type] of Object.entries(start.edgeTypes)) this.#traffic.edgeTypes[Number(edge)] ??= type
    this.#slotsSorted = false
    this.#accumulators = {}
    this.#attempt = this.#newAttempt(attempt, start)
    this.#coordinator?.attemptBegins()
    this.#traffic.begin(this.#attempt, start.enumerators)
    this.#move('RUNNING')
    this.#attempt.deploy()
  }

  /** Cancels what runs. A job of which nothing runs comes to its end at once. */
  #endAttempt(): void {
    this.#stopWaiting()
    this.#attempt.cancel()
    this.#onProgress()
  }

  #onProgress(): void {
    if (this.#history.ended) return
    this.#touch()
    const status = decideEnd(
      this.status,
      this.#attempt.executions.map((e) => e.state),
    )
    // A job that was drained takes its savepoint first.
    if (status === 'FINISHED' && this.#coordinator?.holdsEnd === true) return
    if (status !== undefined) this.#finish(status)
    else if (this.status === 'RESTARTING' && this.#attempt.over) this.#takeSlots()
  }

  // --- failures and restarts

  #fail(failure: Failure): void {
    const nowMs = this.#touch()
    const restarting = this.status === 'RESTARTING'
    if (restarting || this.status === 'FAILING') this.#exceptions.addConcurrent(failure, nowMs)
    else this.#exceptions.add(failure, nowMs)
    if (!this.#history.canMove('FAILING')) return
    if (restarting && canRetry(failure.error.code)) return
    const decision = this.#decideRestart(failure)
    const more = this.#coordinator?.attemptEnds(failure.error)
    if (more !== undefined) this.#exceptions.addConcurrent({ error: errorToData(more) }, nowMs)
    if (decision.action === 'fail') {
      this.#fatal = { error: failure.error, why: decision.why }
      this.#move('FAILING')
    } else {
      this.#restarts = decision.history
      this.#move('RESTARTING')
    }
    this.#endAttempt()
  }

  #decideRestart({ error: { code } }: Failure): RestartDecision {
    if (this.status === 'INITIALIZING') return { action: 'fail', why: 'it has not begun' }
    const { clock, random } = this.#options
    const facts = { strategy: this.#strategy, code, nowMs: clock.monotonic(), history: this.#restarts }
    const decision = decideRestart({ ...facts, random: random() })
    if (decision.action === 'restart' && this.#traffic.hasCollected) {
      // They would come again, and nobody could tell.
      return { action: 'fail', why: 'the program has taken values of executeAndCollect()' }
    }
    return decision
  }

  /** The attempt is over: its slots are kept or given back, and taken anew while the strategy's delay passes. */
  #takeSlots(): void {
    if (this.#stopWait !== undefined) return
    if (!this.#slotsSorted) {
      this.#slotsSorted = true
      for (let slot = 0; slot < this.#slots.count; slot++) {
        if (this.#attempt.leftClean(slot)) this.#slots.keep(slot)
        else this.#slots.drop(slot)
      }
    }
    this.#slots.fill()
    if (this.#coordinator === undefined) this.#restartWhenDue()
    // What the store is completing now may be what the next attempt goes on from.
    else void this.#coordinator.settled().then(() => this.#restartWhenDue())
  }

  #restartWhenDue(): void {
    if (this.#stopWait !== undefined || this.status !== 'RESTARTING' || !this.#attempt.over) return
    const delayMs = Math.max(0, this.#restarts.dueMs - this.#options.clock.monotonic())
    this.#wait(delayMs, () => this.#begin(this.#attempt.number + 1))
  }

  #tooFewSlots(): TailraceError {
    return new TailraceError(
      'TR-CLUSTER-001',
      `Cannot run the job "${this.#plan.config.jobName}": ${this.#slots.missing} of its ${this.#slots.count} slots are missing, ` +
        `and no others were free within ${this.#options.timeouts.slotsMs / 1000} s`,
    )
  }

  // --- checkpoints

  get #coordinator(): CheckpointCoordinator | undefined {
    return this.#checkpoints?.coordinator
  }

  #checkpointsOf(settings: CheckpointSettings): JobCheckpoints | undefined {
    const { jobId, plan, openStorage, clock, schedule, warn } = this.#options
    if (openStorage === undefined) {
      if (settings.intervalMs === undefined && settings.restore === undefined) return undefined
      const text = `Cannot take checkpoints of the job "${plan.config.jobName}": this cluster has no place to store them`
      throw new TailraceError('TR-CHECKPOINT-005', text)
    }
    const edgeTypes = () => this.#traffic.edgeTypes
    const outlet = this.#traffic.outlet({
      completed: () => {
        this.#checkpoints!.completed()
        this.#onProgress()
      },
      fail: (error) => this.#fail({ error: errorToData(error) }),
    })
    return new JobCheckpoints({ jobId, plan, settings, openStorage, clock, schedule, outlet, edgeTypes, warn })
  }

  #needCoordinator(what: string): CheckpointCoordinator {
    if (this.#coordinator !== undefined) return this.#coordinator
    const why = this.#checkpoints === undefined ? 'this cluster has no place to store it' : 'it has not begun'
    throw new TailraceError('TR-CHECKPOINT-001', `Cannot ${what} of the job "${this.#plan.config.jobName}": ${why}`)
  }

  // --- status

  #finish(status: JobEndStatus): void {
    this.#stopWaiting()
    this.#move(status)
    this.#slots.release()
    const end = this.#end(status)
    if (this.#checkpoints === undefined) this.#options.onEnd(end)
    else {
      const keep = this.#keepCheckpoints
      void this.#checkpoints.close({ status, code: end.error?.code, keep }).then(() => this.#options.onEnd(end))
    }
  }

  #end(status: JobEndStatus): JobEnd {
    if (status === 'FAILED') return { status, error: this.#fatal!.error }
    if (status === 'CANCELED') {
      const text = `The job "${this.#plan.config.jobName}" was cancelled`
      return { status, error: errorToData(new TailraceError('TR-CLUSTER-002', text)) }
    }
    return {
      status,
      result: {
        jobId: this.id,
        jobName: this.#plan.config.jobName,
        netRuntimeMs: this.#history.timestamps.FINISHED - this.#history.timestamps.RUNNING,
        accumulators: { ...this.#accumulators },
      },
    }
  }

  #move(to: JobStatus): void {
    this.#history.move(to, this.#touch())
    if (!isEnd(to)) this.#options.toProgram({ type: 'jobStatus', jobId: this.id, status: to })
  }

  #touch(): number {
    this.#modifiedTime = this.#options.clock.now()
    return this.#modifiedTime
  }

  #wait(ms: number, then: () => void): void {
    this.#stopWait = this.#options.schedule(ms, () => {
      this.#stopWait = undefined
      then()
    })
  }

  #stopWaiting(): void {
    this.#stopWait?.()
    this.#stopWait = undefined
  }
}
