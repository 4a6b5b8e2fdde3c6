/**
 * ProcessFunction on a stream that is not keyed: timestamps and side outputs, no state, no timers.
 */
import { NO_TIMESTAMP } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { Collector, ProcessContext, ProcessFunction, TimerService } from '../core/functions.ts'
import type { OutputTag } from '../core/output-tag.ts'
import { BaseOperator, type OperatorContext, type Receiver } from './operator.ts'
import { SideOutputs } from './side-outputs.ts'
import { UserFunction } from './user-function.ts'

class Output implements Collector<any> {
  next!: Receiver
  recordTimestamp = NO_TIMESTAMP
  /** Records emitted since the last publish. */
  emitted = 0

  collect(value: any): void {
    this.emitted++
    this.next.process(value, this.recordTimestamp)
  }
}

/** One for all records; the function must not keep it. */
class Context implements ProcessContext {
  readonly timerService: TimerService
  readonly #out: Output
  readonly #sides: SideOutputs

  constructor(out: Output, sides: SideOutputs, timerService: TimerService) {
    this.#out = out
    this.#sides = sides
    this.timerService = timerService
  }
  timestamp(): number | null {
    const timestamp = this.#out.recordTimestamp
    return timestamp === NO_TIMESTAMP ? null : timestamp
  }
  output<X>(tag: OutputTag<X>, value: X): void {
    this.#sides.emit(tag, value, this.#out.recordTimestamp)
  }
}

export class Operator extends BaseOperator {
  readonly fn: ProcessFunction<any, any>
  readonly out = new Output()
  ctx!: ProcessContext
  currentWatermark = -Infinity
  #sides!: SideOutputs
  readonly #user: UserFunction

  constructor({ fn }: { fn: ProcessFunction<any, any> }) {
    super()
    this.fn = fn
    this.#user = new UserFunction(fn)
  }
  override open(context: OperatorContext): void | Promise<void> {
    super.open(context)
    this.out.next = this.next
    this.#sides = new SideOutputs(context)
    this.ctx = new Context(this.out, this.#sides, this.#timerService(context))
    return this.#user.open(context)
  }
  override process(value: any, timestamp: number): void {
    this.out.recordTimestamp = timestamp
    this.fn.processElement(value, this.ctx, this.out)
  }
  override watermark(timestampMs: number): void {
    this.currentWatermark = timestampMs
    this.next.watermark(timestampMs)
  }
  override publish(): void {
    this.context.metrics.add('numRecordsOut', this.out.emitted + this.#sides.publish())
    this.out.emitted = 0
  }
  override finish(): void {
    this.#user.finish()
  }
  override close(): void | Promise<void> {
    return this.#user.close()
  }

  #timerService(context: OperatorContext): TimerService {
    const refuse = (): never => {
      throw new TailraceError(
        'TR-STATE-002',
        `Cannot use timers in "${context.task.operatorName}": its stream is not keyed; call keyBy() before it and use a KeyedProcessFunction`,
      )
    }
    return {
      currentProcessingTime: () => context.clock.now(),
      currentWatermark: () => this.currentWatermark,
      registerEventTimeTimer: refuse,
      registerProcessingTimeTimer: refuse,
      deleteEventTimeTimer: refuse,
      deleteProcessingTimeTimer: refuse,
    }
  }
}
