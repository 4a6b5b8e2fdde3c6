/**
 * BroadcastProcessFunction: records without keys against broadcast state [B-01].
 *
 * State: one copy of each broadcast map per subtask (operator-state.ts), which the second input changes and the first reads.
 */
import type {
  BroadcastProcessFunction,
  BroadcastReadContext,
  BroadcastWriteContext,
} from '../core/broadcast-functions.ts'
import { hotCopy } from '../core/hot-copy.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type { MapStateDescriptor } from '../core/state.ts'
import type { OperatorContext, Receiver } from './operator.ts'
import { OperatorState } from './operator-state.ts'
import type { ProcessCalls } from './process-calls.ts'
import { OperatorInput, TwoInputOperator } from './two-input.ts'

type Fn = BroadcastProcessFunction<any, any, any>

abstract class BaseContext {
  readonly #calls: ProcessCalls
  constructor(calls: ProcessCalls) {
    this.#calls = calls
  }
  timestamp(): number | null {
    return this.#calls.timestamp()
  }
  currentProcessingTime(): number {
    return this.#calls.currentProcessingTime()
  }
  currentWatermark(): number {
    return this.#calls.watermarkMs
  }
  output<X>(tag: OutputTag<X>, value: X): void {
    this.#calls.output(tag, value)
  }
}

class ReadContext extends BaseContext implements BroadcastReadContext {
  readonly #state: OperatorState
  constructor(calls: ProcessCalls, state: OperatorState) {
    super(calls)
    this.#state = state
  }
  getBroadcastState(descriptor: MapStateDescriptor<any, any>): any {
    return this.#state.readOnlyBroadcastState(descriptor)
  }
}

class WriteContext extends BaseContext implements BroadcastWriteContext {
  readonly #state: OperatorState
  constructor(calls: ProcessCalls, state: OperatorState) {
    super(calls)
    this.#state = state
  }
  getBroadcastState(descriptor: MapStateDescriptor<any, any>): any {
    return this.#state.broadcastState(descriptor)
  }
}

class Element extends OperatorInput {
  fn!: Fn
  calls!: ProcessCalls
  ctx!: ReadContext
  override process(value: any, timestamp: number): void {
    const { out } = this.calls
    out.timestamp = timestamp
    this.fn.processElement(value, this.ctx, out)
  }
}

class Broadcast extends OperatorInput {
  fn!: Fn
  calls!: ProcessCalls
  ctx!: WriteContext
  override process(value: any, timestamp: number): void {
    const { out } = this.calls
    out.timestamp = timestamp
    this.fn.processBroadcastElement(value, this.ctx, out)
  }
}

export class Operator extends TwoInputOperator {
  readonly #descriptors: readonly MapStateDescriptor<any, any>[]
  readonly #element = new Element(this, 0)
  readonly #broadcast = new Broadcast(this, 1)
  #calls: ProcessCalls | undefined

  constructor({ fn, descriptors }: { fn: Fn; descriptors: readonly MapStateDescriptor<any, any>[] }) {
    super(fn)
    this.#element.fn = this.#broadcast.fn = fn
    this.#descriptors = descriptors
  }
  override input(index: number): Receiver {
    return index === 0 ? this.#element : this.#broadcast
  }
  override async open(context: OperatorContext): Promise<void> {
    const [{ ProcessCalls }, state] = await Promise.all([
      hotCopy<typeof import('./process-calls.ts')>('operators/process-calls', context.copy),
      OperatorState.restore(context),
    ])
    for (const descriptor of this.#descriptors) state.addBroadcastState(descriptor)
    const calls = new ProcessCalls(context, this.next)
    this.#calls = this.#element.calls = this.#broadcast.calls = calls
    this.#element.ctx = new ReadContext(calls, state)
    this.#broadcast.ctx = new WriteContext(calls, state)
    await super.open(context, undefined, state)
  }
  override watermark(timestampMs: number): void {
    this.#calls!.watermarkMs = timestampMs
    this.next.watermark(timestampMs)
  }
  override publish(): void {
    this.#calls?.publish()
  }
}
