/**
 * Lets records pass for which the function answers true.
 *
 * Hot module: loaded once per operator (core/hot-copy.ts).
 */
import type { FilterFunction, RichFunction } from '../core/functions.ts'
import { O } from '../metrics/page.ts'
import { BaseOperator, type OperatorContext } from './operator.ts'

export class Operator extends BaseOperator {
  readonly fn: (value: any) => boolean
  readonly #rich: RichFunction | undefined
  passed = 0

  constructor({ fn }: { fn: FilterFunction<any> }) {
    super()
    this.fn = typeof fn === 'function' ? fn : fn.filter.bind(fn)
    this.#rich = typeof fn === 'function' ? undefined : fn
  }
  override open(context: OperatorContext): void | Promise<void> {
    super.open(context)
    return this.#rich?.open?.(context.runtime)
  }
  process(value: any, timestamp: number): void {
    if (!this.fn(value)) return
    this.passed++
    this.next.process(value, timestamp)
  }
  override publish(): void {
    const { page, base } = this.context.metrics
    page[base + O.numRecordsOut]! += this.passed
    this.passed = 0
  }
  override finish(): void {
    this.#rich?.finish?.()
  }
  override close(): void | Promise<void> {
    return this.#rich?.close?.()
  }
}
