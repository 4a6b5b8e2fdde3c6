/**
 * One job, from its plan to its end, over its attempts; stands between slots and program.
 *
 * Life: schedule() → an attempt is deployed and runs (attempt.ts) → all of its tasks finish, and the job is FINISHED. A failure makes the job RESTARTING or
 * FAILING (restart-strategy.ts): the attempt's tasks are cancelled, and when all have ended the next attempt begins, or the job is FAILED. What must hold:
 * - the status moves by the table in job-status.ts only;
 * - one attempt at a time, and none before the one before it has ended in every slot;
 * - nothing that an enumerator of an earlier attempt said reaches a task;
 * - the program hears of a job's end once, after everything else about it.
 */
import type { Clock } from '../core/clock.ts'
import { type ErrorData, errorToData, TailraceError } from '../core/errors.ts'
import { OptionReader } from '../core/option-reader.ts'
import type { TypeDescription } from '../core/types.ts'
import type { Plan } from '../graph/model.ts'
import type { FromProgram, JobResult, JobStatus, ToProgram } from '../rpc/program-messages.ts'
import type { FromSlot, ProgramRef, ProgramReplay } from '../rpc/slot-messages.ts'
import type { JobSummary, JobView } from '../rpc/views.ts'
import { Attempt, type AttemptOptions, type JobTimeouts, type Schedule } from './attempt.ts'
import { EXCEPTIONS_MAX, ExceptionHistory, type Failure } from './exception-history.ts'
import { JobSlots } from './job-slots.ts'
import { decideEnd, isEnd, type JobEndStatus, StatusHistory } from './job-status.ts'
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
  onEnd(end: JobEnd): void
}

export interface JobEnd {
  status: JobEndStatus
  /** With FINISHED. */
  result?: JobResult
  /** With FAILED and CANCELED. */
  error?: ErrorData
}

/** Messages of the program about a job that runs. */
export type AboutJob = Extract<FromProgram, { jobId: string }>

export class JobMaster {
  readonly id: string
  readonly plan: Plan
  readonly #options: JobOptions
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
  /** The enumerators of this attempt speak; before, what comes is of an earlier one. */
  #enumeratorsReset = false
  /** Prevents the timer that a restart waits for. */
  #stopWait: (() => void) | undefined
  readonly #edgeTypes: Record<number, TypeDescription> = {}
  #accumulators: Record<string, number> = {}
  /** Index of the slot of each subtask that sends collected values. */
  readonly #collectors = new Map<string, number>()

