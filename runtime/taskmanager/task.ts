/**
 * One subtask of a vertex: input (a gate, or a source), a chain of operators, record writers. It never blocks: a turn does a bounded
 * amount of work and says whether there was any.
 *
 * A turn, in order: send overflow · run timers that are due · go on with long work (window fires) · take input, unless an operator is
 * pending, output is blocked, or long work is not done. So the overflow holds at most what the records in hand produce.
 *
 *   INITIALIZING → RUNNING → (finishing) → FINISHED
 *         any → FAILED | CANCELED
 *
 * finishing: operators (their `finish`) → data ended (with checkpoints: until one that holds the end is complete) → outputs
 *
 * A barrier passes between two turns' records: from the gate when it is aligned, or by a trigger at a source. What the coordinator sends a source
 * after a trigger waits until the barrier has passed, so nothing slips from one side of a checkpoint to the other [C-06].
 */
import type { Barrier } from '../core/checkpoint.ts'
import type { Clock } from '../core/clock.ts'
import { errorToData, isTailraceError, TailraceError } from '../core/errors.ts'
import type { TaskInfo } from '../core/functions.ts'
import type { CheckpointTimes } from '../core/sink.ts'
import type { SourceSplit } from '../core/source.ts'
import type { JobVertex } from '../graph/model.ts'
import { type MetricsPage, O, T, type TaskMetrics } from '../metrics/page.ts'
import type { BarrierAligner } from '../network/barrier-aligner.ts'
import type { InputGate } from '../network/input-gate.ts'
import type { Overflow } from '../network/overflow.ts'
import type { RecordWriter } from '../network/record-writer.ts'
import { BaseOperator, type RestoredState, type SourceOperator } from '../operators/operator.ts'
import type { FromSlot, FromSlotThread, TaskState } from '../rpc/slot-messages.ts'
import type { Chain, ChainLink } from './chain.ts'
import type { ChunkBuffers } from './chunk-buffers.ts'
import { createOperatorContext } from './operator-context.ts'
import { TaskSnapshot } from './task-snapshot.ts'
import { TaskTimers } from './task-timers.ts'

/** Records that a source may emit in one turn. */
const SOURCE_RECORDS_PER_TURN = 512

/** What a task spends its time with; the three add up to the time since it started. */
type Doing = 'busy' | 'idle' | 'backPressured'

/** What a task goes on from. */
export interface TaskRestore {
  /** It had ended its data: it has nothing to do but to commit what its state holds. */
  finished: boolean
  /** By operator id. */
  states: ReadonlyMap<string, RestoredState>
}

export interface TaskOptions {
  vertex: JobVertex
  subtask: number
  attempt: number
  clock: Clock
  parameters: Readonly<Record<string, string>>
  chain: Chain
  writers: RecordWriter[]
  /** undefined: the head is a source. */
  gate: InputGate | undefined
  overflow: Overflow
  page: MetricsPage
  /** The job takes checkpoints. */
  checkpointing: boolean
  checkpointTimes?: CheckpointTimes | undefined
  /** Of the job's checkpoints; undefined: nobody stores any. */
  ownerEpoch?: number | undefined
  buffers: ChunkBuffers
  restored: TaskRestore | undefined
  /** The gate's, to let go of a checkpoint that was given up. */
  aligner: BarrierAligner | undefined
  post(message: FromSlotThread, transfer?: ArrayBuffer[]): void
  /** Makes the slot take a turn soon. */
  wakeSlot(): void
}

