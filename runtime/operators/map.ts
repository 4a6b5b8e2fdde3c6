/** One record out for each record in, with the same timestamp. */
import { FunctionOperator } from './function-operator.ts'

export class Operator extends FunctionOperator {
  readonly fn: (value: any) => any

  constructor({ fn }: { fn: any }) {
    super(fn)
    this.fn = typeof fn === 'function' ? fn : (value) => fn.map(value)
  }
  override process(value: any, timestamp: number): void {
    this.next.process(this.fn(value), timestamp)
  }
}
