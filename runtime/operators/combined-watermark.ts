/**
 * The watermark of several parts of one stream: the splits of a source reader [E-06], the inputs of an operator [E-10].
 *
 * Combined watermark = least watermark of the parts that are not idle; it never goes back. When the last part falls idle, what it
 * held back is flushed (the largest watermark of all parts) before the idleness is told. A part at Infinity has ended: it holds
 * nothing back, and Infinity itself comes out only when every part has ended, as an idle part may still go on.
 *
 * Unlike the channels of a task (network/valve.ts) a part that wakes up counts at once: its watermark belongs to the same reader.
 */

export interface CombinedOutput {
  watermark(timestampMs: number): void
  status(idle: boolean): void
}

/** One part. Fields are written by its owner through the methods only. */
export class PartialWatermark {
  watermarkMs = -Infinity
  idle = false

  /** True when it rose. Wakes the part. */
  advance(watermarkMs: number): boolean {
    this.idle = false
    if (!(watermarkMs > this.watermarkMs)) return false
    this.watermarkMs = watermarkMs
    return true
  }
}

/**
 * @example
 * const combined = new CombinedWatermark(output)
 * const a = combined.add()
 * const b = combined.add()
 * combined.emit(a, 5)
 * combined.emit(b, 2) // output.watermark(2)
 */
export class CombinedWatermark {
  /** Last watermark put out. */
  watermarkMs = -Infinity
  /** Last status put out. */
  idle = false
  readonly #parts: PartialWatermark[] = []
  readonly #output: CombinedOutput

  constructor(output: CombinedOutput) {
    this.#output = output
  }

  get size(): number {
    return this.#parts.length
  }

  add(): PartialWatermark {
    const part = new PartialWatermark()
    this.#parts.push(part)
    return part
  }

  /** The part no longer counts; false when it was none. Call `update` when all changes are made. */
  remove(part: PartialWatermark): boolean {
    const at = this.#parts.indexOf(part)
    if (at < 0) return false
    this.#parts.splice(at, 1)
    return true
  }

  /** A part's watermark rose: put out the combined one if it rose as well. */
  emit(part: PartialWatermark, watermarkMs: number): void {
    const wasIdle = part.idle
    const rose = part.advance(watermarkMs)
    if ((rose && watermarkMs > this.watermarkMs) || wasIdle) this.update()
  }

  setIdle(part: PartialWatermark, idle: boolean): void {
    if (part.idle === idle) return
    part.idle = idle
    this.update()
  }

  /** Computes the combined watermark and status and puts out what changed. Without parts nothing changes. */
  update(): void {
    if (this.#parts.length === 0) return
    let least = Infinity
    let largest = -Infinity
    let active = 0
    let ended = 0
    for (const part of this.#parts) {
      if (part.watermarkMs === Infinity) {
        ended++
        continue
      }
      if (part.watermarkMs > largest) largest = part.watermarkMs
      if (part.idle) continue
      active++
      if (part.watermarkMs < least) least = part.watermarkMs
    }
    const allEnded = ended === this.#parts.length
    const idle = active === 0 && !allEnded
    if (this.idle && !idle) {
      this.idle = false
      this.#output.status(false)
    }
    const watermarkMs = idle ? largest : least
    if (watermarkMs > this.watermarkMs) {
      this.watermarkMs = watermarkMs
      this.#output.watermark(watermarkMs)
    }
    if (idle && !this.idle) {
      this.idle = true
      this.#output.status(true)
    }
  }
}
