/**
 * Runs the writer of a sink [core/sink.ts].
 *
 * Life: createWriter at open; write per record; flush(true) at the end of the input, awaited; close. Between, what was written is
 * flushed every {@link FLUSH_INTERVAL_MS}, so that an endless job shows its results: the next flush is asked for only when the one
 * before is done, and a failing one fails the task.
 */
import { isTailraceError, TailraceError } from '../core/errors.ts'
import type { RuntimeContext } from '../core/functions.ts'
import type { Sink, SinkContext, SinkWriter } from '../core/sink.ts'
import { BaseOperator, type OperatorContext } from './operator.ts'

export const FLUSH_INTERVAL_MS = 1000

export class Operator extends BaseOperator {
  writer!: SinkWriter<any>
  /** Records written since the last {@link publish}. */
  written = 0
  readonly #sink: Sink<any>
  #timer: number | undefined
  /** The periodic flush that is under way. */
  #flushing: Promise<void> | undefined

  constructor({ sink }: { sink: Sink<any> }) {
    super()
    this.#sink = sink
  }
  override open(context: OperatorContext): void {
    super.open(context)
    this.writer = this.#sink.createWriter(sinkContext(context))
  }
  override process(value: any, timestamp: number): void {
    this.written++
    this.writer.write(value, timestamp)
  }
  override watermark(timestampMs: number): void {
    this.writer.writeWatermark?.(timestampMs)
  }
  override status(): void {}
  override pending(): boolean {
    return this.writer.pending?.() ?? false
  }
  override publish(): void {
    if (this.written === 0) return
    this.context.metrics.add('numRecordsSend', this.written)
    this.context.metrics.add('numRecordsOut', this.written)
    this.written = 0
    if (this.#timer !== undefined || this.#flushing !== undefined) return
    this.#timer = this.context.registerTimer(this.context.clock.now() + FLUSH_INTERVAL_MS, () => this.#flush())
  }
  override async finish(): Promise<void> {
    this.#cancelTimer()
    await this.#flushing
    await this.#guard(() => this.writer.flush(true))
  }
  override close(): void | Promise<void> {
    if (this.context === undefined) return
    this.#cancelTimer()
    return this.writer?.close()
  }

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.context.cancelTimer(this.#timer)
    this.#timer = undefined
  }

  #flush(): void {
    this.#timer = undefined
    this.#flushing = this.#guard(() => this.writer.flush(false)).then(
      () => {
        this.#flushing = undefined
      },
      (error) => this.context.fail(error),
    )
  }

  /** A system's refusal is no fault of the program: it gets the sink's code where it has none. */
  async #guard(flush: () => void | Promise<void>): Promise<void> {
    try {
      await flush()
    } catch (cause) {
      if (isTailraceError(cause)) throw cause
      const who = this.context.task.operatorName
      const text = cause instanceof Error ? cause.message : String(cause)
      throw new TailraceError('TR-SINK-001', `Cannot write what "${who}" holds: ${text}`, { cause })
    }
  }
}

/** The runtime context's own members are kept as they are, whatever class it is of. */
function sinkContext(context: OperatorContext): SinkContext {
  const runtime: RuntimeContext = context.runtime
  return {
    task: runtime.task,
    parameters: runtime.parameters,
    metrics: runtime.metrics,
    accumulator: (name) => runtime.accumulator(name),
    getState: (descriptor) => runtime.getState(descriptor),
    getListState: (descriptor) => runtime.getListState(descriptor),
    getMapState: (descriptor) => runtime.getMapState(descriptor),
    wake: () => context.wake(),
    fail: (error) => context.fail(error),
  }
}
