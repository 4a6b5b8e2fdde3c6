/** Base of two-input operators with keys: state and timers of a key are shared by both inputs. What holds is said in keyed-calls.ts. */
import { hotCopy } from '../core/hot-copy.ts'
import type { KeyedCalls, TimerCall } from './keyed-calls.ts'
import type { OperatorContext, SnapshotWriter } from './operator.ts'
import type { OperatorState } from './operator-state.ts'
import { TwoInputOperator } from './two-input.ts'

export abstract class KeyedTwoInputOperator extends TwoInputOperator {
  calls!: KeyedCalls

  protected async openCalls(context: OperatorContext, onTimer: TimerCall): Promise<KeyedCalls> {
    const { KeyedCalls } = await hotCopy<typeof import('./keyed-calls.ts')>('operators/keyed-calls', context.copy)
    this.calls = await KeyedCalls.open(context, this.next, onTimer, () => this.resume())
    return this.calls
  }

  /** Opens the function, then gives it back its state. */
  protected async openFunction(context: OperatorContext, state?: OperatorState): Promise<void> {
    await super.open(context, this.calls.runtime, state)
    await this.calls.restore()
  }

  override snapshot(writer: SnapshotWriter): void {
    super.snapshot(writer)
    this.calls.snapshot(writer)
  }
  override watermark(timestampMs: number): void {
    this.busy = this.calls.watermark(timestampMs)
  }
  override status(idle: boolean): void {
    this.calls.status(idle)
  }
  override resume(): void {
    this.busy = this.calls.fire()
  }
  override publish(): void {
    this.calls?.publish()
  }
  override finish(): void {
    this.calls.leaveKey()
    super.finish()
  }
  override close(): void | Promise<void> {
    this.calls?.close()
    return super.close()
  }
}
