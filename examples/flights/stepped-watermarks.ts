/**
 * Moves event time on by steps of event time, so that which records are late depends on the data and not on the speed of the replay.
 *
 * `WatermarkStrategy.forBoundedOutOfOrderness` is what most jobs want. It moves on by the clock, five times a second, which in a replay
 * that runs as fast as it goes is a step of months.
 */
import { type Duration, durationMs, type WatermarkGenerator, type WatermarkOutput } from 'tailrace'

export class SteppedWatermarks implements WatermarkGenerator<unknown> {
  readonly #boundMs: number
  readonly #stepMs: number
  #nextMs = Number.NEGATIVE_INFINITY

  /** @param bound how far a record may lie behind the latest one without being late */
  constructor({ bound, step }: { bound: Duration; step: Duration }) {
    this.#boundMs = durationMs(bound)
    this.#stepMs = durationMs(step)
  }

  onEvent(_value: unknown, timestampMs: number, output: WatermarkOutput): void {
    if (timestampMs < this.#nextMs) return
    output.emitWatermark(timestampMs - this.#boundMs - 1)
    this.#nextMs = timestampMs + this.#stepMs
  }
  onPeriodicEmit(): void {}
}
