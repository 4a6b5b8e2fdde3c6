/**
 * One record in, one out.
 *
 * Hot module: loaded once per operator (core/hot-copy.ts).
 */
import type { MapFunction, RichFunction } from '../core/functions.ts'
import { BaseOperator, type OperatorContext } from './operator.ts'

export class Operator extends BaseOperator {
  readonly fn: (value: any) => any
  readonly #rich: RichFunction | undefined

  constructor({ fn }: { fn: MapFunction<any, any> }) {
    super()
    this.fn = typeof fn === 'function' ? fn : fn.map.bind(fn)
    this.#rich = typeof fn === 'function' ? undefined : fn
  }
  override open(context: OperatorContext): void | Promise<void> {
    super.open(context)
    return this.#rich?.open?.(context.runtime)
  }
  process(value: any, timestamp: number): void {
    this.next.process(this.fn(value), timestamp)
  }
  override finish(): void {
    this.#rich?.finish?.()
  }
  override close(): void | Promise<void> {
    return this.#rich?.close?.()
  }
}
