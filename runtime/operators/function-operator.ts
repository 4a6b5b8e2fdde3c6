/**
 * Base of operators that run a function of the author's: its life, its state that belongs to no key, and what it is told of checkpoints.
 */
import type { RuntimeContext } from '../core/functions.ts'
import { BaseOperator, type OperatorContext, type SnapshotWriter } from './operator.ts'
import type { OperatorState } from './operator-state.ts'
import { UserFunction } from './user-function.ts'

export abstract class FunctionOperator extends BaseOperator {
  readonly user: UserFunction

  /** `fn` is what the author passed: a lambda or an object. */
  constructor(fn: object) {
    super()
    this.user = new UserFunction(fn)
  }
  /** Operators that know more than the task give the function's `runtime` context, and the `state` that they share with it. */
  override open(context: OperatorContext, runtime?: RuntimeContext, state?: OperatorState): void | Promise<void> {
    super.open(context)
    return this.user.open(context, runtime, state)
  }
  override snapshot(writer: SnapshotWriter): void {
    this.user.snapshot(writer)
  }
  override notifyCheckpointComplete(checkpointId: number): void | Promise<void> {
    return this.user.notifyCheckpointComplete(checkpointId)
  }
  override notifyCheckpointAborted(checkpointId: number): void {
    this.user.notifyCheckpointAborted(checkpointId)
  }
  override finish(): void {
    this.user.finish()
  }
  override close(): void | Promise<void> {
    return this.user.close()
  }
}
