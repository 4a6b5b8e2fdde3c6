/**
 * Tells when a stream has been silent for longer than its timeout [E-11].
 *
 * Time is that of the caller, who leaves out the time in which no record could come: while the output was blocked, or the split
 * was paused. The silence begins at the first check that saw no activity, so it is never taken for longer than it was.
 */
export class IdlenessTimer {
  readonly #timeoutMs: number
  #activity = false
  #silentSinceMs = Number.NaN

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** A record has come. */
  activity(): void {
    this.#activity = true
  }

  /** True when no record came for more than the timeout up to `nowMs`. Call it again and again: each call looks at the time since the last. */
  check(nowMs: number): boolean {
    if (this.#activity) {
      this.#activity = false
      this.#silentSinceMs = Number.NaN
      return false
    }
    if (Number.isNaN(this.#silentSinceMs)) {
      this.#silentSinceMs = nowMs
      return false
    }
    return nowMs - this.#silentSinceMs > this.#timeoutMs
  }
}
