/**
 * Rolling reduce on a keyed stream: each record is combined with the last result of its key, and every result is emitted. A key's
 * first record is its first result.
 *
 * State: one value per key. What is emitted is never the object that stays in state where the function gives back one of its
 * arguments: it may change that one at the next record, while the emitted one is still on its way.
 */
import type { ReduceFunction } from '../core/functions.ts'
import { hotCopy } from '../core/hot-copy.ts'
import { type ValueState, ValueStateDescriptor } from '../core/state.ts'
import type { HeapBackend } from '../state/heap/backend.ts'
import { keyedRuntime } from '../state/keyed-runtime.ts'
import { FunctionOperator } from './function-operator.ts'
import type { KeyedOptions, OperatorContext, SnapshotWriter } from './operator.ts'
import { shallowCopy } from './shallow-copy.ts'

/** No name that a rich reduce function would give to a state of its own. */
const STATE_NAME = 'tailrace:reduced'

export class Operator extends FunctionOperator {
  readonly keyOf: KeyedOptions['keyOf']
  readonly reduce: (a: any, b: any) => any
  backend!: HeapBackend
  state!: ValueState<any>

  constructor({ reduce, keyOf }: KeyedOptions & { reduce: ReduceFunction<any> }) {
    super(reduce)
    this.keyOf = keyOf
    this.reduce = typeof reduce === 'function' ? reduce : (a, b) => reduce.reduce(a, b)
  }

  override async open(context: OperatorContext): Promise<void> {
    const { HeapBackend } = await hotCopy<typeof import('../state/heap/backend.ts')>('state/heap/backend', context.copy)
    this.backend = new HeapBackend(context.task, context.clock)
    this.state = this.backend.getState(new ValueStateDescriptor(STATE_NAME))
    await super.open(context, keyedRuntime(context.runtime, this.backend))
    if (context.restored !== undefined) await this.backend.restore(context.restored)
  }

  override process(value: any, timestamp: number, keyHash: number): void {
    this.backend.setKey(this.keyOf(value), keyHash)
    const before = this.state.value()
    const result = before === undefined ? value : this.reduce(before, value)
    this.state.update(result)
    this.next.process(
      typeof result === 'object' && (result === before || result === value) ? shallowCopy(result) : result,
      timestamp,
    )
  }

  override snapshot(writer: SnapshotWriter): void {
    super.snapshot(writer)
    writer.later(this.backend.snapshot(writer))
  }

  override beforeBatch(hashes: DataView, at: number, stride: number, count: number, bytes: number): void {
    this.backend.beforeBatch(hashes, at, stride, count, bytes)
  }

  override finish(): void {
    this.backend.unsetKey()
    super.finish()
  }
}
