/**
 * Time and randomness for tests that try many orders of events: everything follows from the seed.
 *
 * @example
 * const time = new SeededTime(17)
 * const done = work({ schedule: time.schedule, random: time.random })
 * await time.run()
 */
import type { Clock } from '../core/clock.ts'
import type { Schedule } from './retry.ts'

interface Waiting {
  atMs: number
  order: number
  callback: () => void
}

export class SeededTime implements Clock {
  #nowMs = 1_000_000
  #state: number
  #waiting: Waiting[] = []

  constructor(seed: number) {
    this.#state = seed
  }

  now(): number {
    return Math.floor(this.#nowMs)
  }

  monotonic(): number {
    return this.#nowMs
  }

  /** From 0 up to 1 (mulberry32). */
  readonly random = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 up to `bound`. */
  readonly below = (bound: number): number => Math.floor(this.random() * bound)

  readonly chance = (probability: number): boolean => this.random() < probability

  /** What is due at the same time comes in an order by chance. */
  readonly schedule: Schedule = (ms, callback) => {
    const one = { atMs: this.#nowMs + ms, order: this.random(), callback }
    if (ms < Infinity) this.#waiting.push(one)
    return () => {
      this.#waiting = this.#waiting.filter((other) => other !== one)
    }
  }

  readonly wait = (ms: number): Promise<void> => new Promise((resolve) => this.schedule(ms, resolve))

  /** Lets time pass until nothing waits for it, or until `until` has settled. */
  async run<T>(until?: Promise<T>): Promise<void> {
    let settled = false
    const settle = () => {
      settled = true
    }
    until?.then(settle, settle)
    for (;;) {
      // All that can go on without time has done so after this.
      await new Promise((resolve) => setImmediate(resolve))
      if (settled) return
      let next: Waiting | undefined
      for (const one of this.#waiting) if (next === undefined || isBefore(one, next)) next = one
      if (next === undefined) return
      this.#waiting = this.#waiting.filter((one) => one !== next)
      this.#nowMs = Math.max(this.#nowMs, next.atMs)
      next.callback()
    }
  }
}

function isBefore(a: Waiting, b: Waiting): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}
