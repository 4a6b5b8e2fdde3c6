/**
 * What functions of keyed streams are called with: output, state and timers of the current key, side outputs [PF-01..PF-07].
 *
 * State: the backend's, and the timers (timers.ts), both by key. Before each call of a function its key is made current: the record's by
 * `setKey`, the timer's in `fire`.
 * Correctness: event timers up to a watermark fire before that watermark goes on [E-14], and idleness that comes with it follows; while a
 * burst is not over the operator is busy, so no record comes between. Timers of processing time that are pending at the end of the input
 * do not fire.
 *
 * Loaded once per operator (`hotCopy('operators/keyed-calls', n)`).
 */
import { NO_TIMESTAMP } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { Collector, Key, OnTimerContext, RuntimeContext, TimerService } from '../core/functions.ts'
import { hotCopy } from '../core/hot-copy.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type { HeapBackend } from '../state/heap/backend.ts'
import { keyedRuntime } from '../state/keyed-runtime.ts'
import type { OperatorContext, Receiver, SnapshotWriter } from './operator.ts'
import { SideOutputs } from './side-outputs.ts'
import type { TimeDomain, Timer, Timers } from './timers.ts'

/** Calls `onTimer` of the function. */
export type TimerCall = (timestampMs: number, context: Context, out: Collector<any>) => void

export class Output implements Collector<any> {
  readonly next: Receiver
  /** Of the record or timer that is being processed. */
  timestamp = NO_TIMESTAMP
  /** Records emitted since the last publish. */
  emitted = 0

  constructor(next: Receiver) {
    this.next = next
  }
  collect(value: any): void {
    this.emitted++
    this.next.process(value, this.timestamp)
  }
}

/** One for all calls; the function must not keep it. It is its own timer service: fewer objects to reach. */
export class Context implements OnTimerContext<any>, TimerService {
  timeDomain: TimeDomain = 'event'
  key: Key = 0
  keyHash = 0
  readonly timerService: TimerService = this
  readonly #operatorName: string
  readonly #clock: OperatorContext['clock']
  readonly #out: Output
  readonly #sides: SideOutputs
  readonly #timers: Timers
  /** False in open, finish, close and on a broadcast side: there is no key to register a timer for. */
  hasKey = false

  constructor(context: OperatorContext, out: Output, sides: SideOutputs, timers: Timers) {
    this.#operatorName = context.task.operatorName
    this.#clock = context.clock
    this.#out = out
    this.#sides = sides
    this.#timers = timers
  }

  timestamp(): number | null {
    const { timestamp } = this.#out
    return timestamp === NO_TIMESTAMP ? null : timestamp
  }
  getCurrentKey(): any {
    return this.key
  }
  output<X>(tag: OutputTag<X>, value: X): void {
    this.#sides.emit(tag, value, this.#out.timestamp)
  }

  currentProcessingTime(): number {
    return this.#clock.now()
  }
  currentWatermark(): number {
    return this.#timers.watermark
  }
  registerEventTimeTimer(timestampMs: number): void {
    this.#check(timestampMs)
    this.#timers.event.register(this.key, this.keyHash, timestampMs)
  }
  registerProcessingTimeTimer(timestampMs: number): void {
    this.#check(timestampMs)
    this.#timers.registerProcessing(this.key, this.keyHash, timestampMs)
  }
  deleteEventTimeTimer(timestampMs: number): void {
    this.#check(timestampMs)
    this.#timers.event.delete(this.key, this.keyHash, timestampMs)
  }
  deleteProcessingTimeTimer(timestampMs: number): void {
    this.#check(timestampMs)
    this.#timers.deleteProcessing(this.key, this.keyHash, timestampMs)
  }

  #check(timestampMs: number): void {
    if (!this.hasKey) {
      throw new TailraceError(
        'TR-STATE-002',
        `Cannot use timers of operator "${this.#operatorName}" here: no key is current, and a timer belongs to a key; use them in processElement or onTimer`,
      )
    }
    if (typeof timestampMs !== 'number' || Number.isNaN(timestampMs)) {
      throw new RangeError(
        `Cannot use a timer at ${String(timestampMs)} in operator "${this.#operatorName}": the time must be a number of milliseconds`,
      )
    }
  }
}

