/**
 * Drives one operator by hand: a context whose clock, timers, side outputs and metrics the test holds, and a receiver that writes
 * down what it is given. Nothing happens by itself: timers fire in {@link FakeContext.advance} and {@link FakeContext.advanceTo}.
 *
 * @example
 * const { operator, context, out } = await openOperator(new Operator({ fn: (n: number) => n + 1 }))
 * operator.process(1, 1000)
 * out.values // [2]
 */
import { ManualClock } from '../core/clock.ts'
import type { RuntimeContext, TaskInfo } from '../core/functions.ts'
import { MetricsPage, O, type OperatorMetricName, type OperatorMetrics } from '../metrics/page.ts'
import type { BaseOperator, OperatorContext, Receiver } from '../operators/operator.ts'
import { createRuntimeContext } from '../taskmanager/operator-context.ts'

export type ReceivedEvent =
  | { type: 'record'; value: any; timestamp: number; keyHash?: number }
  | { type: 'watermark'; timestamp: number }
  | { type: 'status'; idle: boolean }

/** Writes down every call, in order. */
export class CollectingReceiver implements Receiver {
  readonly events: ReceivedEvent[] = []

  process(value: any, timestamp: number, keyHash?: number): void {
    this.events.push(
      keyHash === undefined ? { type: 'record', value, timestamp } : { type: 'record', value, timestamp, keyHash },
    )
  }
  watermark(timestampMs: number): void {
    this.events.push({ type: 'watermark', timestamp: timestampMs })
  }
  status(idle: boolean): void {
    this.events.push({ type: 'status', idle })
  }

  get records(): { value: any; timestamp: number }[] {
    return this.events.filter((e) => e.type === 'record')
  }
  get values(): any[] {
    return this.records.map((r) => r.value)
  }
  get watermarks(): number[] {
    return this.events.filter((e) => e.type === 'watermark').map((e) => e.timestamp)
  }
  get statuses(): boolean[] {
    return this.events.filter((e) => e.type === 'status').map((e) => e.idle)
  }
  /** Forgets what was received; returns it. */
  take(): ReceivedEvent[] {
    return this.events.splice(0)
  }
}

export interface FakeContextOptions {
  operatorName?: string
  operatorId?: string
  /** From 0. */
  subtask?: number
  parallelism?: number
  maxParallelism?: number
  parameters?: Record<string, string>
  /** Both clocks begin here. */
  startMs?: number
  copy?: number
  /** Tags that have a consumer; undefined: all of them. */
  sideOutputs?: readonly string[]
  /** Replaces parts of the runtime context, such as `getState`. */
  runtime?: Partial<RuntimeContext>
  /** What the operator goes on from; see snapshots.ts. */
  restored?: OperatorContext['restored']
  /** Checkpoints are taken. */
  checkpointing?: boolean
  /** `task.attemptNumber`; 0 by default. */
  attempt?: number
  /** Of the job's checkpoints; 0 by default. */
  ownerEpoch?: number
}

/** An {@link OperatorContext} that a test holds in its hands. */
export class FakeContext implements OperatorContext {
  restored: OperatorContext['restored']
  checkpointing: boolean
  readonly ownerEpoch: number
  readonly task: TaskInfo
  readonly operatorId: string
  readonly clock: ManualClock
  readonly metrics: OperatorMetrics
  readonly runtime: RuntimeContext
  readonly copy: number
  /** What side outputs received, by tag id; an entry is made when the operator asks for the tag. */
  readonly sides = new Map<string, CollectingReceiver>()
  readonly printed: { stream: 'stdout' | 'stderr'; text: string }[] = []
  readonly collected: { collectId: string; values: unknown[] }[] = []
  readonly failures: unknown[] = []
  /** Told of a failure instead, while someone waits for the operator. */
  onFailure: ((error: unknown) => void) | undefined
  readonly sourceEvents: unknown[] = []
  splitRequests = 0
  wakes = 0
  /** Smallest time asked for by `wakeAt`; Infinity when none. */
  wakeAtMs = Infinity
  /** What `outputBlocked()` answers. */
  blocked = false
  readonly coordinator: OperatorContext['coordinator']
  readonly slot: OperatorContext['slot']
  /** Only timers of commits fire from now on. */
  inputEnded = false
  readonly #accumulators = new Map<string, { value: number }>()
  readonly #tags: ReadonlySet<string> | undefined
  readonly #timers = new Map<number, { timeMs: number; callback: (timeMs: number) => void; commits: boolean }>()
  readonly #acks = new Map<string, (count: number) => void>()
  #nextTimer = 1

