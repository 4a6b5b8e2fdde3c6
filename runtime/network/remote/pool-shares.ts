/**
 * Deals out the floating buffers of a slot's pool to its channels from other processes. A buffer that is granted to a channel is taken from
 * the pool at once, so what the senders may send always has a place.
 *
 * A channel gets as many as its sender says it could use, up to REMOTE_FLOATING_MAX; while remote channels hold less than half of the pool also some
 * ahead: one from the start, its share of that half once records have come. Channels that wanted one and found the pool empty are served in turn; meanwhile the
 * senders are asked to give back what they do not need (RECALL).
 */
import type { BufferPool } from '../buffer-pool.ts'
import { REMOTE_FLOATING_MAX } from '../channel-ends.ts'
import type { RemoteInput } from './remote-input.ts'

export class PoolShares {
  readonly pool: BufferPool
  /** Buffers that remote channels hold: granted, filled or being read. */
  held = 0
  readonly #aheadMax: number
  #starved: RemoteInput[] = []
  #channels = 0

  constructor(pool: BufferPool) {
    this.pool = pool
    this.#aheadMax = pool.size / 2
  }

  /** One more channel has a share. */
  join(): void {
    this.#channels++
  }

  /** Buffers that a channel may have ahead. */
  get share(): number {
    return Math.max(1, Math.min(REMOTE_FLOATING_MAX, Math.floor(this.#aheadMax / this.#channels)))
  }

  /** Buffers may be granted that nobody has asked for. */
  get generous(): boolean {
    return this.held < this.#aheadMax && this.#starved.length === 0
  }

  /** Index of a buffer, -1 when there is none. */
  take(): number {
    const index = this.pool.take()
    if (index >= 0) this.held++
    return index
  }

  give(index: number): void {
    this.held--
    this.pool.give(index)
  }

  /** `input` found the pool empty. */
  queue(input: RemoteInput): void {
    if (input.starved) return
    input.starved = true
    this.#starved.push(input)
  }

  get starving(): boolean {
    return this.#starved.length > 0
  }

  /** Serves who waits, one buffer each in turn, as far as there are any. */
  serve(): void {
    while (this.#starved.length > 0 && this.pool.hasFree()) {
      const inputs = this.#starved
      this.#starved = []
      // Who gets one and wants more goes to the end of the new queue, who gets none as well.
      for (const input of inputs) {
        input.starved = false
        input.grantOne()
      }
    }
  }
}
