/**
 * One deployment of a job's plan onto slots: its wiring, its subtasks and their states, until all of them have ended.
 *
 * Life: deploy() → each slot gets its subtasks (`deploy`) → all say `deployed` → all get `start` → tasks run → the last one ends; or cancel() at any time.
 * What must hold:
 * - a task never leaves an end (execution.ts);
 * - a slot that does not answer is given up after a time with a name in the options, so that every attempt comes to an end;
 * - it says of each slot whether it was left clean: only then may another attempt run in it.
 */
import type { Clock } from '../core/clock.ts'
import { type ErrorData, errorToData, TailraceError } from '../core/errors.ts'
import type { TypeDescription } from '../core/types.ts'
import type { Plan } from '../graph/model.ts'
import { assignSlots } from '../graph/slots.ts'
import { type MetricName, MetricsPage } from '../metrics/page.ts'
import type {
  CheckpointingMode,
  Deployment,
  FromSlot,
  ProgramRef,
  ProgramReplay,
  ToSlot,
} from '../rpc/slot-messages.ts'
import type { MetricsPageView, VertexView } from '../rpc/views.ts'
import type { Failure } from './exception-history.ts'
import { Execution, vertexView } from './execution.ts'
import { isLoss } from './restart-strategy.ts'
import type { SlotLease } from './slot-pool.ts'

export interface JobTimeouts {
  /** `slot.deploy.timeout`: for loading the program and building its tasks in a slot. */
  deployMs: number
  /** `task.cancellation.timeout`: for a task to end once asked. */
  cancelMs: number
  /** `slot.request.timeout`: for a restart to get its slots. */
  slotsMs: number
}

/** Runs `callback` once after `ms`; returns how to prevent it. */
export type Schedule = (ms: number, callback: () => void) => () => void

export interface AttemptOptions {
  jobId: string
  plan: Plan
  program: ProgramRef
  replay: ProgramReplay
  /** From 0. */
  attempt: number
  /** Of this attempt alone. */
  token: string
  /** By index, as many as assignSlots(plan) says; none for an attempt that is only shown. */
  slots: readonly SlotLease[]
  /** Types agreed so far by edge id. */
  edgeTypes: Readonly<Record<number, TypeDescription>>
  checkpointing: CheckpointingMode | undefined
  /** What the subtasks of all slots go on from. */
  restore: Deployment['restore']
  storage: Deployment['storage']
  clock: Clock
  timeouts: JobTimeouts
  schedule: Schedule
  events: AttemptEvents
}

export interface AttemptEvents {
  /** A task came into another state, as its slot says. */
  onTaskState(execution: Execution, message: TaskStateMessage): void
  /** Something went wrong while nobody had asked the attempt to end. It goes on until cancel(). */
  onFailure(failure: Failure): void
  /** What else slots say. `slot` is an index. */
  onMessage(message: FromSlot, slot: number): void
  /** Tasks have ended, or a slot has. Asked after all else about it was told. */
  onProgress(): void
}

type TaskStateMessage = Extract<FromSlot, { type: 'taskState' }>

export class Attempt {
  readonly number: number
  readonly executions: readonly Execution[]
  readonly #options: AttemptOptions
  readonly #slots: AttemptSlot[]
  readonly #byId = new Map<string, Execution[]>()
  #started = false
  #cancelled = false
  #stopWait: (() => void) | undefined