  constructor(options: FakeContextOptions = {}) {
    const operatorName = options.operatorName ?? 'operator'
    const subtaskIndex = options.subtask ?? 0
    this.task = {
      taskName: operatorName,
      operatorName,
      subtaskIndex,
      parallelism: options.parallelism ?? 1,
      maxParallelism: options.maxParallelism ?? 128,
      attemptNumber: options.attempt ?? 0,
    }
    this.operatorId = options.operatorId ?? '0123456789abcdef0123456789abcdef'
    this.clock = new ManualClock(options.startMs ?? 0)
    this.metrics = new MetricsPage(MetricsPage.allocate(), () => {}).operator('vertex', subtaskIndex, this.operatorId)
    this.copy = options.copy ?? 0
    this.restored = options.restored
    this.checkpointing = options.checkpointing ?? false
    this.ownerEpoch = options.ownerEpoch ?? 0
    this.#tags = options.sideOutputs === undefined ? undefined : new Set(options.sideOutputs)
    this.runtime = {
      ...createRuntimeContext(options.parameters ?? {}, this.#accumulators, this.task, this.metrics),
      ...options.runtime,
    }
    this.coordinator = {
      requestSplit: () => {
        this.splitRequests++
      },
      sendEvent: (event) => {
        this.sourceEvents.push(event)
      },
      splitsHeld: () => {},
    }
    this.slot = {
      print: (stream, text) => {
        this.printed.push({ stream, text })
      },
      collected: (collectId, values) => {
        this.collected.push({ collectId, values })
      },
      onCollectAck: (collectId, onAck) => {
        this.#acks.set(collectId, onAck)
      },
    }
  }

  get accumulators(): Record<string, number> {
    return Object.fromEntries([...this.#accumulators].map(([name, cell]) => [name, cell.value]))
  }

  sideOutput(tagId: string): CollectingReceiver | undefined {
    if (this.#tags !== undefined && !this.#tags.has(tagId)) return undefined
    let side = this.sides.get(tagId)
    if (side === undefined) this.sides.set(tagId, (side = new CollectingReceiver()))
    return side
  }

  registerTimer(timeMs: number, callback: (timeMs: number) => void, commits = false): number {
    const handle = this.#nextTimer++
    this.#timers.set(handle, { timeMs, callback, commits })
    return handle
  }
  cancelTimer(handle: number): void {
    this.#timers.delete(handle)
  }
  registerCommitTimer(timeMs: number, callback: () => void): () => void {
    const handle = this.registerTimer(timeMs, callback, true)
    return () => this.cancelTimer(handle)
  }
  wake(): void {
    this.wakes++
  }
  wakeAt(monotonicMs: number): void {
    if (monotonicMs < this.wakeAtMs) this.wakeAtMs = monotonicMs
  }
  fail(error: unknown): void {
    if (this.onFailure === undefined) this.failures.push(error)
    else this.onFailure(error)
  }
  outputBlocked(): boolean {
    return this.blocked
  }

  /** Moves the clock and fires the timers that come due on the way, in the order of their times, each at its own time. */
  advance(ms: number): void {
    this.advanceTo(this.clock.now() + ms)
  }

  advanceTo(timeMs: number): void {
    while (this.fireNext(timeMs));
    this.clock.set(timeMs)
  }

  /** Fires the earliest timer, at its own time, if that is `timeMs` or earlier; false when there is none. */
  fireNext(timeMs: number): boolean {
    let due: number | undefined
    for (const [handle, timer] of this.#timers) {
      if (timer.timeMs > timeMs || (this.inputEnded && !timer.commits)) continue
      if (due === undefined || timer.timeMs < this.#timers.get(due)!.timeMs) due = handle
    }
    if (due === undefined) return false
    const { timeMs: at, callback } = this.#timers.get(due)!
    this.#timers.delete(due)
    if (at > this.clock.now()) this.clock.set(at)
    callback(at)
    return true
  }

  /** Times of the timers that are registered, ascending. */
  get timers(): number[] {
    return [...this.#timers.values()].map((t) => t.timeMs).sort((a, b) => a - b)
  }

  /** The program has taken `count` values of a collect sink. */
  acknowledge(collectId: string, count: number): void {
    this.#acks.get(collectId)?.(count)
  }

  /** A metric as it stands in the page; call `operator.publish()` first. */
  metric(name: OperatorMetricName): number {
    return this.metrics.page[this.metrics.base + O[name]]!
  }
}

export function fakeContext(options: FakeContextOptions = {}): FakeContext {
  return new FakeContext(options)
}

/** Opens an operator on a fake context with a {@link CollectingReceiver} behind it. */
export async function openOperator<Op extends BaseOperator>(
  operator: Op,
  options: FakeContextOptions = {},
): Promise<{ operator: Op; context: FakeContext; out: CollectingReceiver }> {
  const context = new FakeContext(options)
  const out = new CollectingReceiver()
  operator.next = out
  await operator.open(context)
  return { operator, context, out }
}
