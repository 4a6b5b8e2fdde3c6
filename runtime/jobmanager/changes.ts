/**
 * Tells onlookers when a cluster is not as it was: a version for each answer that differs from the one before, and who waits for the next is answered at once.
 *
 * What must hold: nothing is looked at while nobody waits, and looks come at most every {@link SETTLE_MS}, whatever happens; who waits costs a timer.
 */
import type { Schedule } from '../core/clock.ts'

export interface ChangesOptions<T> {
  /** As it is now: plain data, without what changes all the time. */
  view(): T
  schedule: Schedule
  /** Above those of all JobManagers before, as far as can be: whoever comes from one of them is answered at once. */
  firstVersion: number
  /** Of those who wait. */
  waitersMax?: number
}

const SETTLE_MS = 10
const WAITERS_MAX = 1_000

export interface Versioned<T> {
  version: number
  value: T
}

export class Changes<T> {
  readonly #options: ChangesOptions<T>
  #version: number
  #text = ''
  #value: T | undefined
  /** Something may have changed since the last look. */
  #dirty = true
  #settling = false
  readonly #waiters = new Set<() => void>()

  constructor(options: ChangesOptions<T>) {
    this.#options = options
    this.#version = options.firstVersion
  }

  /** Something may be another way than before. */
  touch(): void {
    this.#dirty = true
    if (this.#waiters.size === 0 || this.#settling) return
    this.#settling = true
    this.#options.schedule(SETTLE_MS, () => {
      this.#settling = false
      if (!this.#look()) return
      for (const answer of [...this.#waiters]) answer()
    })
  }

  /** As it is now. */
  now(): Versioned<T> {
    this.#look()
    return { version: this.#version, value: this.#value! }
  }

  /**
   * Resolves when the version is another than `since`, or after `waitMs`. undefined: too many wait.
   *
   * @example
   * const { version, value } = await changes.next(last, 30_000, signal)
   */
  async next(since: number | undefined, waitMs: number, signal?: AbortSignal): Promise<Versioned<T> | undefined> {
    if (this.now().version !== since || waitMs <= 0) return this.now()
    const { schedule, waitersMax = WAITERS_MAX } = this.#options
    if (this.#waiters.size >= waitersMax) return undefined
    const { promise, resolve } = Promise.withResolvers<void>()
    const stopTimer = schedule(waitMs, resolve)
    this.#waiters.add(resolve)
    signal?.addEventListener('abort', () => resolve(), { once: true })
    await promise
    this.#waiters.delete(resolve)
    stopTimer()
    return this.now()
  }

  /** Those who wait now. */
  get waiting(): number {
    return this.#waiters.size
  }

  /** Whether the version has changed. */
  #look(): boolean {
    if (!this.#dirty) return false
    this.#dirty = false
    const value = this.#options.view()
    const text = JSON.stringify(value)
    if (this.#value !== undefined && text === this.#text) return false
    this.#text = text
    this.#value = value
    this.#version++
    return true
  }
}