export class Task {
  readonly vertexId: string
  readonly subtask: number
  readonly options: TaskOptions
  readonly timers: TaskTimers
  /** Retries of commits: they run whatever the task waits for. */
  readonly commitTimers: TaskTimers
  readonly accumulators = new Map<string, { value: number }>()
  readonly collectAcks = new Map<string, (count: number) => void>()
  state: TaskState = 'INITIALIZING'
  /** Of a task that has failed. */
  #closing: Promise<void> | undefined
  readonly #operators: BaseOperator[]
  readonly #links: readonly ChainLink[]
  readonly #source: SourceOperator | undefined
  readonly #metrics: TaskMetrics
  readonly #clock: Clock
  /** The source has nothing until someone wakes it. */
  #sourceIdle = false
  #sourceEnded = false
  #drained = false
  #wakeAtMs = Number.POSITIVE_INFINITY
  #flushAtMs: number | undefined
  /** The last turn could not take input, or could do nothing at all: what was due must not keep the loop awake. */
  #stalled: 'no' | 'input' | 'all' = 'no'
  #finishing: 'no' | 'operators' | 'data ended' | 'outputs' = 'no'
  readonly #snapshots: TaskSnapshot[] = []
  /** A source's checkpoint that waits for its turn. */
  #trigger: Barrier | undefined
  /** What came behind the trigger. */
  #behindTrigger: (() => void)[] = []
  /** First checkpoint whose barrier came after the end of the data; when it is complete the task is done. */
  #endCheckpoint: number | undefined
  /** The checkpoint behind which nothing more runs. */
  #suspendCheckpoint: number | undefined
  #failure: unknown
  #opened = 0
  #sinceMs: number
  /** What the time since #sinceMs is spent with. */
  #doing: Doing = 'idle'
  #worked = false
  readonly #paused = () => this.#headBusy() || this.options.overflow.size > 0

