/**
 * ProcessFunction on a stream that is not keyed: timestamps and side outputs, no state, no timers.
 */
import type { ProcessFunction } from '../core/functions.ts'
import { hotCopy } from '../core/hot-copy.ts'
import { FunctionOperator } from './function-operator.ts'
import type { OperatorContext } from './operator.ts'
import type { ProcessCalls } from './process-calls.ts'

export class Operator extends FunctionOperator {
  readonly fn: ProcessFunction<any, any>
  calls!: ProcessCalls

  constructor({ fn }: { fn: ProcessFunction<any, any> }) {
    super(fn)
    this.fn = fn
  }
  override async open(context: OperatorContext): Promise<void> {
    const { ProcessCalls } = await hotCopy<typeof import('./process-calls.ts')>('operators/process-calls', context.copy)
    this.calls = new ProcessCalls(context, this.next)
    await super.open(context)
  }
  override process(value: any, timestamp: number): void {
    const { calls } = this
    calls.out.timestamp = timestamp
    this.fn.processElement(value, calls, calls.out)
  }
  override watermark(timestampMs: number): void {
    this.calls.watermarkMs = timestampMs
    this.next.watermark(timestampMs)
  }
  override publish(): void {
    this.calls?.publish()
  }
}
