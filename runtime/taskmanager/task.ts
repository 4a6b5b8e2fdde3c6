/**
 * One subtask of a vertex: input (a gate, or a source), a chain of operators, record writers. It never blocks: a turn does a bounded
 * amount of work and says whether there was any.
 *
 * A turn, in order: send overflow · run timers that are due · go on with long work (window fires) · take input, unless an operator is
 * pending, output is blocked, or long work is not done. So the overflow holds at most what the records in hand produce.
 *
 *   INITIALIZING → RUNNING → (finishing: task-end.ts) → FINISHED
 *         any → FAILED | CANCELED
 *
 * Here is the turn, and what begins and ends a task; its parts have files of their own: task-source.ts, task-checkpoints.ts, task-end.ts, task-measures.ts.
 */
import { errorToData } from '../core/errors.ts'
import type { TaskInfo } from '../core/functions.ts'
import type { TypeDescription } from '../core/types.ts'
import { O, T } from '../metrics/page.ts'
import type { BaseOperator, SourceOperator } from '../operators/operator.ts'
import type { FromSlot, TaskState } from '../rpc/slot-messages.ts'
import { attributeError } from './attribute-error.ts'
import type { Chain, ChainLink } from './chain.ts'
import { createOperatorContext } from './operator-context.ts'
import { TaskCheckpoints } from './task-checkpoints.ts'
import { TaskEnd } from './task-end.ts'
import { TaskMeasures } from './task-measures.ts'
import type { TaskOptions } from './task-options.ts'
import { TaskSource } from './task-source.ts'
import { TaskTimers } from './task-timers.ts'

export class Task {
  readonly vertexId: string
  readonly subtask: number
  readonly options: TaskOptions
  readonly links: readonly ChainLink[]
  /** undefined: it has a gate. */
  readonly source: TaskSource | undefined
  readonly checkpoints: TaskCheckpoints
  readonly end: TaskEnd
  readonly measures: TaskMeasures
  readonly timers: TaskTimers
  /** Retries of commits: they run whatever the task waits for. */
  readonly commitTimers: TaskTimers
  readonly accumulators = new Map<string, { value: number }>()
  readonly collectAcks = new Map<string, (count: number) => void>()
  state: TaskState = 'INITIALIZING'
  /** Of a task that has failed. */
  #closing: Promise<void> | undefined
  readonly #operators: BaseOperator[]
  #flushAtMs: number | undefined
  /** The last turn could not take input, or could do nothing at all: what was due must not keep the loop awake. */
  #stalled: 'no' | 'input' | 'all' = 'no'
  #failure: unknown
  #opened = 0
  #worked = false
  readonly #paused = () => this.isBusy() || this.options.overflow.size > 0

