/**
 * Functions of two connected streams without keys: map, flatMap, process [T-03]. Results have the timestamp of the record that caused them.
 */
import { hotCopy } from '../core/hot-copy.ts'
import type { Call, CoOptions } from './co-calls.ts'
import type { OperatorContext, Receiver } from './operator.ts'
import type { ProcessCalls } from './process-calls.ts'
import { OperatorInput, TwoInputOperator } from './two-input.ts'

class First extends OperatorInput {
  calls!: ProcessCalls
  call!: Call
  override process(value: any, timestamp: number): void {
    const { calls } = this
    calls.out.timestamp = timestamp
    this.call(value, calls, calls.out)
  }
}

class Second extends OperatorInput {
  calls!: ProcessCalls
  call!: Call
  override process(value: any, timestamp: number): void {
    const { calls } = this
    calls.out.timestamp = timestamp
    this.call(value, calls, calls.out)
  }
}

export class Operator extends TwoInputOperator {
  readonly #options: CoOptions
  readonly #first = new First(this, 0)
  readonly #second = new Second(this, 1)
  #calls: ProcessCalls | undefined

  constructor(options: CoOptions) {
    super(options.fn)
    this.#options = options
  }
  override input(index: number): Receiver {
    return index === 0 ? this.#first : this.#second
  }
  override async open(context: OperatorContext): Promise<void> {
    const [{ ProcessCalls }, { firstCall, secondCall }] = await Promise.all([
      hotCopy<typeof import('./process-calls.ts')>('operators/process-calls', context.copy),
      hotCopy<typeof import('./co-calls.ts')>('operators/co-calls', context.copy),
    ])
    const calls = new ProcessCalls(context, this.next)
    this.#calls = this.#first.calls = this.#second.calls = calls
    this.#first.call = firstCall(this.#options)
    this.#second.call = secondCall(this.#options)
    await super.open(context)
  }
  override watermark(timestampMs: number): void {
    this.#calls!.watermarkMs = timestampMs
    this.next.watermark(timestampMs)
  }
  override publish(): void {
    this.#calls?.publish()
  }
}
