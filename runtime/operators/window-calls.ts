/**
 * What happens when a window of a key fires: the aggregate's result, the window function, the state that it may keep.
 *
 * State: of a key over all of its windows (`globalState`, and what `open` asks its context for), and of a key and window
 * (`windowState`): one backend per window, dropped with it.
 *
 * Loaded once per operator (`hotCopy('operators/window-calls', n)`).
 */
import type { AggregateFunction, Collector, Key } from '../core/functions.ts'
import { hotCopy } from '../core/hot-copy.ts'
import type { OutputTag } from '../core/output-tag.ts'
import type {
  KeyedStateStore,
  ProcessWindowContext,
  ProcessWindowFunction,
  WindowFunction,
} from '../core/window-functions.ts'
import type { TimeWindow } from '../core/windows.ts'
import type { HeapBackend } from '../state/heap/backend.ts'
import { keyedRuntime } from '../state/keyed-runtime.ts'
import type { OperatorContext, Receiver, RestoredState, SnapshotWriter } from './operator.ts'
import { shallowCopy } from './shallow-copy.ts'
import { SideOutputs } from './side-outputs.ts'
import { UserFunction } from './user-function.ts'

/** Prefixes of the tables of a checkpoint. */
const GLOBAL = 'tailrace:global/'
const BY_WINDOW = 'tailrace:window-state/'

export interface WindowFunctions {
  readonly kind: 'reduce' | 'aggregate' | 'process'
  readonly aggregate?: AggregateFunction<any, any, any>
  readonly windowFn?: WindowFunction<any, any, any> | ProcessWindowFunction<any, any, any> | undefined
}

export class WindowCalls implements Collector<any>, ProcessWindowContext {
  /** The window function wants to know when a window goes. */
  readonly hasClear: boolean
  readonly user: UserFunction | undefined
  /** Calls need the hash of the key, as they may reach state. */
  readonly needsHash: boolean
  readonly #kind: 'reduce' | 'aggregate' | 'process'
  readonly #aggregate: AggregateFunction<any, any, any> | undefined
  readonly #lambda: WindowFunction<any, any, any> | undefined
  readonly #rich: ProcessWindowFunction<any, any, any> | undefined
  readonly #context: OperatorContext
  readonly #next: Receiver
  readonly #sides: SideOutputs
  readonly #watermark: () => number
  #HeapBackend!: typeof HeapBackend
  #global: HeapBackend | undefined
  readonly #byWindow = new Map<number, HeapBackend>()
  #window!: TimeWindow
  #timestamp = 0
  #key: Key = 0
  #keyHash = 0
  #emitted = 0

  constructor(functions: WindowFunctions, context: OperatorContext, next: Receiver, watermark: () => number) {
    const { kind, aggregate, windowFn } = functions
    this.#kind = kind
    this.#aggregate = aggregate
    this.#lambda = typeof windowFn === 'function' ? windowFn : undefined
    this.#rich = typeof windowFn === 'function' ? undefined : windowFn
    this.#context = context
    this.#next = next
    this.#sides = new SideOutputs(context)
    this.user = windowFn === undefined ? undefined : new UserFunction(windowFn)
    this.#watermark = watermark
    this.needsHash = this.#rich !== undefined
    this.hasClear = typeof this.#rich?.clear === 'function'
  }

  async open(): Promise<void> {
    if (this.#rich === undefined) return
    const { copy, task, clock, runtime } = this.#context
    ;({ HeapBackend: this.#HeapBackend } = await hotCopy<typeof import('../state/heap/backend.ts')>(
      'state/heap/backend',
      copy,
    ))
    this.#global = new this.#HeapBackend(task, clock)
    await this.user!.open(this.#context, keyedRuntime(runtime, this.#global))
  }

  /** Results that follow are of this window. */
  setWindow(window: TimeWindow): void {
    this.#window = window
    this.#timestamp = window.maxTimestamp
  }

  /**
   * Emits the results of the current window for `key`. `stays`: the accumulator stays in the window and may be changed by late
   * records, so it must not be given away.
   */
  fire(key: Key, keyHash: number, accumulator: any, stays: boolean): void {
    let contents = accumulator
    if (this.#kind === 'aggregate') contents = this.#aggregate!.getResult(accumulator)
    if (stays && contents === accumulator && typeof contents === 'object') contents = shallowCopy(contents)
    if (this.#lambda !== undefined) {
      const results = this.#lambda(key, this.#window, this.#kind === 'process' ? contents : [contents], this)
      if (results !== undefined && results !== null) for (const result of results) this.collect(result)
    } else if (this.#rich !== undefined) {
      this.#setKey(key, keyHash)
      this.#rich.process(key, this, this.#kind === 'process' ? contents : [contents], this)
    } else {
      this.#emitted++
      this.#next.process(contents, this.#timestamp)
    }
  }

  /** The current window goes for `key`. */
  clear(key: Key, keyHash: number): void {
    this.#setKey(key, keyHash)
    this.#rich!.clear(this)
  }

  /** The window is gone for all keys. */
  dropWindow(window: TimeWindow): void {
    this.#byWindow.delete(window.start)
  }

  #setKey(key: Key, keyHash: number): void {
    this.#key = key
    this.#keyHash = keyHash
    if (this.#global!.hasStates) this.#global!.setKey(key, keyHash)
  }

  snapshot(writer: SnapshotWriter): void {
    this.user?.snapshot(writer)
    if (this.#global?.hasStates === true) writer.later(this.#global.snapshot(writer, GLOBAL))
    for (const [start, backend] of this.#byWindow) writer.later(backend.snapshot(writer, `${BY_WINDOW}${start}/`))
  }

  async restore(restored: RestoredState): Promise<void> {
    if (this.#rich === undefined) return
    await this.#global!.restore(restored, GLOBAL)
    const starts = new Set<number>()
    await restored.readTables(({ name }) => {
      if (name.startsWith(BY_WINDOW)) starts.add(Number(name.slice(BY_WINDOW.length).split('/')[0]))
      return undefined
    })
    for (const start of starts) {
      const backend = new this.#HeapBackend(this.#context.task, this.#context.clock)
      await backend.restore(restored, `${BY_WINDOW}${start}/`)
      if (backend.size > 0) this.#byWindow.set(start, backend)
    }
  }

  // --- what the function sees

  collect(value: any): void {
    this.#emitted++
    this.#next.process(value, this.#timestamp)
  }
  window(): TimeWindow {
    return this.#window
  }
  currentProcessingTime(): number {
    return this.#context.clock.now()
  }
  currentWatermark(): number {
    return this.#watermark()
  }
  windowState(): KeyedStateStore {
    let backend = this.#byWindow.get(this.#window.start)
    if (backend === undefined)
      this.#byWindow.set(this.#window.start, (backend = new this.#HeapBackend(this.#context.task, this.#context.clock)))
    backend.setKey(this.#key, this.#keyHash)
    return backend
  }
  globalState(): KeyedStateStore {
    this.#global!.setKey(this.#key, this.#keyHash)
    return this.#global!
  }
  output<X>(tag: OutputTag<X>, value: X): void {
    this.#sides.emit(tag, value, this.#timestamp)
  }

  // --- life

  /** Records emitted since the last call. */
  publish(): number {
    const emitted = this.#emitted + this.#sides.publish()
    this.#emitted = 0
    return emitted
  }

  finish(): void {
    this.#global?.unsetKey()
    this.user?.finish()
  }

  close(): void | Promise<void> {
    return this.user?.close()
  }
}