  constructor(options: TaskOptions) {
    this.options = options
    this.vertexId = options.vertex.id
    this.subtask = options.subtask
    this.timers = new TaskTimers(options.clock)
    this.commitTimers = new TaskTimers(options.clock)
    this.links = options.chain.links
    this.#operators = this.links.map((link) => link.operator)
    const head = options.gate === undefined ? (this.#operators[0] as SourceOperator) : undefined
    this.source = head && new TaskSource(this, head, options.restored?.finished === true)
    this.checkpoints = new TaskCheckpoints(this)
    this.end = new TaskEnd(this)
    this.measures = new TaskMeasures(options, head)
  }

  get name(): string {
    return this.options.vertex.name
  }

  /** The receiver of input records: what the gate's readers push into. */
  static headOf(chain: Chain): BaseOperator {
    return chain.links[0]!.operator
  }

  /** Opens the operators, the last first, so that each finds its receiver ready. Goes no further once the task was cancelled. */
  async open(): Promise<void> {
    const { vertex, attempt, page } = this.options
    for (let i = this.links.length - 1; i >= 0; i--) {
      if (this.state !== 'INITIALIZING') return
      const link = this.links[i]!
      const info: TaskInfo = {
        taskName: vertex.name,
        operatorName: link.name,
        subtaskIndex: this.subtask,
        parallelism: vertex.parallelism,
        maxParallelism: vertex.maxParallelism,
        attemptNumber: attempt,
      }
      const metrics = page.operator(this.vertexId, this.subtask, link.operatorId)
      this.#opened++
      try {
        await link.operator.open(createOperatorContext(this, link, info, metrics))
      } catch (error) {
        throw attributeError(error, this, link)
      }
    }
    if (this.state !== 'INITIALIZING') return
    page.flushNames()
    this.#setState('RUNNING')
  }

  // --- the turn

  /** Does a bounded amount of work; true when there was any. `nowMs` is clock.monotonic(). */
  turn(nowMs: number): boolean {
    if (this.state !== 'RUNNING') return false
    const { measures } = this
    measures.spend(measures.doing, nowMs)
    this.#worked = false
    const { page, base } = measures.metrics
    let worked = false
    page[base + T.isInTurn] = 1
    try {
      worked = this.#work(nowMs)
    } catch (error) {
      this.fail(error)
      return true
    } finally {
      page[base + T.isInTurn] = 0
    }
    this.#worked = worked
    return worked
  }

  #work(nowMs: number): boolean {
    if (this.#failure !== undefined) throw this.#failure
    const { checkpoints, end, measures, source } = this
    const { writers, overflow } = this.options
    let worked = checkpoints.step()
    if (this.commitTimers.run(nowMs)) worked = true
    measures.doing = 'idle'
    this.#stalled = 'no'
    if (overflow.size > 0) {
      const before = overflow.size
      for (const writer of writers) writer.drain()
      if (overflow.size > 0) {
        measures.doing = 'backPressured'
        this.#stalled = 'all'
        for (const writer of writers) writer.blocked()
        for (const writer of writers) writer.drain()
      }
      // A task that waits for credit lets its thread sleep: the credit wakes it.
      if (overflow.size < before) worked = true
      if (overflow.size > 0) {
        // A barrier may pass where records may not.
        return checkpoints.takeTrigger() || worked
      }
    }
    if (end.phase !== 'no') {
      this.#stalled = 'all'
      return end.step() || worked
    }
    if (checkpoints.suspended) {
      this.#stalled = 'all'
      // No records come behind this barrier, but reports of sinks may (operators/committable-sender.ts).
      return this.takeInput() || worked
    }
    if (checkpoints.takeTrigger()) {
      worked = true
      // Nothing is read behind a barrier that suspends the job.
      if (checkpoints.suspended) return true
    }
    if (this.timers.run(nowMs)) worked = true
    if (this.isBusy()) {
      for (const operator of this.#operators) if (operator.busy) operator.resume()
      worked = true
    } else if (this.#blocked()) {
      measures.doing = 'backPressured'
      this.#stalled = 'input'
    } else if (this.#pending()) {
      this.#stalled = 'input'
    } else {
      worked = (source === undefined ? this.#takeGate() : source.poll(nowMs)) || worked
    }
    this.#flushAtMs = undefined
    for (const writer of writers) {
      if (!worked) writer.proposeEarly()
      const dueMs = writer.flushDue(nowMs)
      if (dueMs !== undefined && (this.#flushAtMs === undefined || dueMs < this.#flushAtMs)) this.#flushAtMs = dueMs
    }
    return worked
  }

  #takeGate(): boolean {
    const gate = this.options.gate!
    const took = gate.take(this.#paused)
    if (gate.dataEnded && !this.isBusy()) {
      this.end.begin()
      return true
    }
    return took
  }

  /** Takes what is in the gate, if there is one; true when there was something. */
  takeInput(): boolean {
    return this.options.gate?.take(this.#paused) ?? false
  }

  /** Its operators have long work under way. */
  isBusy(): boolean {
    for (const operator of this.#operators) if (operator.busy) return true
    return false
  }

  #pending(): boolean {
    for (const operator of this.#operators) if (operator.pending()) return true
    return false
  }

  #blocked(): boolean {
    for (const writer of this.options.writers) if (writer.blocked()) return true
    return false
  }

  /** Cheap form for operators with long work. */
  outputBlocked(): boolean {
    return this.options.overflow.size > 0
  }

  /**
   * The turn is over. Its time was busy if there was work; the time to the next turn is what the task waits for: the thread while it has
   * more to do, credit, or input. So tasks of a slot that is used up are all busy, and one that keeps up is not.
   */
  endTurn(nowMs: number): void {
    const { measures } = this
    if (this.#worked) measures.spend('busy', nowMs)
    if (measures.doing === 'idle' && this.#worked && this.#hasMore()) measures.doing = 'busy'
  }

  #hasMore(): boolean {
    return this.source === undefined ? this.options.gate!.hasInput() || this.isBusy() : !this.source.isIdle
  }

  // --- the end

  /** All output has left. */
  finish(): void {
    this.measures.publish()
    void this.#close().then(() => {
      if (this.state !== 'RUNNING') return
      const accumulators = Object.fromEntries([...this.accumulators].map(([name, cell]) => [name, cell.value]))
      this.#setState('FINISHED', { accumulators })
      this.options.wakeSlot()
    })
  }

  /** Ends the task with an error; the operators are closed. */
  fail(error: unknown): void {
    if (this.state !== 'RUNNING' && this.state !== 'INITIALIZING') return
    const attributed = attributeError(error, this)
    this.measures.publish()
    this.#setState('FAILED', { error: errorToData(attributed, 'TR-TASK-001') })
    this.#closing = this.#close()
  }

  /** Fails the task at its next turn; for callbacks that run outside of it. */
  failLater(error: unknown, link: ChainLink): void {
    this.#failure ??= attributeError(error, this, link)
    this.options.wakeSlot()
  }

  /** Resolves when it is closed, also when it has failed before. */
  async cancel(): Promise<void> {
    this.checkpoints.cancel()
    if (this.state !== 'RUNNING' && this.state !== 'INITIALIZING') return this.#closing
    this.#setState('CANCELED')
    await this.#close()
  }

  /** Closes what was opened. Errors of closing are of no use to anyone once the task has ended: the first cause counts. */
  async #close(): Promise<void> {
    for (let i = this.links.length - 1; i >= this.links.length - this.#opened; i--) {
      try {
        await this.#operators[i]!.close()
      } catch (error) {
        if (this.state === 'RUNNING') this.fail(attributeError(error, this, this.links[i]))
      }
    }
    this.#opened = 0
    this.options.overflow.close()
  }

  #setState(state: TaskState, more: Partial<Extract<FromSlot, { type: 'taskState' }>> = {}): void {
    this.state = state
    this.options.post({ type: 'taskState', vertexId: this.vertexId, subtask: this.subtask, state, ...more })
  }

  get atEnd(): boolean {
    return this.state === 'FINISHED' || this.state === 'CANCELED' || this.state === 'FAILED'
  }

  // --- what others say

  wake(): void {
    if (this.source !== undefined) this.source.isIdle = false
    this.options.wakeSlot()
  }

  /** Of a source: to be asked again then, by clock.monotonic(). */
  wakeAt(monotonicMs: number): void {
    if (this.source !== undefined && monotonicMs < this.source.wakeAtMs) this.source.wakeAtMs = monotonicMs
  }

  /** Does something that is not part of a turn, and wakes the task; what it throws fails the task. */
  guard(action: () => void): void {
    try {
      if (this.state === 'RUNNING') action()
      this.wake()
    } catch (error) {
      this.fail(error)
    }
  }

  setEdgeType(edgeId: number, type: TypeDescription): void {
    for (const writer of this.options.writers) if (writer.options.edgeId === edgeId) writer.setType(type)
  }

  /** When the next turn is due though nothing happens, by clock.monotonic(); Infinity: never. */
  nextTurnMs(nowMs: number): number {
    if (this.state !== 'RUNNING') return Number.POSITIVE_INFINITY
    const commitsMs = nowMs + this.commitTimers.dueInMs(nowMs)
    if (this.#stalled === 'all') return commitsMs
    let next = this.source === undefined || this.#stalled === 'input' ? Number.POSITIVE_INFINITY : this.source.wakeAtMs
    if (this.#flushAtMs !== undefined && this.#flushAtMs < next) next = this.#flushAtMs
    return Math.min(next, commitsMs, nowMs + this.timers.dueInMs(nowMs))
  }

  /** Only a callback of the event loop can bring work: a source's read, a sink's write, an asynchronous finish. */
  get waitsForCallback(): boolean {
    if (this.state !== 'RUNNING') return false
    if (this.end.phase === 'operators') return true
    return this.source === undefined ? this.#pending() : this.source.waitsForCallback
  }

  /** The combined watermark of the gate moved. */
  inputWatermark(timestampMs: number): void {
    const head = this.#operators[0]!
    const { page } = this.measures.metrics
    for (const operator of this.#operators) {
      const metrics = operator.context.metrics
      page[metrics.base + O.currentInputWatermark] = timestampMs
      page[metrics.base + O.currentOutputWatermark] = timestampMs
    }
    head.watermark(timestampMs)
  }
}
