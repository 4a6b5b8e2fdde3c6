/**
 * The buffers that a slot encodes batches into for other processes. A channel takes one with a credit of its receiver, and it is free again when
 * the batch is in the peer's outbox: so there are no more than the slot has ever had open batches, one for each channel at most.
 */
import { BUFFER_BYTES } from '../buffer-pool.ts'

export class SendBuffers {
  /** A channel has found no credit since this was set to false: what would give it some should be read soon. */
  starved = false
  readonly bytes: Buffer[] = []
  readonly views: DataView[] = []
  readonly #free: number[] = []

  /** Number of a buffer that is now the caller's. */
  take(): number {
    const index = this.#free.pop()
    if (index !== undefined) return index
    const bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES)
    this.views.push(new DataView(bytes.buffer))
    return this.bytes.push(bytes) - 1
  }

  give(index: number): void {
    this.#free.push(index)
  }

  /** Buffers that somebody has. */
  get inUse(): number {
    return this.bytes.length - this.#free.length
  }
}