  constructor(options: TaskOptions) {
    this.options = options
    this.vertexId = options.vertex.id
    this.subtask = options.subtask
    this.#clock = options.clock
    this.timers = new TaskTimers(options.clock)
    this.commitTimers = new TaskTimers(options.clock)
    this.#links = options.chain.links
    this.#operators = this.#links.map((link) => link.operator)
    const head = this.#operators[0]!
    this.#source = options.gate === undefined ? (head as SourceOperator) : undefined
    this.#sourceEnded = options.restored?.finished === true
    this.#metrics = options.page.task(this.vertexId, this.subtask)
    this.#sinceMs = options.clock.monotonic()
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
    for (let i = this.#links.length - 1; i >= 0; i--) {
      if (this.state !== 'INITIALIZING') return
      const link = this.#links[i]!
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
        throw this.#attribute(error, link)
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
    this.#spend(this.#doing, nowMs)
    this.#worked = false
    const { page, base } = this.#metrics
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
    const { writers, overflow } = this.options
    let worked = this.#stepSnapshots()
    if (this.commitTimers.run(nowMs)) worked = true
    this.#doing = 'idle'
    this.#stalled = 'no'
    if (overflow.size > 0) {
      const before = overflow.size
      for (const writer of writers) writer.drain()
      if (overflow.size > 0) {
        this.#doing = 'backPressured'
        this.#stalled = 'all'
        for (const writer of writers) writer.blocked()
        for (const writer of writers) writer.drain()
      }
      // A task that waits for credit lets its thread sleep: the credit wakes it.
      if (overflow.size < before) worked = true
      if (overflow.size > 0) {
        // A barrier may pass where records may not.
        return this.#takeTrigger() || worked
      }
    }
    if (this.#finishing !== 'no') {
      this.#stalled = 'all'
      return this.#finishStep() || worked
    }
    if (this.#suspendCheckpoint !== undefined) {
      this.#stalled = 'all'
      // No records come behind this barrier, but reports of sinks may (operators/committable-sender.ts).
      return (this.options.gate?.take(this.#paused) ?? false) || worked
    }
    if (this.#takeTrigger()) {
      worked = true
      // Nothing is read behind a barrier that suspends the job.
      if (this.#suspendCheckpoint !== undefined) return true
    }
    if (this.timers.run(nowMs)) worked = true
    if (this.#headBusy()) {
      for (const operator of this.#operators) if (operator.busy) operator.resume()
      worked = true
    } else if (this.#blocked()) {
      this.#doing = 'backPressured'
      this.#stalled = 'input'
    } else if (this.#pending()) {
      this.#stalled = 'input'
    } else {
      worked = (this.#source === undefined ? this.#takeGate() : this.#pollSource(nowMs)) || worked
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
    if (gate.dataEnded && !this.#headBusy()) {
      this.#startFinishing()
      return true
    }
    return took
  }

  #pollSource(nowMs: number): boolean {
    if (this.#sourceEnded) {
      this.#startFinishing()
      return true
    }
    if (this.#sourceIdle) {
      if (nowMs < this.#wakeAtMs) return false
      this.#sourceIdle = false
    }
    if (nowMs >= this.#wakeAtMs) this.#wakeAtMs = Number.POSITIVE_INFINITY
    const status = this.#source!.poll(SOURCE_RECORDS_PER_TURN)
    if (status === 'idle') {
      this.#sourceIdle = this.#wakeAtMs > nowMs
      return false
    }
    if (status === 'end') this.#sourceEnded = true
    return true
  }

  #headBusy(): boolean {
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

  // --- the end

  #startFinishing(): void {
    this.#finishing = 'operators'
    const run = async () => {
      if (this.options.restored?.finished === true) return
      for (const link of this.#links) {
        try {
          await link.operator.finish()
        } catch (error) {
          throw this.#attribute(error, link)
        }
      }
    }
    run().then(
      () => {
        if (this.state !== 'RUNNING') return
        for (const writer of this.options.writers) writer.flushAll()
        if (this.#waitsAtEnd()) {
          for (const writer of this.options.writers) writer.dataEnd()
          this.#finishing = 'data ended'
          this.options.post({ type: 'dataEnded', vertexId: this.vertexId, subtask: this.subtask })
        } else this.#endOutputs()
        this.options.wakeSlot()
      },
      (error) => this.fail(error),
    )
  }

  /** For a checkpoint that holds the end: where any are taken, and behind a source that was told to end for a savepoint. */
  #waitsAtEnd(): boolean {
    const { checkpointing, gate } = this.options
    return checkpointing || this.#drained || (gate !== undefined && !gate.ended)
  }

  #endOutputs(): void {
    for (const writer of this.options.writers) writer.end()
    this.#finishing = 'outputs'
    this.options.wakeSlot()
  }

  #finishStep(): boolean {
    if (this.#finishing === 'data ended') return (this.options.gate?.take(this.#paused) ?? false) || this.#takeTrigger()
    // All output has left the overflow (checked before): nothing is left to send.
    if (this.#finishing !== 'outputs') return false
    this.publish()
    void this.close().then(() => {
      if (this.state !== 'RUNNING') return
      this.#setState('FINISHED', { accumulators: this.accumulatorValues() })
      this.options.wakeSlot()
    })
    this.#finishing = 'operators'
    return true
  }

  accumulatorValues(): Record<string, number> {
    return Object.fromEntries([...this.accumulators].map(([name, cell]) => [name, cell.value]))
  }

  /** Ends the task with an error; the operators are closed. */
  fail(error: unknown): void {
    if (this.state !== 'RUNNING' && this.state !== 'INITIALIZING') return
    const attributed = this.#attribute(error)
    this.publish()
    this.#setState('FAILED', { error: errorToData(attributed, 'TR-TASK-001') })
    this.#closing = this.close()
  }

  /** Fails the task at its next turn; for callbacks that run outside of it. */
  failLater(error: unknown, link: ChainLink): void {
    this.#failure ??= this.#attribute(error, link)
    this.options.wakeSlot()
  }

  /** Resolves when it is closed, also when it has failed before. */
  async cancel(): Promise<void> {
    for (const snapshot of this.#snapshots) snapshot.cancel()
    if (this.state !== 'RUNNING' && this.state !== 'INITIALIZING') return this.#closing
    this.#setState('CANCELED')
    await this.close()
  }

  /** Closes what was opened. Errors of closing are of no use to anyone once the task has ended: the first cause counts. */
  async close(): Promise<void> {
    for (let i = this.#links.length - 1; i >= this.#links.length - this.#opened; i--) {
      try {
        await this.#operators[i]!.close()
      } catch (error) {
        if (this.state === 'RUNNING') this.fail(this.#attribute(error, this.#links[i]!))
      }
    }
    this.#opened = 0
    this.options.overflow.close()
  }

  #setState(state: TaskState, more: Partial<Extract<FromSlot, { type: 'taskState' }>> = {}): void {
    this.state = state
    this.options.post({ type: 'taskState', vertexId: this.vertexId, subtask: this.subtask, state, ...more })
  }

  /** Adds the operator's name: given, or found by its copy number in the stack. */
  #attribute(error: unknown, link?: ChainLink): unknown {
    if (link === undefined && error instanceof Error) {
      for (const [, copy] of (error.stack ?? '').matchAll(/operators\/[\w-]+\.[jt]s\?n=(\d+)/g)) {
        link = this.#links.find((l) => l.copy === Number(copy))
        if (link !== undefined) break
      }
    }
    const operator = link?.name ?? this.name
    if (isTailraceError(error)) {
      error.operator ??= operator
      return error
    }
    const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return new TailraceError('TR-TASK-001', `The function of operator "${operator}" threw ${message}`, {
      cause: error,
      operator,
    })
  }

  // --- what the slot and the coordinator say

  wake(): void {
    this.#sourceIdle = false
    this.options.wakeSlot()
  }

  wakeAt(monotonicMs: number): void {
    if (monotonicMs < this.#wakeAtMs) this.#wakeAtMs = monotonicMs
  }

  addSplits(splits: SourceSplit[]): void {
    this.#inOrder(() => this.#source!.addSplits(splits))
  }
  noMoreSplits(): void {
    this.#inOrder(() => this.#source!.noMoreSplits())
  }
  handleEvent(event: unknown): void {
    this.#inOrder(() => this.#source!.handleEvent(event))
  }
  /** The source reads no more: its input ends here (stop-with-savepoint that drains). */
  drain(): void {
    this.#inOrder(() => {
      if (this.#finishing !== 'no') return
      this.#source!.end()
      this.#sourceEnded = true
      this.#drained = true
    })
  }

  #inOrder(action: () => void): void {
    if (this.#trigger === undefined) this.#guard(action)
    else this.#behindTrigger.push(action)
  }

  // --- checkpoints

  /** Takes a checkpoint when the turn allows it: for a source, and for a task whose inputs have all ended. */
  triggerCheckpoint(barrier: Barrier): void {
    const { vertexId, subtask } = this
    if (this.state !== 'RUNNING' || this.#finishing === 'outputs') {
      this.options.post({ type: 'checkpointDeclined', vertexId, subtask, checkpointId: barrier.checkpointId })
      return
    }
    // One after the other, and with what came between them.
    if (this.#trigger === undefined) this.#trigger = barrier
    else this.#behindTrigger.push(() => this.triggerCheckpoint(barrier))
    this.options.wakeSlot()
  }

  #takeTrigger(): boolean {
    const barrier = this.#trigger
    if (barrier === undefined || this.#headBusy()) return false
    if (this.options.gate !== undefined && !this.options.gate.ended) return false
    if (this.#finishing === 'operators' || (this.options.gate !== undefined && this.#finishing === 'no')) return false
    this.#trigger = undefined
    this.checkpoint(barrier, 0, Math.max(0, this.#clock.now() - barrier.timestampMs))
    this.#runBehindTrigger()
    return true
  }

  /** Up to the next trigger. */
  #runBehindTrigger(): void {
    const behind = this.#behindTrigger
    this.#behindTrigger = []
    for (let i = 0; i < behind.length; i++) {
      if (this.#trigger !== undefined) {
        this.#behindTrigger = behind.slice(i)
        return
      }
      this.#guard(behind[i]!)
    }
  }

  /** The barrier passes: what came before it is in the checkpoint. */
  checkpoint(barrier: Barrier, alignmentMs: number, startDelayMs: number): void {
    const { buffers, post, vertex, wakeSlot, writers } = this.options
    const finished = this.#finishing === 'data ended'
    const { page, base } = this.#metrics
    page[base + T.checkpointAlignmentTime] = alignmentMs * 1e6
    page[base + T.checkpointStartDelayNanos] = startDelayMs * 1e6
    for (const link of this.#links) {
      try {
        link.operator.prepareBarrier(barrier)
      } catch (error) {
        throw this.#attribute(error, link)
      }
    }
    for (const writer of writers) writer.barrier(barrier)
    const snapshot = new TaskSnapshot({
      barrier,
      vertexId: this.vertexId,
      subtask: this.subtask,
      maxParallelism: vertex.maxParallelism,
      clock: this.#clock,
      buffers,
      startDelayMs,
      alignmentMs,
      finished,
      post,
      wake: wakeSlot,
    })
    for (const link of this.#links) snapshot.take(link.operatorId, link.operator)
    snapshot.synchronousPartDone()
    this.#snapshots.push(snapshot)
    if (finished) this.#endCheckpoint ??= barrier.checkpointId
    if (barrier.then === 'suspend') this.#suspendCheckpoint = barrier.checkpointId
  }

  #stepSnapshots(): boolean {
    let worked = false
    for (let i = 0; i < this.#snapshots.length; ) {
      const step = this.#snapshots[i]!.step()
      if (step === 'done') this.#snapshots.splice(i, 1)
      else i++
      if (step !== 'waits') worked = true
    }
    return worked
  }

  checkpointComplete(checkpointId: number): void {
    if (this.state !== 'RUNNING') return
    const notified = this.#links.map(async (link) => {
      try {
        await link.operator.notifyCheckpointComplete(checkpointId)
      } catch (error) {
        throw this.#attribute(error, link)
      }
    })
    const holdsEnd = this.#endCheckpoint !== undefined && checkpointId >= this.#endCheckpoint
    const suspends = this.#suspendCheckpoint !== undefined && checkpointId >= this.#suspendCheckpoint
    Promise.all(notified).then(
      () => {
        if (this.state !== 'RUNNING' || !(holdsEnd || suspends)) return
        this.#endOutputs()
      },
      (error) => this.fail(error),
    )
  }

  checkpointAborted(checkpointId: number): void {
    if (this.state !== 'RUNNING') return
    this.options.aligner?.abort(checkpointId)
    if (this.#trigger?.checkpointId === checkpointId) {
      this.#trigger = undefined
      this.#runBehindTrigger()
    }
    for (const snapshot of this.#snapshots) if (snapshot.checkpointId === checkpointId) snapshot.cancel()
    if (this.#endCheckpoint === checkpointId) this.#endCheckpoint = undefined
    for (const { operator } of this.#links) operator.notifyCheckpointAborted(checkpointId)
    this.options.wakeSlot()
  }

  #guard(action: () => void): void {
    try {
      if (this.state === 'RUNNING') action()
      this.wake()
    } catch (error) {
      this.fail(error)
    }
  }

  setEdgeType(edgeId: number, type: import('../core/types.ts').TypeDescription): void {
    for (const writer of this.options.writers) if (writer.options.edgeId === edgeId) writer.setType(type)
  }

  /** When the next turn is due though nothing happens, by clock.monotonic(); Infinity: never. */
  nextTurnMs(nowMs: number): number {
    if (this.state !== 'RUNNING') return Number.POSITIVE_INFINITY
    const commitsMs = nowMs + this.commitTimers.dueInMs(nowMs)
    if (this.#stalled === 'all') return commitsMs
    let next = this.#source === undefined || this.#stalled === 'input' ? Number.POSITIVE_INFINITY : this.#wakeAtMs
    if (this.#flushAtMs !== undefined && this.#flushAtMs < next) next = this.#flushAtMs
    return Math.min(next, commitsMs, nowMs + this.timers.dueInMs(nowMs))
  }

  /** Only a callback of the event loop can bring work: a source's read, a sink's write, an asynchronous finish. */
  get waitsForCallback(): boolean {
    if (this.state !== 'RUNNING') return false
    if (this.#finishing === 'operators') return true
    if (this.#source !== undefined) return this.#sourceIdle && this.#wakeAtMs === Number.POSITIVE_INFINITY
    return this.#pending()
  }

  // --- metrics

  /**
   * The turn is over. Its time was busy if there was work; the time to the next turn is what the task waits for: the thread while it has
   * more to do, credit, or input. So tasks of a slot that is used up are all busy, and one that keeps up is not.
   */
  endTurn(nowMs: number): void {
    if (this.#worked) this.#spend('busy', nowMs)
    if (this.#doing === 'idle' && this.#worked && this.#hasMore()) this.#doing = 'busy'
  }

  #hasMore(): boolean {
    return this.#source === undefined ? this.options.gate!.hasInput() || this.#headBusy() : !this.#sourceIdle
  }

  #spend(doing: Doing, nowMs: number): void {
    const spentMs = nowMs - this.#sinceMs
    this.#sinceMs = nowMs
    const { page, base } = this.#metrics
    if (doing === 'busy') page[base + T.accumulateBusyTimeMs]! += spentMs
    else if (doing === 'idle') page[base + T.accumulateIdleTimeMs]! += spentMs
    else {
      page[base + T.accumulateBackPressuredTimeMs]! += spentMs
      this.#source?.blockedFor(spentMs)
    }
  }

  /** Moves counts into the shared page. */
  publish(): void {
    const { page, base } = this.#metrics
    const { gate, writers, overflow } = this.options
    if (gate !== undefined) {
      page[base + T.numRecordsIn] = gate.recordsIn
      page[base + T.numBytesIn] = gate.bytesIn
      page[base + T.numBuffersIn] = gate.buffersIn
      page[base + T.inputQueueLength] = gate.queued
    }
    let records = 0
    let bytes = 0
    let buffers = 0
    let deviating = 0
    let queued = 0
    for (const writer of writers) {
      records += writer.recordsOut
      bytes += writer.bytesOut
      buffers += writer.buffersOut
      deviating += writer.recordsDeviating
      queued += writer.queued
    }
    page[base + T.numRecordsOut] = records
    page[base + T.numBytesOut] = bytes
    page[base + T.numBuffersOut] = buffers
    page[base + T.numRecordsDeviating] = deviating
    page[base + T.outputQueueLength] = queued
    page[base + T.overflowBytes] = overflow.memoryBytes
    page[base + T.overflowBytesOnDisk] = overflow.diskBytes
    page[base + T.isBackPressured] = this.#doing === 'backPressured' ? 1 : 0
    let late = 0
    let fired = 0
    for (const link of this.#links) {
      const { operator } = link
      const metrics = operator.context?.metrics
      if (metrics === undefined) continue
      operator.publish()
      const at = metrics.base
      const input = this.#recordsInto(link)
      page[at + O.numRecordsIn] = input
      // An operator that can emit another number than it takes counts for itself.
      if (operator.publish === BaseOperator.prototype.publish) page[at + O.numRecordsOut] = input
      late += page[at + O.numLateRecordsDropped]!
      fired += page[at + O.numFiredTimers]!
    }
    page[base + T.numLateRecordsDropped] = late
    page[base + T.numFiredTimers] = fired
    const head = this.#operators[0]!.context?.metrics
    const tail = this.#operators.at(-1)!.context?.metrics
    if (head !== undefined) page[base + T.currentInputWatermark] = page[head.base + O.currentInputWatermark]!
    if (tail !== undefined) page[base + T.currentOutputWatermark] = page[tail.base + O.currentOutputWatermark]!
  }

  #recordsInto({ parent, fedBySide }: ChainLink): number {
    if (parent < 0) return this.options.gate?.recordsIn ?? 0
    if (fedBySide !== undefined) return fedBySide.records
    const feeder = this.#operators[parent]!
    if (feeder.context === undefined) return 0
    const { page, base } = feeder.context.metrics
    // Operators count side outputs among their output; a source does not: there they are no records.
    const sides = feeder === this.#source ? 0 : page[base + O.numRecordsSideOutput]!
    return page[base + O.numRecordsOut]! - sides
  }

  /** The combined watermark of the gate moved. */
  inputWatermark(timestampMs: number): void {
    const head = this.#operators[0]!
    const { page } = this.#metrics
    for (const operator of this.#operators) {
      const metrics = operator.context.metrics
      page[metrics.base + O.currentInputWatermark] = timestampMs
      page[metrics.base + O.currentOutputWatermark] = timestampMs
    }
    head.watermark(timestampMs)
  }

  get atEnd(): boolean {
    return this.state === 'FINISHED' || this.state === 'CANCELED' || this.state === 'FAILED'
  }
}
