/**
 * Functions of two connected streams with a common key: map, flatMap, process, with state and timers that both inputs share [T-03].
 */
import type { Key } from '../core/functions.ts'
import { hotCopy } from '../core/hot-copy.ts'
import type { Call, CoOptions } from './co-calls.ts'
import type { KeyedCalls } from './keyed-calls.ts'
import { KeyedTwoInputOperator } from './keyed-two-input.ts'
import type { OperatorContext, Receiver } from './operator.ts'
import { OperatorInput, type TwoInputOperator } from './two-input.ts'

type KeyOf = (value: any) => Key

abstract class KeyedInput extends OperatorInput {
  readonly keyOf: KeyOf
  calls!: KeyedCalls
  call!: Call

  constructor(operator: TwoInputOperator, index: number, keyOf: KeyOf) {
    super(operator, index)
    this.keyOf = keyOf
  }
  beforeBatch(hashes: DataView, at: number, stride: number, count: number, bytes: number): void {
    this.calls.backend.beforeBatch(hashes, at, stride, count, bytes)
  }
}

class First extends KeyedInput {
  override process(value: any, timestamp: number, keyHash: number): void {
    const { calls } = this
    calls.setKey(this.keyOf(value), keyHash, timestamp)
    this.call(value, calls.ctx, calls.out)
  }
}

class Second extends KeyedInput {
  override process(value: any, timestamp: number, keyHash: number): void {
    const { calls } = this
    calls.setKey(this.keyOf(value), keyHash, timestamp)
    this.call(value, calls.ctx, calls.out)
  }
}

export class Operator extends KeyedTwoInputOperator {
  readonly #options: CoOptions
  readonly #first: First
  readonly #second: Second

  constructor(options: CoOptions & { keyOf1: KeyOf; keyOf2: KeyOf }) {
    super(options.fn)
    this.#options = options
    this.#first = new First(this, 0, options.keyOf1)
    this.#second = new Second(this, 1, options.keyOf2)
  }
  override input(index: number): Receiver {
    return index === 0 ? this.#first : this.#second
  }
  override async open(context: OperatorContext): Promise<void> {
    const { firstCall, secondCall } = await hotCopy<typeof import('./co-calls.ts')>('operators/co-calls', context.copy)
    // Only process functions can register timers.
    const fn = this.#options.fn as { onTimer?: (...args: unknown[]) => void }
    const calls = await this.openCalls(context, (timestampMs, ctx, out) => fn.onTimer?.(timestampMs, ctx, out))
    this.#first.calls = this.#second.calls = calls
    this.#first.call = firstCall(this.#options)
    this.#second.call = secondCall(this.#options)
    await this.openFunction(context)
  }
}
