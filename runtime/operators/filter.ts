/** Passes the records for which the function gives true; counts them, since they are fewer than those that come. */
import { BaseOperator, type OperatorContext } from './operator.ts'
import { UserFunction } from './user-function.ts'

export class Operator extends BaseOperator {
  readonly fn: (value: any) => boolean
  /** Records passed since the last {@link publish}. */
  passed = 0
  readonly #user: UserFunction

  constructor({ fn }: { fn: any }) {
    super()
    this.#user = new UserFunction(fn)
    this.fn = typeof fn === 'function' ? fn : (value) => fn.filter(value)
  }
  override open(context: OperatorContext): void | Promise<void> {
    super.open(context)
    return this.#user.open(context)
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
  override finish(): void {
    this.#user.finish()
  }
  override close(): void | Promise<void> {
    return this.#user.close()
  }
}
