/**
 * Event time in the middle of a stream (assignTimestampsAndWatermarks) [E-05].
 *
 * Gives records new timestamps and starts watermarks of its own. Watermarks and idleness from upstream end here, as they speak of the
 * old timestamps; only the end of time passes, after a last watermark of its own. The strategy runs as at a source with one split.
 */
import { MAX_WATERMARK } from '../core/clock.ts'
import { hotCopy } from '../core/hot-copy.ts'
import type { WatermarkStrategy } from '../core/watermarks.ts'
import { O } from '../metrics/page.ts'
import { CombinedWatermark } from './combined-watermark.ts'
import { BaseOperator, type OperatorContext } from './operator.ts'
import type { Output } from './watermark-output.ts'

export interface TimestampsOptions<T = any> {
  strategy: WatermarkStrategy<T>
  /** `pipeline.auto-watermark-interval`; 0: no periodic watermarks, hence no idleness. */
  autoWatermarkIntervalMs?: number
}

const AUTO_WATERMARK_INTERVAL_MS = 200

export class Operator<T = any> extends BaseOperator {
  readonly #strategy: WatermarkStrategy<T>
  readonly #intervalMs: number
  output!: Output<T>
  #combined!: CombinedWatermark
  #timer: number | undefined
  #ended = false

  constructor(options: TimestampsOptions<T>) {
    super()
    this.#strategy = options.strategy
    this.#intervalMs = options.autoWatermarkIntervalMs ?? AUTO_WATERMARK_INTERVAL_MS
  }

  override async open(context: OperatorContext): Promise<void> {
    super.open(context)
    const { createOutput } = await hotCopy<typeof import('./watermark-output.ts')>(
      'operators/watermark-output',
      context.copy,
    )
    this.#combined = new CombinedWatermark({
      watermark: (timestampMs) => this.#emitWatermark(timestampMs),
      status: (idle) => this.next.status(idle),
    })
    const base = { next: this.next, combined: this.#combined, part: this.#combined.add() }
    this.output = createOutput(base, this.#strategy)
    this.#schedule()
  }

  override process(value: T, timestamp: number): void {
    this.output.collect(value, timestamp)
  }

  override watermark(timestampMs: number): void {
    if (timestampMs !== MAX_WATERMARK || this.#ended) return
    this.#ended = true
    this.#cancelTimer()
    this.publish()
    this.output.periodicEmit()
    this.#combined.update()
    if (this.#combined.idle) this.next.status(false)
    this.#emitWatermark(MAX_WATERMARK)
  }

  override status(_idle: boolean): void {}

  override publish(): void {
    const { page, base } = this.context.metrics
    const records = this.output.takeRecords()
    page[base + O.numRecordsIn]! += records
    page[base + O.numRecordsOut]! += records
  }

  override close(): void {
    this.#cancelTimer()
  }

  #schedule(): void {
    if (!(this.#intervalMs > 0)) return
    const { clock } = this.context
    this.#timer = this.context.registerTimer(clock.now() + this.#intervalMs, () => {
      this.publish()
      this.output.periodic(this.context.outputBlocked() ? Number.NaN : clock.monotonic())
      this.#combined.update()
      this.#schedule()
    })
  }

  #cancelTimer(): void {
    if (this.#timer !== undefined) this.context.cancelTimer(this.#timer)
    this.#timer = undefined
  }

  #emitWatermark(timestampMs: number): void {
    this.context.metrics.set('currentOutputWatermark', timestampMs)
    this.next.watermark(timestampMs)
  }
}
