/**
 * The end of a stream: gives records to a sink's writer (core/sink.ts).
 *
 * Hot module: loaded once per operator (core/hot-copy.ts).
 */
import type { Sink, SinkWriter } from '../core/sink.ts'
import { O } from '../metrics/page.ts'
import { BaseOperator, type OperatorContext } from './operator.ts'

export class Operator extends BaseOperator {
  readonly #sink: Sink<any>
  writer!: SinkWriter<any>
  written = 0

  constructor({ sink }: { sink: Sink<any> }) {
    super()
    this.#sink = sink
  }
  override open(context: OperatorContext): void {
    super.open(context)
    this.writer = this.#sink.createWriter({
      ...context.runtime,
      wake: () => context.wake(),
      fail: (error) => context.fail(error),
    })
  }
  process(value: any, timestamp: number): void {
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
    const { page, base } = this.context.metrics
    page[base + O.numRecordsSend]! += this.written
    page[base + O.numRecordsOut]! += this.written
    this.written = 0
  }
  override finish(): void | Promise<void> {
    return this.writer.flush(true)
  }
  override close(): void | Promise<void> {
    return this.writer?.close()
  }
}
