/**
 * The buffers that a slot encodes batches into for other processes, each with room for a frame's header before it. A buffer is taken with a
 * credit of the receiver, filled, and free again when the socket has it: usually at the end of the turn.
 *
 * Made when they are first needed, at most `max`: with the default as many bytes as the slot's own pool. When none is free a channel uses its
 * exclusive buffers, and then waits as it does without credit.
 */
import { BUFFER_BYTES } from '../buffer-pool.ts'
import { FRAME_BYTES } from './frames.ts'

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
    const bytes = Buffer.allocUnsafeSlow(FRAME_BYTES + BUFFER_BYTES)
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