export class KeyedCalls {
  readonly out: Output
  readonly ctx: Context
  readonly backend: HeapBackend
  readonly timers: Timers
  /** For `open` of the function. */
  readonly runtime: RuntimeContext
  readonly #context: OperatorContext
  readonly #next: Receiver
  readonly #sides: SideOutputs
  readonly #call: TimerCall
  /** The watermark, and then the status, to forward when all timers have fired. */
  #pendingWatermark: number | undefined
  #pendingStatus: boolean | undefined
  /** Timers since the last publish. */
  #fired = 0

  /** `wake` is called when timers of processing time are due: call {@link fire}. */
  static async open(context: OperatorContext, next: Receiver, call: TimerCall, wake: () => void): Promise<KeyedCalls> {
    const [heap, timers] = await Promise.all([
      hotCopy<typeof import('../state/heap/backend.ts')>('state/heap/backend', context.copy),
      hotCopy<typeof import('./timers.ts')>('operators/timers', context.copy),
    ])
    return new KeyedCalls(context, next, call, wake, heap, timers)
  }

  private constructor(
    context: OperatorContext,
    next: Receiver,
    call: TimerCall,
    wake: () => void,
    heap: typeof import('../state/heap/backend.ts'),
    timers: typeof import('./timers.ts'),
  ) {
    this.#context = context
    this.#next = next
    this.#call = call
    this.#sides = new SideOutputs(context)
    this.out = new Output(next)
    this.backend = new heap.HeapBackend(context.task, context.clock)
    this.timers = new timers.Timers(context, (timer, domain) => this.#onTimer(timer, domain), wake)
    this.ctx = new Context(context, this.out, this.#sides, this.timers)
    this.runtime = keyedRuntime(context.runtime, this.backend)
  }

  /** A record of this key comes. */
  setKey(key: Key, keyHash: number, timestamp: number): void {
    const { ctx } = this
    ctx.key = key
    ctx.keyHash = keyHash
    ctx.hasKey = true
    this.out.timestamp = timestamp
    this.backend.setKey(key, keyHash)
  }

  /** No key is current. */
  leaveKey(): void {
    this.backend.unsetKey()
    this.ctx.hasKey = false
  }

  #onTimer(timer: Timer, domain: TimeDomain): void {
    this.setKey(timer.key, timer.keyHash, domain === 'event' ? timer.timestamp : NO_TIMESTAMP)
    this.ctx.timeDomain = domain
    this.#call(timer.timestamp, this.ctx, this.out)
    this.#fired++
  }

  /** True while timers are left: call {@link fire} until it gives false. */
  watermark(timestampMs: number): boolean {
    this.timers.watermark = timestampMs
    this.#pendingWatermark = timestampMs
    return this.fire()
  }

  status(idle: boolean): void {
    if (this.#pendingWatermark === undefined) this.#next.status(idle)
    else this.#pendingStatus = idle
  }

  /** Fires what is due; forwards the watermark when its timers have fired. True while timers are left. */
  fire(): boolean {
    if (!this.timers.fire()) return true
    const watermark = this.#pendingWatermark
    if (watermark === undefined) return false
    this.#pendingWatermark = undefined
    this.#next.watermark(watermark)
    if (this.#pendingStatus !== undefined) this.#next.status(this.#pendingStatus)
    this.#pendingStatus = undefined
    return false
  }

  snapshot(writer: SnapshotWriter): void {
    writer.later(this.backend.snapshot(writer))
    this.timers.snapshot(writer)
  }

  /** After `open` of the function, so that states are declared as the job has them now. */
  async restore(): Promise<void> {
    const { restored } = this.#context
    if (restored === undefined) return
    await this.backend.restore(restored)
    await this.timers.restore(restored)
  }

  publish(): void {
    const { metrics } = this.#context
    metrics.add('numRecordsOut', this.out.emitted + this.#sides.publish())
    metrics.add('numFiredTimers', this.#fired)
    this.out.emitted = 0
    this.#fired = 0
  }

  close(): void {
    this.timers.close()
    this.leaveKey()
  }
}
