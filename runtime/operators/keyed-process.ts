/**
 * KeyedProcessFunction: state and timers of the record's key [PF-01..PF-07].
 *
 * State: the backend's, and the timers (timers.ts), both by key. Before each call of the function its key is made current: the
 * record's in processElement, the timer's in onTimer.
 * Correctness: event timers up to a watermark fire before that watermark goes on [E-14]; while a burst is not over the operator is
 * busy, so no record comes between. Timers of processing time that are pending at the end of the input do not fire.
 */
import { NO_TIMESTAMP } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { Collector, Key, KeyedProcessFunction, OnTimerContext, TimerService } from '../core/functions.ts'
import { hotCopy } from '../core/hot-copy.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type { HeapBackend } from '../state/heap/backend.ts'
import { keyedRuntime } from '../state/keyed-runtime.ts'
import {
  BaseOperator,
  type KeyedOptions,
  type OperatorContext,
  type Receiver,
  type SnapshotWriter,
} from './operator.ts'
import { SideOutputs } from './side-outputs.ts'
import type { TimeDomain, Timer, Timers } from './timers.ts'
import { UserFunction } from './user-function.ts'

class Output implements Collector<any> {
  next!: Receiver
  /** Of the record or timer that is being processed. */
  timestamp = NO_TIMESTAMP
  /** Records emitted since the last publish. */
  emitted = 0

  collect(value: any): void {
    this.emitted++
    this.next.process(value, this.timestamp)
  }
}

/** One for all calls; the function must not keep it. It is its own timer service: fewer objects to reach. */
class Context implements OnTimerContext<any>, TimerService {
  timeDomain: TimeDomain = 'event'
  key: Key = 0
  keyHash = 0
  readonly timerService: TimerService = this
  readonly #operatorName: string
  readonly #clock: OperatorContext['clock']
  readonly #out: Output
  readonly #sides: SideOutputs
  readonly #timers: Timers
  /** False in open, finish and close: there is no key to register a timer for. */
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

export class Operator extends BaseOperator {
  readonly fn: KeyedProcessFunction<any, any, any>
  readonly keyOf: (value: any) => Key
  readonly out = new Output()
  backend!: HeapBackend
  ctx!: Context
  timers!: Timers
  #sides!: SideOutputs
  /** The watermark to forward when all of its timers have fired. */
  #pendingWatermark: number | undefined
  /** Timers since the last publish. */
  #fired = 0
  readonly #user: UserFunction

  constructor({ fn, keyOf }: KeyedOptions & { fn: KeyedProcessFunction<any, any, any> }) {
    super()
    this.fn = fn
    this.keyOf = keyOf
    this.#user = new UserFunction(fn)
  }

  override async open(context: OperatorContext): Promise<void> {
    super.open(context)
    this.out.next = this.next
    this.#sides = new SideOutputs(context)
    const [heap, timers] = await Promise.all([
      hotCopy<typeof import('../state/heap/backend.ts')>('state/heap/backend', context.copy),
      hotCopy<typeof import('./timers.ts')>('operators/timers', context.copy),
    ])
    this.backend = new heap.HeapBackend(context.task)
    this.timers = new timers.Timers(
      context,
      (timer, domain) => this.#onTimer(timer, domain),
      () => this.resume(),
    )
    this.ctx = new Context(context, this.out, this.#sides, this.timers)
    await this.#user.open(context, keyedRuntime(context.runtime, this.backend))
    if (context.restored !== undefined) {
      // After open, so that states are declared as the job has them now.
      await this.backend.restore(context.restored)
      await this.timers.restore(context.restored)
    }
  }

  override process(value: any, timestamp: number, keyHash: number): void {
    const { ctx, out } = this
    const key = this.keyOf(value)
    ctx.key = key
    ctx.keyHash = keyHash
    ctx.hasKey = true
    out.timestamp = timestamp
    this.backend.setKey(key, keyHash)
    this.fn.processElement(value, ctx as any, out)
  }

  override beforeBatch(hashes: DataView, at: number, stride: number, count: number, bytes: number): void {
    this.backend.beforeBatch(hashes, at, stride, count, bytes)
  }

  #onTimer(timer: Timer, domain: TimeDomain): void {
    const { ctx, out } = this
    ctx.key = timer.key
    ctx.keyHash = timer.keyHash
    ctx.hasKey = true
    ctx.timeDomain = domain
    out.timestamp = domain === 'event' ? timer.timestamp : NO_TIMESTAMP
    this.backend.setKey(timer.key, timer.keyHash)
    this.fn.onTimer?.(timer.timestamp, ctx, out)
    this.#fired++
  }

  override watermark(timestampMs: number): void {
    this.timers.watermark = timestampMs
    this.#pendingWatermark = timestampMs
    this.resume()
  }

  /** Fires what is due; forwards the watermark when its timers have fired. */
  override resume(): void {
    this.busy = !this.timers.fire()
    if (this.busy || this.#pendingWatermark === undefined) return
    const watermark = this.#pendingWatermark
    this.#pendingWatermark = undefined
    this.next.watermark(watermark)
  }

  override snapshot(writer: SnapshotWriter): void {
    writer.later(this.backend.snapshot(writer))
    this.timers.snapshot(writer)
  }

  override publish(): void {
    const { metrics } = this.context
    metrics.add('numRecordsOut', this.out.emitted + this.#sides.publish())
    metrics.add('numFiredTimers', this.#fired)
    this.out.emitted = 0
    this.#fired = 0
  }

  override finish(): void {
    this.#leaveKey()
    this.#user.finish()
  }

  override close(): void | Promise<void> {
    this.timers?.close()
    this.#leaveKey()
    return this.#user.close()
  }

  #leaveKey(): void {
    this.backend?.unsetKey()
    if (this.ctx !== undefined) this.ctx.hasKey = false
  }
}
