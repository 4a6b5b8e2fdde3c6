/**
 * One job, from its plan to its end: deploys its subtasks to slots, follows their states, and stands between slots and program.
 *
 * Life: schedule() → each slot gets its subtasks (`deploy`) → all say `deployed` → all get `start` → tasks run → the last one ends.
 * Any failure makes the job FAILING: the others are cancelled, and it is FAILED when all have ended. What must hold:
 * - the status moves by the table in job-status.ts only, tasks never leave an end (execution.ts);
 * - a slot that does not answer is given up after a time with a name in the options, so that every job comes to an end;
 * - the program hears of a job's end once, after everything else about it.
 */
import type { Clock } from '../core/clock.ts'
import { type ErrorData, errorToData, TailraceError } from '../core/errors.ts'
import type { TypeDescription } from '../core/types.ts'
import type { Plan } from '../graph/model.ts'
import { assignSlots } from '../graph/slots.ts'
import { type MetricName, MetricsPage } from '../metrics/page.ts'
import { allocateWiring } from '../network/wiring.ts'
import type { FromProgram, JobResult, JobStatus, ToProgram } from '../rpc/program-messages.ts'
import type { Deployment, FromSlot, ProgramRef, ProgramReplay, ToSlot } from '../rpc/slot-messages.ts'
import type { ExceptionView, JobSummary, JobView } from '../rpc/views.ts'
import { Execution, vertexView } from './execution.ts'
import { decideEnd, isEnd, type JobEndStatus, StatusHistory } from './job-status.ts'
import type { SlotLease } from './slot-pool.ts'
import { countStates } from './task-states.ts'

/** Errors that are kept besides the root one. */
const EXCEPTIONS_MAX = 16

export interface JobTimeouts {
  /** `slot.deploy.timeout`: for loading the program and building its tasks in a slot. */
  deployMs: number
  /** `task.cancellation.timeout`: for a task to end once asked. */
  cancelMs: number
}

export interface JobOptions {
  jobId: string
  plan: Plan
  program: ProgramRef
  replay: ProgramReplay
  /** As many as assignSlots(plan) says. */
  slots: SlotLease[]
  clock: Clock
  timeouts: JobTimeouts
  /** Runs `callback` once after `ms`; returns how to prevent it. */
  schedule(ms: number, callback: () => void): () => void
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
  readonly #slots: JobSlot[]
  readonly #executions: Execution[]
  readonly #byId = new Map<string, Execution[]>()
  readonly #history: StatusHistory
  #modifiedTime: number
  #started = false
  #endWait: (() => void) | undefined
  readonly #edgeTypes: Record<number, TypeDescription> = {}
  readonly #accumulators: Record<string, number> = {}
  readonly #exceptions: ExceptionView[] = []
  /** Slot of each subtask that sends collected values. */
  readonly #collectors = new Map<string, JobSlot>()

