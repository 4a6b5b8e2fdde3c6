/**
 * The buffers that a slot encodes batches into for other processes. A channel takes one with a credit of its receiver, and it is free again when
 * the batch is in the peer's outbox: so no more are in use than there are open batches.
 *
 * Made when they are first needed, at most `max`. When none is free a channel uses its exclusive buffers, and then waits as it does
 * without credit.
 */
import { BUFFER_BYTES } from '../buffer-pool.ts'

export class SendBuffers {
  readonly bytes: Buffer[] = []
  readonly views: DataView[] = []
  readonly max: number
  readonly #free: number[] = []

  constructor(max: number) {
    this.max = max
  }

  /** Number of a buffer that is now the caller's, -1 when none is free. */
  take(): number {
    const index = this.#free.pop()
    if (index !== undefined) return index
    if (this.bytes.length === this.max) return -1
    const bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES)
    this.views.push(new DataView(bytes.buffer))
    return this.bytes.push(bytes) - 1
  }

  give(index: number): void {
    this.#free.push(index)
  }

  hasFree(): boolean {
    return this.#free.length > 0 || this.bytes.length < this.max
  }

  /** Buffers that somebody has. */
  get inUse(): number {
    return this.bytes.length - this.#free.length
  }
}
