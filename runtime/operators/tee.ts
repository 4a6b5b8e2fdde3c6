/**
 * One output with several readers: each gets every record, in turn. Values are shared, as between chained operators.
 *
 * Hot module: loaded once per output (core/hot-copy.ts).
 */
import type { Receiver } from './operator.ts'

export class Tee implements Receiver {
  readonly #first: Receiver
  readonly #rest: readonly Receiver[]

  constructor(receivers: readonly Receiver[]) {
    this.#first = receivers[0]!
    this.#rest = receivers.slice(1)
  }
  process(value: any, timestamp: number): void {
    this.#first.process(value, timestamp)
    const rest = this.#rest
    for (let i = 0; i < rest.length; i++) rest[i]!.process(value, timestamp)
  }
  watermark(timestampMs: number): void {
    this.#first.watermark(timestampMs)
    for (const receiver of this.#rest) receiver.watermark(timestampMs)
  }
  status(idle: boolean): void {
    this.#first.status(idle)
    for (const receiver of this.#rest) receiver.status(idle)
  }
}