  constructor(options: JobOptions) {
    this.#options = options
    this.id = options.jobId
    this.plan = options.plan
    const nowMs = options.clock.now()
    this.#history = new StatusHistory(nowMs)
    this.#modifiedTime = nowMs
    this.#slots = options.slots.map((lease) => {
      return { lease, names: [], page: MetricsPage.allocate(), deployed: false, gone: false }
    })
    const assigned = assignSlots(options.plan)
    this.#executions = assigned.vertices.flatMap(({ vertexId, slots }) => {
      const subtasks = slots.map((slotIndex, subtask) => new Execution(vertexId, subtask, slotIndex, nowMs))
      this.#byId.set(vertexId, subtasks)
      return subtasks
    })
    for (const edge of options.plan.edges) if (edge.type !== null) this.#edgeTypes[edge.id] = edge.type
  }

  get status(): JobStatus {
    return this.#history.status
  }

  /** Sends every slot its part. */
  schedule(): void {
    const { jobId, plan, program, replay, slots, timeouts } = this.#options
    this.#move('CREATED')
    this.#moveTasks('SCHEDULED')
    const wiring = allocateWiring(
      plan,
      Object.fromEntries([...this.#byId].map(([id, subtasks]) => [id, subtasks.map((s) => s.slotIndex)])),
    )
    this.#move('RUNNING')
    this.#moveTasks('DEPLOYING')
    for (const [slotIndex, slot] of this.#slots.entries()) {
      slots[slotIndex]!.listen(
        (message) => this.#onSlot(slot, message),
        (error) => this.#onSlotExit(slot, error),
      )
      const subtasks = this.#executions
        .filter((e) => e.slotIndex === slotIndex)
        .map(({ vertexId, subtask }) => ({ vertexId, subtask }))
      const deployment: Deployment = {
        jobId,
        attempt: 0,
        slotIndex,
        program,
        replay,
        plan,
        subtasks,
        wiring,
        page: slot.page,
        edgeTypes: { ...this.#edgeTypes },
        checkpointing: undefined,
        restore: undefined,
      }
      slot.lease.post({ type: 'deploy', deployment })
    }
    this.#await(timeouts.deployMs, () => {
      for (const slot of this.#slots) {
        if (!slot.deployed) this.#onSlotExit(slot, errorToData(notDeployed(slot.lease.slot, timeouts.deployMs)), true)
      }
    })
  }

  cancel(): void {
    if (!this.#history.canMove('CANCELLING')) return
    this.#move('CANCELLING')
    this.#cancelTasks()
  }

  /** Fails the job for a reason outside of its tasks. */
  fail(error: ErrorData, vertexId?: string): void {
    this.#fail({ error, ...(vertexId === undefined ? {} : { vertexId }) })
  }

  /** A message of the program about this job. */
  receive(message: AboutJob): void {
    switch (message.type) {
      case 'assignSplits': {
        const { vertexId, subtask, splits } = message
        this.#toSubtask(vertexId, subtask, { type: 'splits', vertexId, subtask, splits })
        break
      }
      case 'noMoreSplits': {
        const { vertexId, subtask } = message
        this.#toSubtask(vertexId, subtask, { type: 'noMoreSplits', vertexId, subtask })
        break
      }
      case 'sourceEvent': {
        const { vertexId, subtask, event } = message
        this.#toSubtask(vertexId, subtask, { type: 'sourceEvent', vertexId, subtask, event })
        break
      }
      case 'collectAck': {
        const { collectId, subtask, count } = message
        this.#collectors.get(`${collectId}/${subtask}`)?.lease.post({ type: 'collectAck', collectId, subtask, count })
        break
      }
      case 'coordinatorFailed':
        this.fail(message.error, message.vertexId)
        break
      case 'cancel':
        this.cancel()
        break
    }
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
      plan: this.plan,
      vertices: this.plan.vertices.map((vertex) => {
        const subtasks = this.#byId.get(vertex.id)!
        const views = subtasks.map((e) => e.view(this.#slots[e.slotIndex]!.lease.slot, nowMs))
        return vertexView(vertex, views, nowMs)
      }),
      metrics: this.#slots.map(({ lease, page, names }) => ({ slot: lease.slot, page, names })),
      edgeTypes: { ...this.#edgeTypes },
      accumulators: { ...this.#accumulators },
      exceptions: [...this.#exceptions],
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
      tasks: countStates(this.#executions.map((e) => e.state)),
    }
  }

  // --- from slots

  #onSlot(slot: JobSlot, message: FromSlot): void {
    // Output and the names of metrics may come after the task's last state.
    if (this.#history.ended && message.type !== 'print' && message.type !== 'metricNames') return
    switch (message.type) {
      case 'ready':
        break
      case 'deployed':
        slot.deployed = true
        this.#startWhenDeployed()
        break
      case 'deployFailed':
        this.#onSlotExit(slot, message.error, true)
        break
      case 'taskState':
        this.#onTaskState(message)
        break
      case 'splitRequest':
        this.#options.toProgram({ ...message, jobId: this.id })
        break
      case 'sourceEvent':
        this.#options.toProgram({ ...message, jobId: this.id })
        break
      case 'proposeType':
        this.#onProposeType(message.edgeId, message.edgeType)
        break
      case 'metricNames':
        slot.names.push(...message.names)
        break
      case 'collected':
        this.#collectors.set(`${message.collectId}/${message.subtask}`, slot)
        this.#options.toProgram({ ...message, jobId: this.id })
        break
      case 'print':
        this.#options.onPrint(message.stream, message.text)
        break
    }
  }

  #startWhenDeployed(): void {
    if (this.#started || this.status !== 'RUNNING' || !this.#slots.every((slot) => slot.deployed)) return
    this.#started = true
    this.#stopWaiting()
    for (const { lease } of this.#slots) lease.post({ type: 'start' })
  }

  #onTaskState(message: Extract<FromSlot, { type: 'taskState' }>): void {
    const { vertexId, subtask, state, error, accumulators } = message
    const execution = this.#byId.get(vertexId)?.[subtask]
    if (execution?.move(state, this.#touch(), error) !== true) return
    for (const [name, value] of Object.entries(accumulators ?? {}))
      this.#accumulators[name] = (this.#accumulators[name] ?? 0) + value
    const vertex = this.plan.vertices.find((v) => v.id === vertexId)!
    if (state === 'RUNNING' && vertex.isSource)
      this.#options.toProgram({ type: 'addReader', jobId: this.id, vertexId, subtask })
    if (state === 'FAILED') this.#taskFailed(execution, error ?? errorToData(new Error('a task failed')))
    this.#endWhenDone()
  }

  #taskFailed({ vertexId, subtask, slotIndex }: Execution, error: ErrorData): void {
    const { name, parallelism } = this.plan.vertices.find((v) => v.id === vertexId)!
    const slot = this.#slots[slotIndex]!.lease.slot
    this.#fail({ error, taskName: `${name} (${subtask + 1}/${parallelism})`, vertexId, subtask, slot })
  }

  #fail(exception: Omit<ExceptionView, 'timestamp'>): void {
    if (this.#exceptions.length < EXCEPTIONS_MAX) this.#exceptions.push({ timestamp: this.#touch(), ...exception })
    if (!this.#history.canMove('FAILING')) return
    this.#move('FAILING')
    this.#cancelTasks()
  }

  /** The slot runs nothing any more: it ended, refused its deployment, or is given up. */
  #onSlotExit(slot: JobSlot, error: ErrorData, alive = false): void {
    if (this.#history.ended) return
    slot.gone = true
    if (!alive) slot.lease.release(true)
    const left = this.#tasksOf(slot).filter((e) => !e.ended)
    const nowMs = this.#touch()
    const asked = this.status === 'CANCELLING' || this.status === 'FAILING'
    if (asked) {
      for (const execution of left) execution.move('CANCELED', nowMs)
    } else if (left.length > 0) {
      for (const execution of left) execution.move('FAILED', nowMs, error)
      this.#fail({ error, slot: slot.lease.slot })
    }
    this.#endWhenDone()
  }

  #onProposeType(edgeId: number, edgeType: TypeDescription): void {
    // The first one holds. Everyone hears it again: who proposed another waits for an answer.
    this.#edgeTypes[edgeId] ??= edgeType
    this.#toAll({ type: 'edgeType', edgeId, edgeType: this.#edgeTypes[edgeId]! })
  }

  // --- to slots

  #toSubtask(vertexId: string, subtask: number, message: ToSlot): void {
    const execution = this.#byId.get(vertexId)?.[subtask]
    if (execution === undefined || execution.ended) return
    this.#slots[execution.slotIndex]!.lease.post(message)
  }

  #toAll(message: ToSlot): void {
    for (const slot of this.#slots) if (!slot.gone) slot.lease.post(message)
  }

  /** Ends what still runs. Before `start` nothing runs yet, so no answer is awaited. */
  #cancelTasks(): void {
    this.#stopWaiting()
    this.#toAll({ type: 'cancel' })
    const nowMs = this.#touch()
    for (const execution of this.#executions) {
      const silent = !this.#started || this.#slots[execution.slotIndex]!.gone
      execution.move(silent ? 'CANCELED' : 'CANCELING', nowMs)
    }
    this.#await(this.#options.timeouts.cancelMs, () => {
      for (const slot of this.#slots) {
        if (this.#tasksOf(slot).every((e) => e.ended)) continue
        this.#onSlotExit(slot, errorToData(new Error(`slot ${slot.lease.slot} did not cancel in time`)))
      }
    })
    this.#endWhenDone()
  }

  #tasksOf(slot: JobSlot): Execution[] {
    return this.#executions.filter((e) => this.#slots[e.slotIndex] === slot)
  }

  #moveTasks(state: 'SCHEDULED' | 'DEPLOYING'): void {
    const nowMs = this.#touch()
    for (const execution of this.#executions) execution.move(state, nowMs)
  }

  // --- status

  #endWhenDone(): void {
    const status = decideEnd(
      this.status,
      this.#executions.map((e) => e.state),
    )
    if (status === undefined) return
    this.#stopWaiting()
    this.#move(status)
    for (const { lease } of this.#slots) lease.release(false)
    this.#options.onEnd(this.#end(status))
  }

  #end(status: JobEndStatus): JobEnd {
    if (status === 'FAILED') return { status, error: this.#exceptions[0]!.error }
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

  #await(ms: number, giveUp: () => void): void {
    this.#endWait = this.#options.schedule(ms, giveUp)
  }

  #stopWaiting(): void {
    this.#endWait?.()
    this.#endWait = undefined
  }
}

interface JobSlot {
  readonly lease: SlotLease
  readonly names: MetricName[]
  readonly page: SharedArrayBuffer
  deployed: boolean
  /** Nothing runs in it any more. */
  gone: boolean
}

function notDeployed(slot: number, timeoutMs: number): TailraceError {
  return new TailraceError(
    'TR-PROGRAM-001',
    `Cannot deploy to slot ${slot}: the program has not come to its execute() there within ${timeoutMs / 1000} s. ` +
      'Does main wait for something that does not come again, such as a result of another job? ' +
      'Compute it with env.once(), or raise "slot.deploy.timeout"',
  )
}