  /** Throws TR-CHECKPOINT-006 when the plan's configuration of restarts cannot be used. */
  constructor(options: JobOptions) {
    const { plan, clock } = options
    this.#options = options
    this.id = options.jobId
    this.plan = plan
    this.#strategy = readRestartStrategy(plan.config.options, { checkpoints: false })
    const read = new OptionReader(plan.config.options, 'TR-CHECKPOINT-006')
    this.#exceptions = new ExceptionHistory(read.integer(EXCEPTIONS_MAX, { atLeast: 1 }, 'web.exception-history-size'))
    this.#history = new StatusHistory(clock.now())
    this.#modifiedTime = clock.now()
    this.#slots = new JobSlots({
      leases: options.slots,
      acquire: (count) => options.acquireSlots(count),
      onMessage: (message) => this.#print(message),
    })
    for (const edge of plan.edges) if (edge.type !== null) this.#edgeTypes[edge.id] = edge.type
    this.#attempt = this.#newAttempt(0)
  }

  get status(): JobStatus {
    return this.#history.status
  }

  /** Begins the first attempt. */
  schedule(): void {
    this.#move('CREATED')
    this.#launch()
  }

  cancel(): void {
    if (!this.#history.canMove('CANCELLING')) return
    this.#move('CANCELLING')
    this.#endAttempt()
  }

  /** Fails the job for a reason outside of its tasks; it restarts if its strategy says so. */
  fail(error: ErrorData, vertexId?: string): void {
    this.#fail({ error, ...(vertexId === undefined ? {} : { vertexId }) })
  }

  /** A message of the program about this job. */
  receive(message: AboutJob): void {
    switch (message.type) {
      case 'cancel':
        this.cancel()
        return
      case 'collectAck': {
        const { collectId, subtask, count } = message
        const slot = this.#collectors.get(`${collectId}/${subtask}`)
        if (slot !== undefined) this.#attempt.postTo(slot, { type: 'collectAck', collectId, subtask, count })
        return
      }
      case 'enumeratorsReset':
        if (message.attempt === this.#attempt.number) this.#enumeratorsReset = true
        return
    }
    if (this.#enumeratorsReset) this.#fromEnumerator(message)
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
      edgeTypes: { ...this.#edgeTypes },
      accumulators: { ...this.#accumulators },
      exceptions: this.#exceptions.views(),
      restartStrategy: describeRestartStrategy(this.#strategy),
      numRestarts: this.#numRestarts,
      ...(this.#fatal === undefined ? {} : { notRestarted: this.#fatal.why }),
    }
  }

  summary(): JobSummary {
    const { status, startTime, endTime } = this.#history
    return {
      id: this.id,
      name: this.plan.config.jobName,
      status,
      startTime,
      endTime,
      duration: Math.max(0, (endTime < 0 ? this.#options.clock.now() : endTime) - startTime),
      lastModified: this.#modifiedTime,
      tasks: countStates(this.#attempt.executions.map((e) => e.state)),
    }
  }

  // --- attempts

  #newAttempt(attempt: number): Attempt {
    const { jobId, plan, program, replay, clock, timeouts, schedule } = this.#options
    const events: AttemptOptions['events'] = {
      onTaskState: (execution, { accumulators = {} }) => {
        this.#touch()
        for (const [name, value] of Object.entries(accumulators))
          this.#accumulators[name] = (this.#accumulators[name] ?? 0) + value
        const { vertexId, subtask, state } = execution
        const vertex = plan.vertices.find((v) => v.id === vertexId)!
        if (state === 'RUNNING' && vertex.isSource)
          this.#options.toProgram({ type: 'addReader', jobId, vertexId, subtask })
      },
      onFailure: (failure) => this.#fail(failure),
      onMessage: (message, slot) => this.#onSlot(message, slot),
      onProgress: () => this.#onProgress(),
    }
    return new Attempt({
      jobId,
      plan,
      program,
      replay,
      attempt,
      slots: this.#slots.all(),
      edgeTypes: this.#edgeTypes,
      checkpointing: undefined,
      restore: undefined,
      clock,
      timeouts,
      schedule,
      events,
    })
  }

  #launch(): void {
    this.#enumeratorsReset = false
    const attempt = this.#attempt.number
    this.#options.toProgram({ type: 'resetEnumerators', jobId: this.id, attempt, states: undefined })
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
    const { clock, random } = this.#options
    const facts = { strategy: this.#strategy, code, nowMs: clock.monotonic(), history: this.#restarts }
    const decision = decideRestart({ ...facts, random: random() })
    if (decision.action === 'restart' && this.#collectors.size > 0) {
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
    const delayMs = Math.max(0, this.#restarts.dueMs - this.#options.clock.monotonic())
    this.#wait(delayMs, () => this.#restart(this.#options.clock.monotonic()))
  }

  #restart(sinceMs: number): void {
    if (this.status === 'RESTARTING') this.#move('CREATED')
    const { clock, timeouts } = this.#options
    if (!this.#slots.fill()) {
      if (clock.monotonic() - sinceMs < timeouts.slotsMs) this.#wait(SLOTS_AGAIN_MS, () => this.#restart(sinceMs))
      else this.#fail({ error: errorToData(this.#tooFewSlots()) })
      return
    }
    this.#numRestarts++
    this.#accumulators = {}
    this.#collectors.clear()
    this.#slotsSorted = false
    this.#attempt = this.#newAttempt(this.#attempt.number + 1)
    this.#launch()
  }

  #tooFewSlots(): TailraceError {
    return new TailraceError(
      'TR-CLUSTER-001',
      `Cannot restart the job "${this.plan.config.jobName}": ${this.#slots.missing} of its ${this.#slots.count} slots are missing, ` +
        `and no others were free within ${this.#options.timeouts.slotsMs / 1000} s`,
    )
  }

  // --- between slots and program

  #onSlot(message: FromSlot, slot: number): void {
    // Output may come after the last task's end.
    if (this.#history.ended || message.type === 'print') {
      this.#print(message)
      return
    }
    switch (message.type) {
      case 'splitRequest':
      case 'sourceEvent':
        this.#options.toProgram({ ...message, jobId: this.id })
        break
      case 'proposeType':
        // The first one holds. Everyone hears it again: who proposed another waits for an answer.
        this.#edgeTypes[message.edgeId] ??= message.edgeType
        this.#attempt.postAll({
          type: 'edgeType',
          edgeId: message.edgeId,
          edgeType: this.#edgeTypes[message.edgeId]!,
        })
        break
      case 'collected':
        this.#collectors.set(`${message.collectId}/${message.subtask}`, slot)
        this.#options.toProgram({ ...message, jobId: this.id })
        break
    }
  }

  #fromEnumerator(message: AboutJob): void {
    switch (message.type) {
      case 'assignSplits': {
        const { vertexId, subtask, splits } = message
        this.#attempt.post(vertexId, subtask, { type: 'splits', vertexId, subtask, splits })
        break
      }
      case 'noMoreSplits': {
        const { vertexId, subtask } = message
        this.#attempt.post(vertexId, subtask, { type: 'noMoreSplits', vertexId, subtask })
        break
      }
      case 'sourceEvent': {
        const { vertexId, subtask, event } = message
        this.#attempt.post(vertexId, subtask, { type: 'sourceEvent', vertexId, subtask, event })
        break
      }
      case 'coordinatorFailed':
        this.fail(message.error, message.vertexId)
        break
    }
  }

  #print(message: FromSlot): void {
    if (message.type === 'print') this.#options.onPrint(message.stream, message.text)
  }

  // --- status

  #finish(status: JobEndStatus): void {
    this.#stopWaiting()
    this.#move(status)
    this.#slots.release()
    this.#options.onEnd(this.#end(status))
  }

  #end(status: JobEndStatus): JobEnd {
    if (status === 'FAILED') return { status, error: this.#fatal!.error }
    if (status === 'CANCELED') {
      const text = `The job "${this.plan.config.jobName}" was cancelled`
      return { status, error: errorToData(new TailraceError('TR-CLUSTER-002', text)) }
    }
    return {
      status,
      result: {
        jobId: this.id,
        jobName: this.plan.config.jobName,
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
