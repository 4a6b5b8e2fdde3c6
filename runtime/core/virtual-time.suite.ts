/** Time for tests: stands still until it is advanced, and then runs what is due, in order. */
import { ManualClock } from './clock.ts'

export class VirtualTime {
  readonly clock: ManualClock
  #due: { atMs: number; callback: () => void }[] = []

  constructor(startMs = 0) {
    this.clock = new ManualClock(startMs)
  }

  readonly schedule = (ms: number, callback: () => void): (() => void) => {
    const entry = { atMs: this.clock.monotonic() + ms, callback }
    this.#due.push(entry)
    return () => {
      this.#due = this.#due.filter((other) => other !== entry)
    }
  }

  /** How long until each of the pending callbacks, the next one first. */
  get pendingMs(): number[] {
    return this.#due.map(({ atMs }) => atMs - this.clock.monotonic()).sort((a, b) => a - b)
  }

  advance(ms: number): void {
    const endMs = this.clock.monotonic() + ms
    for (;;) {
      const next = this.#due.reduce(
        (a, b) => (a === undefined || b.atMs < a.atMs ? b : a),
        undefined as Due | undefined,
      )
      if (next === undefined || next.atMs > endMs) break
      this.#due = this.#due.filter((other) => other !== next)
      this.clock.set(Math.max(next.atMs, this.clock.monotonic()))
      next.callback()
    }
    this.clock.set(endMs)
  }
}

type Due = { atMs: number; callback: () => void }