  constructor(options: AttemptOptions) {
    this.#options = options
    this.number = options.attempt
    const nowMs = options.clock.now()
    this.#slots = options.slots.map((lease) => {
      return { lease, names: [], page: MetricsPage.allocate(), deployed: false, gone: false }
    })
    this.executions = assignSlots(options.plan).vertices.flatMap(({ vertexId, slots }) => {
      const subtasks = slots.map((slot, subtask) => new Execution(vertexId, subtask, slot, options.attempt, nowMs))
      this.#byId.set(vertexId, subtasks)
      return subtasks
    })
  }

  /** All tasks have ended. */
  get plan(): Plan {
    return this.#options.plan
  }

  get slotCount(): number {
    return this.#slots.length
  }

  get over(): boolean {
    return this.executions.every((execution) => execution.ended)
  }

  execution(vertexId: string, subtask: number): Execution | undefined {
    return this.#byId.get(vertexId)?.[subtask]
  }

  /** Sends every slot its part. */
  deploy(): void {
    const { timeouts } = this.#options
    this.#moveAll('SCHEDULED')
    this.#moveAll('DEPLOYING')
    for (const [index, slot] of this.#slots.entries()) {
      slot.lease.listen(
        (message) => this.#onSlot(slot, index, message),
        (error) => this.#onSlotExit(slot, error, true),
      )
      slot.lease.post({ type: 'deploy', deployment: this.#deployment(index) })
    }
    this.#await(timeouts.deployMs, () => {
      for (const slot of this.#slots)
        if (!slot.deployed) this.#onSlotExit(slot, errorToData(notDeployed(slot.lease.slot, timeouts.deployMs)), true)
    })
  }

  /** Ends what still runs. Before `start` nothing runs yet, so no answer is awaited. */
  cancel(): void {
    if (this.#cancelled) return
    this.#cancelled = true
    this.#stopWaiting()
    this.postAll({ type: 'cancel' })
    const nowMs = this.#options.clock.now()
    for (const execution of this.executions) {
      const silent = !this.#started || this.#slots[execution.slotIndex]?.gone === true
      execution.move(silent ? 'CANCELED' : 'CANCELING', nowMs)
    }
    this.#await(this.#options.timeouts.cancelMs, () => {
      for (const slot of this.#slots) {
        if (this.#tasksOf(slot).every((e) => e.ended)) continue
        this.#onSlotExit(slot, errorToData(new Error(`slot ${slot.lease.slot} did not cancel in time`)), true)
      }
    })
    this.#progress()
  }

  post(vertexId: string, subtask: number, message: ToSlot): void {
    const execution = this.execution(vertexId, subtask)
    if (execution === undefined || execution.ended) return
    this.postTo(execution.slotIndex, message)
  }
  postTo(slot: number, message: ToSlot): void {
    const { gone, lease } = this.#slots[slot]!
    if (!gone) lease.post(message)
  }
  postAll(message: ToSlot): void {
    for (const slot of this.#slots.keys()) this.postTo(slot, message)
  }

  /** The attempt is over: whether another one may run in this slot. Not if a task failed in it by itself, or something did not answer. */
  leftClean(slot: number): boolean {
    const tasks = this.#tasksOf(this.#slots[slot]!)
    const isClean = ({ ended, state, error }: Execution) =>
      ended && (state !== 'FAILED' || (error !== undefined && isLoss(error.code)))
    return this.#started && !this.#slots[slot]!.gone && tasks.every(isClean)
  }

  vertices(nowMs: number): VertexView[] {
    return this.#options.plan.vertices.map((vertex) => {
      const subtasks = this.#byId.get(vertex.id)!
      const views = subtasks.map((e) => e.view(placeOf(this.#slots[e.slotIndex]?.lease), nowMs))
      return vertexView(vertex, views, nowMs)
    })
  }

  metrics(): MetricsPageView[] {
    return this.#slots.map(({ lease, page, names }) => ({ slot: lease.slot, page, names }))
  }

  // --- from slots

  #onSlot(slot: AttemptSlot, index: number, message: FromSlot): void {
    switch (message.type) {
      case 'ready':
        break
      case 'deployed':
        slot.deployed = true
        this.#startWhenDeployed()
        break
      case 'deployFailed':
        this.#onSlotExit(slot, message.error, false)
        break
      case 'taskState':
        this.#onTaskState(message)
        break
      case 'metricNames':
        slot.names.push(...message.names)
        break
      default:
        this.#options.events.onMessage(message, index)
    }
  }

  #startWhenDeployed(): void {
    if (this.#started || this.#cancelled || !this.#slots.every((slot) => slot.deployed)) return
    this.#started = true
    this.#stopWaiting()
    this.#moveAll('INITIALIZING')
    this.postAll({ type: 'start' })
  }

  #onTaskState(message: TaskStateMessage): void {
    const { vertexId, subtask, state, error, accumulators } = message
    const execution = this.execution(vertexId, subtask)
    if (execution?.move(state, this.#options.clock.now(), error) !== true) return
    if (accumulators !== undefined) execution.accumulators = accumulators
    this.#options.events.onTaskState(execution, message)
    if (state === 'FAILED') this.#taskFailed(execution, error ?? errorToData(new Error('a task failed')))
    this.#progress()
  }

  #taskFailed({ vertexId, subtask, slotIndex }: Execution, error: ErrorData): void {
    const { name, parallelism } = this.#options.plan.vertices.find((v) => v.id === vertexId)!
    this.#options.events.onFailure({
      error,
      taskName: `${name} (${subtask + 1}/${parallelism})`,
      vertexId,
      subtask,
      ...placeOf(this.#slots[slotIndex]!.lease),
    })
  }

  /** The slot runs nothing any more: it ended, refused its deployment, or is given up. `hard`: nothing of it can be waited for. */
  #onSlotExit(slot: AttemptSlot, error: ErrorData, hard: boolean): void {
    if (slot.gone) return
    slot.gone = true
    slot.lease.release(hard)
    const left = this.#tasksOf(slot).filter((e) => !e.ended)
    const nowMs = this.#options.clock.now()
    if (this.#cancelled) {
      for (const execution of left) execution.move('CANCELED', nowMs)
    } else if (left.length > 0) {
      for (const execution of left) execution.move('FAILED', nowMs, error)
      this.#options.events.onFailure({ error, ...placeOf(slot.lease) })
    }
    this.#progress()
  }

  // --- inside

  #progress(): void {
    if (this.over) this.#stopWaiting()
    this.#options.events.onProgress()
  }

  #tasksOf(slot: AttemptSlot): Execution[] {
    return this.executions.filter((e) => this.#slots[e.slotIndex] === slot)
  }

  #deployment(slotIndex: number): Deployment {
    const { jobId, attempt, program, replay, plan, edgeTypes, checkpointing, restore, storage } = this.#options
    const subtasks = this.#tasksOf(this.#slots[slotIndex]!).map(({ vertexId, subtask }) => ({ vertexId, subtask }))
    return {
      jobId,
      attempt,
      slotIndex,
      program,
      replay,
      plan,
      subtasks,
      places: Object.fromEntries([...this.#byId].map(([id, all]) => [id, all.map((e) => e.slotIndex)])),
      slots: this.#slots.map(({ lease }) => lease.place),
      token: this.#options.token,
      page: this.#slots[slotIndex]!.page,
      edgeTypes: { ...edgeTypes },
      checkpointing,
      restore: restore === undefined ? undefined : partOf(restore, subtasks),
      storage,
    }
  }

  #moveAll(state: 'SCHEDULED' | 'DEPLOYING' | 'INITIALIZING'): void {
    const nowMs = this.#options.clock.now()
    for (const execution of this.executions) execution.move(state, nowMs)
  }

  #await(ms: number, giveUp: () => void): void {
    this.#stopWait = this.#options.schedule(ms, giveUp)
  }

  #stopWaiting(): void {
    this.#stopWait?.()
    this.#stopWait = undefined
  }
}

