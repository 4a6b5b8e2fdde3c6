/**
 * Watermark strategies [E-02..E-04]: what an author says about event time at a source or in the middle of a stream. The operators
 * that run them are operators/source.ts and operators/timestamps.ts.
 */
import { type Duration, durationMs } from './duration.ts'

/** Gets a record's event time in milliseconds. `recordTimestamp` is the source's own, -Infinity when it has none. */
export type TimestampAssigner<T> = (value: T, recordTimestamp: number) => number

export interface WatermarkOutput {
  /** Watermarks that do not advance are dropped. */
  emitWatermark(timestampMs: number): void
  markIdle(): void
  markActive(): void
}

/** A generator of one split or one subtask. */
export interface WatermarkGenerator<T> {
  /** Called for every record; may emit at once (punctuated). */
  onEvent(value: T, timestampMs: number, output: WatermarkOutput): void
  /** Called every `pipeline.auto-watermark-interval` (200 ms) and once more at the end of the input. */
  onPeriodicEmit(output: WatermarkOutput): void
}

export interface Alignment {
  group: string
  maxDriftMs: number
  updateIntervalMs: number
}

/** The fields are read by the operators; make strategies with the static methods. Immutable: `with…` returns a copy. */
export class WatermarkStrategy<T> {
  /** bounded: maxTimestamp - bound - 1, kept without a call per record. */
  readonly kind: 'none' | 'bounded' | 'custom'
  readonly boundMs: number
  readonly createGenerator: (() => WatermarkGenerator<T>) | undefined
  readonly assigner: TimestampAssigner<T> | undefined
  /** undefined: never idle. */
  readonly idlenessMs: number | undefined
  readonly alignment: Alignment | undefined

  private constructor(
    fields: Pick<
      WatermarkStrategy<T>,
      'kind' | 'boundMs' | 'createGenerator' | 'assigner' | 'idlenessMs' | 'alignment'
    >,
  ) {
    this.kind = fields.kind
    this.boundMs = fields.boundMs
    this.createGenerator = fields.createGenerator
    this.assigner = fields.assigner
    this.idlenessMs = fields.idlenessMs
    this.alignment = fields.alignment
  }

  static #make<T>(
    kind: 'none' | 'bounded' | 'custom',
    boundMs = 0,
    createGenerator?: () => WatermarkGenerator<T>,
  ): WatermarkStrategy<T> {
    return new WatermarkStrategy<T>({
      kind,
      boundMs,
      createGenerator,
      assigner: undefined,
      idlenessMs: undefined,
      alignment: undefined,
    })
  }

  /** No watermarks; for jobs in processing time. */
  static noWatermarks<T>(): WatermarkStrategy<T> {
    return WatermarkStrategy.#make('none')
  }

  /** Timestamps only ever rise within a split. */
  static forMonotonousTimestamps<T>(): WatermarkStrategy<T> {
    return WatermarkStrategy.#make('bounded', 0)
  }

  /** A record is at most `bound` behind the largest timestamp seen. A record exactly `bound` behind is not late. */
  static forBoundedOutOfOrderness<T>(bound: Duration): WatermarkStrategy<T> {
    const boundMs = durationMs(bound)
    if (!(boundMs >= 0)) throw new RangeError(`Cannot bound out-of-orderness by ${String(bound)}: it must be 0 or more`)
    return WatermarkStrategy.#make('bounded', boundMs)
  }

  static forGenerator<T>(createGenerator: () => WatermarkGenerator<T>): WatermarkStrategy<T> {
    return WatermarkStrategy.#make('custom', 0, createGenerator)
  }

  withTimestampAssigner(assigner: TimestampAssigner<T>): WatermarkStrategy<T> {
    return new WatermarkStrategy({ ...this, assigner })
  }

  /** After `timeout` without a record the split (or subtask) no longer holds back the watermark. */
  withIdleness(timeout: Duration): WatermarkStrategy<T> {
    const idlenessMs = durationMs(timeout)
    if (!(idlenessMs > 0)) throw new RangeError(`Cannot use ${String(timeout)} as idle timeout: it must be above 0`)
    return new WatermarkStrategy({ ...this, idlenessMs })
  }

  /** Sources of one group stop reading while their watermark is more than `maxDrift` ahead of the group's smallest. */
  withWatermarkAlignment(group: string, maxDrift: Duration, updateInterval: Duration = '1s'): WatermarkStrategy<T> {
    return new WatermarkStrategy({
      ...this,
      alignment: { group, maxDriftMs: durationMs(maxDrift), updateIntervalMs: durationMs(updateInterval) },
    })
  }
}
