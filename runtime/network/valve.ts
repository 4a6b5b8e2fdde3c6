/**
 * The watermark of a task with several input channels [E-07..E-09].
 *
 * Output = least watermark of the channels that count: those that are active and aligned. A channel that comes back from
 * idleness is aligned again when its watermark has reached the last output; until then it holds nothing back, and the output
 * never goes back. When the last active channel falls idle and it was the one that held the output, the largest watermark of all
 * channels is flushed before the idleness is passed on.
 *
 * A channel at Infinity has ended: it holds nothing back, active or idle. Infinity comes out when all channels have got it; with
 * only idle channels left the output is idle, since an idle channel may still bring records, which must not all be late.
 *
 * Algorithm: a binary heap of the channels that count, ordered by watermark, with each channel's place in it: O(log n) per
 * watermark, so that 400 channels that advance in the order of their watermarks cost 400 small steps and not 400 scans.
 */

export interface ValveOutput {
  watermark(timestampMs: number): void
  status(idle: boolean): void
}

const NOT_IN_HEAP = -1

/**
 * @example
 * const valve = new WatermarkValve(2, output)
 * valve.inputWatermark(0, 15)
 * valve.inputWatermark(1, 10) // output.watermark(10)
 * valve.inputStatus(1, true) // output.watermark(15)
 */
export class WatermarkValve {
  /** Last watermark put out. */
  watermarkMs = -Infinity
  /** Last status put out. */
  idle = false
  readonly #output: ValveOutput
  readonly #channels: number
  readonly #watermarks: Float64Array
  readonly #idle: Uint8Array
  readonly #ended: Uint8Array
  /** Channels that count; `#place[channel]` is the index in it. */
  readonly #heap: Int32Array
  readonly #place: Int32Array
  #heapSize = 0
  /** Channels that are neither idle nor ended. */
  #activeCount: number
  #endedCount = 0
  /** Channels that got Infinity. */
  #infiniteCount = 0

  constructor(channels: number, output: ValveOutput) {
    this.#channels = channels
    this.#output = output
    this.#watermarks = new Float64Array(channels).fill(-Infinity)
    this.#idle = new Uint8Array(channels)
    this.#ended = new Uint8Array(channels)
    this.#heap = new Int32Array(channels)
    this.#place = new Int32Array(channels)
    this.#activeCount = channels
    for (let channel = 0; channel < channels; channel++) this.#insert(channel)
  }

  /** A channel's watermark. Ignored when it does not rise, and on an idle channel unless it is the end (Infinity). */
  inputWatermark(channel: number, timestampMs: number): void {
    if (this.#ended[channel] === 1) return
    if (timestampMs === Infinity) {
      this.#infiniteCount++
      this.end(channel)
      return
    }
    if (this.#idle[channel] === 1 || !(timestampMs > this.#watermarks[channel]!)) return
    this.#watermarks[channel] = timestampMs
    if (this.#place[channel] !== NOT_IN_HEAP) this.#sink(this.#place[channel]!)
    else if (timestampMs >= this.watermarkMs) this.#insert(channel)
    else return
    this.#emitLeast()
  }

  inputStatus(channel: number, idle: boolean): void {
    if (this.#ended[channel] === 1 || (this.#idle[channel] === 1) === idle) return
    this.#idle[channel] = idle ? 1 : 0
    if (!idle) {
      this.#activeCount++
      if (this.#watermarks[channel]! >= this.watermarkMs) this.#insert(channel)
      this.#emitStatus(false)
      return
    }
    this.#activeCount--
    this.#leave(channel)
  }

  /** The channel has ended, with or without an Infinity before: it holds back nothing any more. */
  end(channel: number): void {
    if (this.#ended[channel] === 1) return
    this.#ended[channel] = 1
    this.#endedCount++
    if (this.#infiniteCount === this.#channels) {
      this.#remove(channel)
      this.#emitStatus(false)
      this.#emit(Infinity)
    } else if (this.#idle[channel] === 0) {
      this.#activeCount--
      this.#leave(channel)
    }
  }

  /** The channel's own state, for tests and diagnosis. */
  channel(channel: number): { watermarkMs: number; idle: boolean; ended: boolean; aligned: boolean } {
    return {
      watermarkMs: this.#watermarks[channel]!,
      idle: this.#idle[channel] === 1,
      ended: this.#ended[channel] === 1,
      aligned: this.#place[channel] !== NOT_IN_HEAP,
    }
  }

  /** An active channel stops counting. */
  #leave(channel: number): void {
    const heldOutput = this.#watermarks[channel] === this.watermarkMs
    this.#remove(channel)
    if (this.#activeCount > 0) {
      this.#emitLeast()
      return
    }
    if (this.#endedCount === this.#channels) return
    if (heldOutput) {
      let largest = -Infinity
      for (let c = 0; c < this.#channels; c++) if (this.#watermarks[c]! > largest) largest = this.#watermarks[c]!
      this.#emit(largest)
    }
    this.#emitStatus(true)
  }

  #emitLeast(): void {
    if (this.#heapSize > 0) this.#emit(this.#watermarks[this.#heap[0]!]!)
  }

  #emit(timestampMs: number): void {
    if (!(timestampMs > this.watermarkMs)) return
    this.watermarkMs = timestampMs
    this.#output.watermark(timestampMs)
  }

  #emitStatus(idle: boolean): void {
    if (this.idle === idle) return
    this.idle = idle
    this.#output.status(idle)
  }

  #insert(channel: number): void {
    this.#put(this.#heapSize++, channel)
    this.#rise(this.#place[channel]!)
  }

  #remove(channel: number): void {
    const at = this.#place[channel]!
    if (at === NOT_IN_HEAP) return
    this.#place[channel] = NOT_IN_HEAP
    const last = this.#heap[--this.#heapSize]!
    if (last === channel) return
    this.#put(at, last)
    this.#rise(at)
    this.#sink(this.#place[last]!)
  }

  #put(at: number, channel: number): void {
    this.#heap[at] = channel
    this.#place[channel] = at
  }

  #rise(at: number): void {
    const channel = this.#heap[at]!
    const watermarkMs = this.#watermarks[channel]!
    while (at > 0) {
      const above = (at - 1) >> 1
      const other = this.#heap[above]!
      if (this.#watermarks[other]! <= watermarkMs) break
      this.#put(at, other)
      at = above
    }
    this.#put(at, channel)
  }

  #sink(at: number): void {
    const channel = this.#heap[at]!
    const watermarkMs = this.#watermarks[channel]!
    for (;;) {
      let below = 2 * at + 1
      if (below >= this.#heapSize) break
      if (
        below + 1 < this.#heapSize &&
        this.#watermarks[this.#heap[below + 1]!]! < this.#watermarks[this.#heap[below]!]!
      )
        below++
      const other = this.#heap[below]!
      if (this.#watermarks[other]! >= watermarkMs) break
      this.#put(at, other)
      at = below
    }
    this.#put(at, channel)
  }
}
