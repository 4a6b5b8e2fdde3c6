/**
 * KeyedBroadcastProcessFunction: records with state and timers of their key against broadcast state [B-01, B-02].
 *
 * State: one copy of each broadcast map per subtask (operator-state.ts); by key that of keyed-calls.ts.
 * Correctness: while a broadcast record is processed no key is current, so keyed state and timers are out of reach, but for
 * `applyToKeyedState`, which makes one key after the other current.
 */
import type {
  BroadcastOnTimerContext,
  KeyedBroadcastProcessFunction,
  KeyedBroadcastWriteContext,
} from '../core/broadcast-functions.ts'
import type { Key, TimerService } from '../core/functions.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type { MapStateDescriptor, StateDescriptor } from '../core/state.ts'
import type { Context, KeyedCalls } from './keyed-calls.ts'
import { KeyedTwoInputOperator } from './keyed-two-input.ts'
import type { OperatorContext, Receiver } from './operator.ts'
import { OperatorState } from './operator-state.ts'
import { OperatorInput, type TwoInputOperator } from './two-input.ts'

type Fn = KeyedBroadcastProcessFunction<any, any, any, any>

/** Of processElement and onTimer. */
class ReadContext implements BroadcastOnTimerContext<any> {
  readonly #ctx: Context
  readonly #state: OperatorState
  constructor(ctx: Context, state: OperatorState) {
    this.#ctx = ctx
    this.#state = state
  }
  get timerService(): TimerService {
    return this.#ctx
  }
  get timeDomain(): 'event' | 'processing' {
    return this.#ctx.timeDomain
  }
  getCurrentKey(): any {
    return this.#ctx.key
  }
  timestamp(): number | null {
    return this.#ctx.timestamp()
  }
  currentProcessingTime(): number {
    return this.#ctx.currentProcessingTime()
  }
  currentWatermark(): number {
    return this.#ctx.currentWatermark()
  }
  output<X>(tag: OutputTag<X>, value: X): void {
    this.#ctx.output(tag, value)
  }
  getBroadcastState(descriptor: MapStateDescriptor<any, any>): any {
    return this.#state.readOnlyBroadcastState(descriptor)
  }
}

class WriteContext implements KeyedBroadcastWriteContext<any> {
  readonly #calls: KeyedCalls
  readonly #state: OperatorState
  constructor(calls: KeyedCalls, state: OperatorState) {
    this.#calls = calls
    this.#state = state
  }
  timestamp(): number | null {
    return this.#calls.ctx.timestamp()
  }
  currentProcessingTime(): number {
    return this.#calls.ctx.currentProcessingTime()
  }
  currentWatermark(): number {
    return this.#calls.ctx.currentWatermark()
  }
  output<X>(tag: OutputTag<X>, value: X): void {
    this.#calls.ctx.output(tag, value)
  }
  getBroadcastState(descriptor: MapStateDescriptor<any, any>): any {
    return this.#state.broadcastState(descriptor)
  }
  applyToKeyedState(descriptor: StateDescriptor, visit: (key: any, state: any) => void): void {
    try {
      this.#calls.backend.applyToKeys(descriptor, visit)
    } finally {
      this.#calls.leaveKey()
    }
  }
}

class Element extends OperatorInput {
  readonly fn: Fn
  readonly keyOf: (value: any) => Key
  calls!: KeyedCalls
  ctx!: ReadContext
  constructor(operator: TwoInputOperator, fn: Fn, keyOf: (value: any) => Key) {
    super(operator, 0)
    this.fn = fn
    this.keyOf = keyOf
  }
  override process(value: any, timestamp: number, keyHash: number): void {
    const { calls } = this
    calls.setKey(this.keyOf(value), keyHash, timestamp)
    this.fn.processElement(value, this.ctx, calls.out)
  }
  beforeBatch(hashes: DataView, at: number, stride: number, count: number, bytes: number): void {
    this.calls.backend.beforeBatch(hashes, at, stride, count, bytes)
  }
}

class Broadcast extends OperatorInput {
  readonly fn: Fn
  calls!: KeyedCalls
  ctx!: WriteContext
  constructor(operator: TwoInputOperator, fn: Fn) {
    super(operator, 1)
    this.fn = fn
  }
  override process(value: any, timestamp: number): void {
    const { calls } = this
    calls.leaveKey()
    calls.out.timestamp = timestamp
    this.fn.processBroadcastElement(value, this.ctx, calls.out)
  }
}

export class Operator extends KeyedTwoInputOperator {
  readonly #fn: Fn
  readonly #descriptors: readonly MapStateDescriptor<any, any>[]
  readonly #element: Element
  readonly #broadcast: Broadcast

  constructor(options: { fn: Fn; keyOf: (value: any) => Key; descriptors: readonly MapStateDescriptor<any, any>[] }) {
    super(options.fn)
    this.#fn = options.fn
    this.#descriptors = options.descriptors
    this.#element = new Element(this, options.fn, options.keyOf)
    this.#broadcast = new Broadcast(this, options.fn)
  }
  override input(index: number): Receiver {
    return index === 0 ? this.#element : this.#broadcast
  }
  override async open(context: OperatorContext): Promise<void> {
    const fn = this.#fn
    const state = await OperatorState.restore(context)
    for (const descriptor of this.#descriptors) state.addBroadcastState(descriptor)
    // No timer fires before the operator is open.
    let ctx: ReadContext
    const calls = await this.openCalls(context, (timestampMs, _ctx, out) => fn.onTimer?.(timestampMs, ctx, out))
    ctx = new ReadContext(calls.ctx, state)
    this.#element.calls = this.#broadcast.calls = calls
    this.#element.ctx = ctx
    this.#broadcast.ctx = new WriteContext(calls, state)
    await this.openFunction(context, state)
  }
}
