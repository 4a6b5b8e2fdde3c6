/**
 * One record in, any number out: what the function returns (an iterable) and what it gives to its collector, all with the record's timestamp.
 *
 * Hot module: loaded once per operator (core/hot-copy.ts).
 */
import type { Collector, FlatMapFunction, RichFunction } from '../core/functions.ts'
import { O } from '../metrics/page.ts'
import { BaseOperator, type OperatorContext } from './operator.ts'

export class Operator extends BaseOperator implements Collector<any> {
  readonly fn: (value: any, out: Collector<any>) => Iterable<any> | void
  readonly #rich: RichFunction | undefined
  timestamp = -Infinity
  emitted = 0

  constructor({ fn }: { fn: FlatMapFunction<any, any> }) {
    super()
    this.fn = typeof fn === 'function' ? fn : fn.flatMap.bind(fn)
    this.#rich = typeof fn === 'function' ? undefined : fn
  }
  override open(context: OperatorContext): void | Promise<void> {
    super.open(context)
    return this.#rich?.open?.(context.runtime)
  }
  process(value: any, timestamp: number): void {
    this.timestamp = timestamp
    const results = this.fn(value, this)
    if (results !== undefined) this.emitAll(results, timestamp)
  }
  emitAll(results: Iterable<any>, timestamp: number): void {
    const next = this.next
    if (Array.isArray(results)) {
      for (let i = 0; i < results.length; i++) next.process(results[i], timestamp)
      this.emitted += results.length
    } else {
      for (const result of results) {
        next.process(result, timestamp)
        this.emitted++
      }
    }
  }
  collect(value: any): void {
    this.emitted++
    this.next.process(value, this.timestamp)
  }
  override publish(): void {
    const { page, base } = this.context.metrics
    page[base + O.numRecordsOut]! += this.emitted
    this.emitted = 0
  }
  override finish(): void {
    this.#rich?.finish?.()
  }
  override close(): void | Promise<void> {
    return this.#rich?.close?.()
  }
}
