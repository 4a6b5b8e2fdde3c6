/**
 * A ProcessFunction on a stream that is not keyed: one record in, any number out, side outputs, no timers.
 *
 * Hot module: loaded once per operator (core/hot-copy.ts).
 */
import { TailraceError } from '../core/errors.ts'
import type { Collector, ProcessContext, ProcessFunction, TimerService } from '../core/functions.ts'
import type { OutputTag } from '../core/output-tag.ts'
import { O } from '../metrics/page.ts'
import { BaseOperator, type OperatorContext } from './operator.ts'

export class Operator extends BaseOperator implements Collector<any>, ProcessContext {
  readonly #fn: ProcessFunction<any, any>
  readonly timerService: TimerService
  #timestamp = -Infinity
  #watermarkMs = -Infinity
  #emitted = 0

  constructor({ fn }: { fn: ProcessFunction<any, any> }) {
    super()
    this.#fn = fn
    const refuse = (): never => {
      throw new TailraceError(
        'TR-STATE-002',
        `Cannot use a timer in "${this.context.task.operatorName}": timers belong to a key. Call keyBy() before it and use a KeyedProcessFunction`,
      )
    }
    this.timerService = {
      currentProcessingTime: () => this.context.clock.now(),
      currentWatermark: () => this.#watermarkMs,
      registerEventTimeTimer: refuse,
      registerProcessingTimeTimer: refuse,
      deleteEventTimeTimer: refuse,
      deleteProcessingTimeTimer: refuse,
    }
  }
  override open(context: OperatorContext): void | Promise<void> {
    super.open(context)
    return this.#fn.open?.(context.runtime)
  }
  process(value: any, timestamp: number): void {
    this.#timestamp = timestamp
    this.#fn.processElement(value, this, this)
  }
  override watermark(timestampMs: number): void {
    this.#watermarkMs = timestampMs
    this.next.watermark(timestampMs)
  }
  collect(value: any): void {
    this.#emitted++
    this.next.process(value, this.#timestamp)
  }
  timestamp(): number | null {
    return this.#timestamp === -Infinity ? null : this.#timestamp
  }
  output<X>(tag: OutputTag<X>, value: X): void {
    const receiver = this.context.sideOutput(tag.id)
    if (receiver === undefined) return
    this.context.metrics.add('numRecordsSideOutput', 1)
    receiver.process(value, this.#timestamp)
  }
  override publish(): void {
    const { page, base } = this.context.metrics
    page[base + O.numRecordsOut]! += this.#emitted
    this.#emitted = 0
  }
  override finish(): void {
    this.#fn.finish?.()
  }
  override close(): void | Promise<void> {
    return this.#fn.close?.()
  }
}
