/**
 * Base of operators with two inputs. Each input is a receiver of its own, so that a batch's records go straight into the code of their input:
 * nothing asks per record which one it is.
 *
 * Event time is that of both [E-10]: the least watermark of the inputs that are not idle; idle when both are. The operator's own `watermark` and
 * `status` are called with what comes out, as if there were one input. Records of the two come in any order.
 */
import type { RuntimeContext } from '../core/functions.ts'
import type { Gauge } from '../core/metrics.ts'
import { CombinedWatermark, type PartialWatermark } from './combined-watermark.ts'
import { FunctionOperator } from './function-operator.ts'
import type { BaseOperator, OperatorContext, Receiver } from './operator.ts'
import type { OperatorState } from './operator-state.ts'

/** Names of the gauges of an operator's inputs. */
export const INPUT_WATERMARKS = ['currentInput1Watermark', 'currentInput2Watermark'] as const

export abstract class TwoInputOperator extends FunctionOperator {
  /** Takes every combined watermark and gives it to {@link watermark}; the task puts itself here, as its metrics show them. */
  combinedTo: (timestampMs: number) => void = (timestampMs) => this.watermark(timestampMs)
  readonly #combined: CombinedWatermark
  readonly #parts: readonly [PartialWatermark, PartialWatermark]
  readonly #gauges: Gauge[] = []

  constructor(fn: object) {
    super(fn)
    this.#combined = new CombinedWatermark({
      watermark: (timestampMs) => this.combinedTo(timestampMs),
      status: (idle) => this.status(idle),
    })
    this.#parts = [this.#combined.add(), this.#combined.add()]
  }

  /** The receiver of an input: 0 or 1. */
  abstract input(index: number): Receiver

  override open(context: OperatorContext, runtime?: RuntimeContext, state?: OperatorState): void | Promise<void> {
    for (const name of INPUT_WATERMARKS) {
      const gauge = context.metrics.group.gauge(name)
      gauge.set(-Infinity)
      this.#gauges.push(gauge)
    }
    return super.open(context, runtime, state)
  }

  /** The watermark of an input; called by its receiver. */
  inputWatermark(index: number, timestampMs: number): void {
    this.#gauges[index]!.set(timestampMs)
    this.#combined.emit(this.#parts[index]!, timestampMs)
  }
  inputStatus(index: number, idle: boolean): void {
    this.#combined.setIdle(this.#parts[index]!, idle)
  }
  /** All records of an input have come; those of the other may go on. */
  endInput(_index: number): void {}

  override process(): void {
    throw new Error('The records of an operator with two inputs go into its inputs')
  }
}

export function isTwoInput(operator: BaseOperator): operator is TwoInputOperator {
  return 'combinedTo' in operator
}

/** What an input's records are pushed into. A subclass per input, with code of its own in the operator's module, has `process`. */
export abstract class OperatorInput implements Receiver {
  readonly #operator: TwoInputOperator
  readonly #index: number

  constructor(operator: TwoInputOperator, index: number) {
    this.#operator = operator
    this.#index = index
  }
  abstract process(value: any, timestamp: number, keyHash?: number): void
  watermark(timestampMs: number): void {
    this.#operator.inputWatermark(this.#index, timestampMs)
  }
  status(idle: boolean): void {
    this.#operator.inputStatus(this.#index, idle)
  }
}
