/**
 * KeyedProcessFunction: state and timers of the record's key. What holds is said in keyed-calls.ts.
 */
import type { Key, KeyedProcessFunction } from '../core/functions.ts'
import { hotCopy } from '../core/hot-copy.ts'
import { FunctionOperator } from './function-operator.ts'
import type { KeyedCalls } from './keyed-calls.ts'
import type { KeyedOptions, OperatorContext, SnapshotWriter } from './operator.ts'

export class Operator extends FunctionOperator {
  readonly fn: KeyedProcessFunction<any, any, any>
  readonly keyOf: (value: any) => Key
  calls!: KeyedCalls

  constructor({ fn, keyOf }: KeyedOptions & { fn: KeyedProcessFunction<any, any, any> }) {
    super(fn)
    this.fn = fn
    this.keyOf = keyOf
  }

  override async open(context: OperatorContext): Promise<void> {
    const { fn } = this
    const { KeyedCalls } = await hotCopy<typeof import('./keyed-calls.ts')>('operators/keyed-calls', context.copy)
    this.calls = await KeyedCalls.open(
      context,
      this.next,
      (timestampMs, ctx, out) => fn.onTimer?.(timestampMs, ctx, out),
      () => this.resume(),
    )
    await super.open(context, this.calls.runtime)
    await this.calls.restore()
  }

  override process(value: any, timestamp: number, keyHash: number): void {
    const { calls } = this
    calls.setKey(this.keyOf(value), keyHash, timestamp)
    this.fn.processElement(value, calls.ctx, calls.out)
  }

  override beforeBatch(hashes: DataView, at: number, stride: number, count: number, bytes: number): void {
    this.calls.backend.beforeBatch(hashes, at, stride, count, bytes)
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
  override snapshot(writer: SnapshotWriter): void {
    super.snapshot(writer)
    this.calls.snapshot(writer)
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
