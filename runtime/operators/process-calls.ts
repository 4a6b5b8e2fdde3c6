/**
 * What the functions of a stream without keys are called with: output, timestamps, side outputs, no state and no timers.
 *
 * Loaded once per operator (`hotCopy('operators/process-calls', n)`).
 */
import { NO_TIMESTAMP } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { Collector, ProcessContext, TimerService } from '../core/functions.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type { OperatorContext, Receiver } from './operator.ts'
import { SideOutputs } from './side-outputs.ts'

export class Output implements Collector<any> {
  readonly next: Receiver
  /** Of the record that is being processed. */
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

/** One for all records; the function must not keep it. */
export class ProcessCalls implements ProcessContext {
  readonly out: Output
  readonly timerService: TimerService
  watermarkMs = -Infinity
  readonly #context: OperatorContext
  readonly #sides: SideOutputs

  constructor(context: OperatorContext, next: Receiver) {
    this.out = new Output(next)
    this.#context = context
    this.#sides = new SideOutputs(context)
    this.timerService = this.#refusingTimers()
  }
  timestamp(): number | null {
    const { timestamp } = this.out
    return timestamp === NO_TIMESTAMP ? null : timestamp
  }
  output<X>(tag: OutputTag<X>, value: X): void {
    this.#sides.emit(tag, value, this.out.timestamp)
  }
  currentProcessingTime(): number {
    return this.#context.clock.now()
  }

  publish(): void {
    this.#context.metrics.add('numRecordsOut', this.out.emitted + this.#sides.publish())
    this.out.emitted = 0
  }

  #refusingTimers(): TimerService {
    const refuse = (): never => {
      throw new TailraceError(
        'TR-STATE-002',
        `Cannot use timers in "${this.#context.task.operatorName}": its stream is not keyed; call keyBy() before it and use a KeyedProcessFunction`,
      )
    }
    return {
      currentProcessingTime: () => this.currentProcessingTime(),
      currentWatermark: () => this.watermarkMs,
      registerEventTimeTimer: refuse,
      registerProcessingTimeTimer: refuse,
      deleteEventTimeTimer: refuse,
      deleteProcessingTimeTimer: refuse,
    }
  }
}
