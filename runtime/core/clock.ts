/**
 * Time as an argument. Processing time and pacing come from a {@link Clock}, so that tests and the simulation control them.
 */

/** The timestamp of a record that has none. */
export const NO_TIMESTAMP = -Infinity
/** The watermark before the first one. */
export const MIN_WATERMARK = -Infinity
/** The watermark at the end of a bounded input. */
export const MAX_WATERMARK = Infinity

export interface Clock {
  /** Milliseconds since 1970, whole; processing time. */
  now(): number
  /** Milliseconds with a fraction since an arbitrary start, never going back; for budgets, timeouts and busy time. */
  monotonic(): number
  /** Only clocks that stand still until they are moved: calls `listener` after each move. Returns how to stop that. */
  onMove?(listener: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}

/** Runs `callback` once after `ms`; returns how to prevent it. */
export type Schedule = (ms: number, callback: () => void) => () => void

/** By timers of the thread, which hold the process. */
export const systemSchedule: Schedule = (ms, callback) => {
  const timer = setTimeout(callback, ms)
  return () => clearTimeout(timer)
}

/** By timers that do not hold the process. */
export const backgroundSchedule: Schedule = (ms, callback) => {
  const timer = setTimeout(callback, ms)
  timer.unref()
  return () => clearTimeout(timer)
}

/** Flink's literals at the edges (REST, metrics): int64 min and max stand for no time and end of time. */
export const LONG_MIN = '-9223372036854775808'
export const LONG_MAX = '9223372036854775807'

/**
 * A clock that stands still until a test moves it.
 *
 * @example
 * const clock = new ManualClock(1000)
 * clock.advance(500)
 * clock.now() // 1500
 */
export class ManualClock implements Clock {
  #nowMs: number
  readonly #listeners = new Set<() => void>()
  constructor(startMs = 0) {
    this.#nowMs = startMs
  }
  now(): number {
    return Math.floor(this.#nowMs)
  }
  monotonic(): number {
    return this.#nowMs
  }
  advance(ms: number): void {
    this.set(this.#nowMs + ms)
  }
  set(ms: number): void {
    this.#nowMs = ms
    for (const listener of this.#listeners) listener()
  }
  onMove(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
