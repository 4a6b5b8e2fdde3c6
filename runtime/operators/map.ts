/** One record out for each record in, with the same timestamp. */
import { BaseOperator, type OperatorContext } from './operator.ts'
import { UserFunction } from './user-function.ts'

export class Operator extends BaseOperator {
  readonly fn: (value: any) => any
  readonly #user: UserFunction

  constructor({ fn }: { fn: any }) {
    super()
    this.#user = new UserFunction(fn)
    this.fn = typeof fn === 'function' ? fn : (value) => fn.map(value)
  }
  override open(context: OperatorContext): void | Promise<void> {
    super.open(context)
    return this.#user.open(context)
  }
  override process(value: any, timestamp: number): void {
    this.next.process(this.fn(value), timestamp)
  }
  override finish(): void {
    this.#user.finish()
  }
  override close(): void | Promise<void> {
    return this.#user.close()
  }
}
