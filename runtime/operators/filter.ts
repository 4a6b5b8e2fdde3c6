/** Passes the records for which the function gives true; counts them, since they are fewer than those that come. */
import { FunctionOperator } from './function-operator.ts'

export class Operator extends FunctionOperator {
  readonly fn: (value: any) => boolean
  /** Records passed since the last {@link publish}. */
  passed = 0

  constructor({ fn }: { fn: any }) {
    super(fn)
    this.fn = typeof fn === 'function' ? fn : (value) => fn.filter(value)
  }
  override process(value: any, timestamp: number): void {
    if (!this.fn(value)) return
    this.passed++
    this.next.process(value, timestamp)
  }
  override publish(): void {
    this.context.metrics.add('numRecordsOut', this.passed)
    this.passed = 0
  }
}