interface AttemptSlot {
  readonly lease: SlotLease
  readonly names: MetricName[]
  readonly page: SharedArrayBuffer
  deployed: boolean
  /** Nothing runs in it any more. */
  gone: boolean
}

/** What the subtasks of one slot go on from. */
function partOf(
  { state, finished, ...rest }: NonNullable<Deployment['restore']>,
  subtasks: Deployment['subtasks'],
): NonNullable<Deployment['restore']> {
  const part: NonNullable<Deployment['restore']> = { ...rest, state: {}, finished: [] }
  for (const { vertexId, subtask } of subtasks) {
    const restored = state[vertexId]?.[subtask]
    if (restored !== undefined) (part.state[vertexId] ??= {})[subtask] = restored
  }
  part.finished = finished.filter((f) => subtasks.some((s) => s.vertexId === f.vertexId && s.subtask === f.subtask))
  return part
}

function notDeployed(slot: number, timeoutMs: number): TailraceError {
  return new TailraceError(
    'TR-PROGRAM-001',
    `Cannot deploy to slot ${slot}: the program has not come to its execute() there within ${timeoutMs / 1000} s. ` +
      'Does main wait for something that does not come again, such as a result of another job? ' +
      'Compute it with env.once(), or raise "slot.deploy.timeout"',
  )
}

/** As views have it. */
function placeOf(lease: SlotLease | undefined): { slot: number; taskManager: string; host: string } {
  if (lease === undefined) return { slot: -1, taskManager: '', host: '' }
  const { slot, place } = lease
  return { slot, taskManager: place.taskManager, host: place.data?.host ?? '' }
}
