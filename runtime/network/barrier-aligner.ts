/**
 * Brings the barriers of a task's input channels together [C-02].
 *
 * Exactly once: a channel whose barrier has come waits until all have brought theirs, so that no record behind a barrier gets into the
 * checkpoint. At least once: nothing waits, and the checkpoint is taken when the last barrier comes. A channel that has ended counts as one that
 * brought its barrier.
 *
 *     none ──first barrier──▶ aligning ──last barrier, or the rest has ended──▶ none (aligned)
 *                                │ ──newer barrier──▶ aligning for that one (the older is overtaken)
 *                                └ ──abort──▶ none; what still comes of it is passed over
 *
 * Correctness: ids only rise, on each channel and in what is aligned; no channel waits while nothing is aligning.
 */
import type { Barrier } from '../core/checkpoint.ts'

export interface AlignerOutput {
  /** All barriers are there. Channels still wait during the call and go on after it. */
  aligned(barrier: Barrier, alignmentMs: number, startDelayMs: number): void
  /** The checkpoint will not be taken here: a newer one came first. */
  overtaken(checkpointId: number): void
}

export interface AlignerClock {
  now(): number
  monotonic(): number
}

export class BarrierAligner {
  readonly #exactlyOnce: boolean
  readonly #output: AlignerOutput
  readonly #clock: AlignerClock
  readonly #arrived: Uint8Array
  readonly #ended: Uint8Array
  #arrivedCount = 0
  #endedCount = 0
  #pending: Barrier | undefined
  #lastId = -1
  #sinceMs = 0
  #startDelayMs = 0

  constructor(channels: number, exactlyOnce: boolean, clock: AlignerClock, output: AlignerOutput) {
    this.#exactlyOnce = exactlyOnce
    this.#clock = clock
    this.#output = output
    this.#arrived = new Uint8Array(channels)
    this.#ended = new Uint8Array(channels)
  }

  /** Whether the channel has to wait. */
  isBlocked(channel: number): boolean {
    return this.#exactlyOnce && this.#arrived[channel] === 1
  }

  barrier(channel: number, barrier: Barrier): void {
    const { checkpointId } = barrier
    if (checkpointId <= this.#lastId) return
    if (this.#pending !== undefined && checkpointId > this.#pending.checkpointId) {
      const overtaken = this.#pending.checkpointId
      this.#reset()
      this.#output.overtaken(overtaken)
    }
    if (this.#pending === undefined) {
      this.#pending = barrier
      this.#sinceMs = this.#clock.monotonic()
      this.#startDelayMs = Math.max(0, this.#clock.now() - barrier.timestampMs)
    }
    if (checkpointId < this.#pending.checkpointId || this.#arrived[channel] === 1) return
    this.#arrived[channel] = 1
    if (this.#ended[channel] === 0) this.#arrivedCount++
    this.#check()
  }

  ended(channel: number): void {
    if (this.#ended[channel] === 1) return
    this.#ended[channel] = 1
    this.#endedCount++
    if (this.#arrived[channel] === 1) this.#arrivedCount--
    this.#check()
  }

  /** The checkpoint was given up, and all before it. */
  abort(checkpointId: number): void {
    this.#lastId = Math.max(this.#lastId, checkpointId)
    if (this.#pending !== undefined && this.#pending.checkpointId <= checkpointId) this.#reset()
  }

  #check(): void {
    const barrier = this.#pending
    if (barrier === undefined || this.#arrivedCount + this.#endedCount < this.#arrived.length) return
    this.#lastId = barrier.checkpointId
    this.#pending = undefined
    this.#output.aligned(barrier, this.#clock.monotonic() - this.#sinceMs, this.#startDelayMs)
    this.#reset()
  }

  #reset(): void {
    if (this.#pending !== undefined) this.#lastId = Math.max(this.#lastId, this.#pending.checkpointId)
    this.#pending = undefined
    this.#arrived.fill(0)
    this.#arrivedCount = 0
  }
}

const KINDS = ['checkpoint', 'savepoint'] as const
const THENS = ['go on', 'suspend', 'end'] as const

/** A barrier as the one number of a channel's entry: id, kind and what follows. */
export function barrierCode({ checkpointId, kind, then }: Barrier): number {
  return checkpointId * 8 + KINDS.indexOf(kind) * 4 + THENS.indexOf(then)
}

export function barrierOfCode(code: number, timestampMs: number): Barrier {
  const bits = code % 8
  return { checkpointId: Math.floor(code / 8), timestampMs, kind: KINDS[bits >> 2]!, then: THENS[bits & 3]! }
}
