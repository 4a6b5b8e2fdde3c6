/**
 * A queue of keys of things to look at, as controllers work it off.
 *
 * What must hold: a key waits at most once, is worked on by one at a time, and is looked at again when it was added meanwhile; whoever fails comes back after a pause of its own that
 * grows with its failures (capped, with jitter) and is forgotten with its first success; at most `concurrency` keys are worked on. Of what has just changed nothing waits for what is looked at as a
 * matter of routine, such as all that is there when a process begins to lead.
 */
import type { Clock, Schedule } from '../../runtime/core/clock.ts'

export interface WorkResult {
  /** To be looked at again after so many milliseconds, unless it is added before. */
  afterMs?: number | undefined
}

export interface WorkQueueOptions {
  /** Looks at one thing. What it throws is told, and tried again; `retryAfterMs` of an error is kept to. The signal says that time is up. */
  work(key: string, signal: AbortSignal): Promise<WorkResult | void>
  concurrency: number
  clock: Clock
  schedule: Schedule
  /** From 0 up to 1. */
  random(): number
  /** `failures` in a row. */
  failed(key: string, error: unknown, failures: number, waitMs: number): void
  /** For metrics: how long a key waited since it was added, and how long it took. */
  done?(key: string, waitedMs: number, tookMs: number, succeeded: boolean): void
  firstWaitMs?: number
  waitMaxMs?: number
}

const FIRST_WAIT_MS = 200
const WAIT_MAX_MS = 60_000

interface Later {
  atMs: number
  cancel(): void
}

/**
 * @example
 * const queue = new WorkQueue({ work: reconcile, concurrency: 10, clock, schedule, random, failed })
 * cache.listen({ changed: ({ metadata }) => queue.add(keyOf(metadata)), deleted: ({ metadata }) => queue.add(keyOf(metadata)) })
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  /** In the order of adding, with the time of it. */
  readonly #ready = new Map<string, number>()
  /** The same of those whose turn comes when nobody else waits. */
  readonly #behind = new Map<string, number>()
  readonly #later = new Map<string, Later>()
  readonly #active = new Set<string>()
  readonly #failures = new Map<string, number>()
  readonly #abort = new AbortController()
  #isWoken = false
  #isDraining = false
  #drained: (() => void) | undefined

  constructor(options: WorkQueueOptions) {
    if (!(options.concurrency >= 1))
      throw new RangeError(`Cannot work with concurrency ${options.concurrency}: wanted 1 or more`)
    this.#options = options
  }

  /** Keys that wait for their turn, without those that wait for a time. */
  get depth(): number {
    return this.#ready.size + this.#behind.size
  }

  get active(): number {
    return this.#active.size
  }

  /** Keys that wait for a time, after a failure or because it was asked for. */
  get delayed(): number {
    return this.#later.size
  }

  /** Failures in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0
  }

  /** As soon as possible; also when it waits for a time. */
  add(key: string): void {
    const sinceMs = this.#behind.get(key)
    this.#behind.delete(key)
    this.#add(this.#ready, key, sinceMs)
  }

  /** When nothing that was added otherwise waits; nothing is known to have changed. */
  addBehind(key: string): void {
    if (!this.#ready.has(key)) this.#add(this.#behind, key)
  }

  /** After so many milliseconds; the earliest counts. */
  addAfter(key: string, ms: number): void {
    if (this.#isDraining || this.#ready.has(key) || this.#behind.has(key)) return
    if (!(ms > 0)) {
      this.add(key)
      return
    }
    const { clock, schedule } = this.#options
    const atMs = clock.monotonic() + ms
    const before = this.#later.get(key)
    if (before !== undefined && before.atMs <= atMs) return
    before?.cancel()
    this.#later.set(key, { atMs, cancel: schedule(ms, () => this.add(key)) })
  }

  /** What is known of a key's failures and plans is of no use any more: the thing is gone. */
  forget(key: string): void {
    this.#failures.delete(key)
    this.#later.get(key)?.cancel()
    this.#later.delete(key)
  }

  /** Begins nothing any more; resolves when what was begun has ended. It is told that time is up after `graceMs`. */
  async drain(graceMs: number): Promise<void> {
    this.#isDraining = true
    for (const { cancel } of this.#later.values()) cancel()
    this.#later.clear()
    this.#ready.clear()
    this.#behind.clear()
    if (this.#active.size === 0) return
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#drained = resolve
    const cancel = this.#options.schedule(graceMs, () => this.#abort.abort(new Error('the queue is drained')))
    await promise
    cancel()
  }

  #add(to: Map<string, number>, key: string, sinceMs = this.#options.clock.monotonic()): void {
    if (this.#isDraining) return
    this.#later.get(key)?.cancel()
    this.#later.delete(key)
    if (!to.has(key)) to.set(key, sinceMs)
    this.#wake()
  }

  /** Not inside of the call that adds: many are added at once. */
  #wake(): void {
    if (this.#isWoken) return
    this.#isWoken = true
    queueMicrotask(() => {
      this.#isWoken = false
      this.#next()
    })
  }

  #next(): void {
    const { concurrency } = this.#options
    if (this.#isDraining) return
    for (const waiting of [this.#ready, this.#behind])
      for (const [key, addedMs] of waiting) {
        if (this.#active.size >= concurrency) return
        // Its turn comes when it is done.
        if (this.#active.has(key)) continue
        waiting.delete(key)
        void this.#run(key, addedMs)
      }
  }

  async #run(key: string, addedMs: number): Promise<void> {
    const { work, clock, done } = this.#options
    this.#active.add(key)
    const startedMs = clock.monotonic()
    let afterMs: number | undefined
    let succeeded = false
    try {
      afterMs = (await work(key, this.#abort.signal))?.afterMs
      succeeded = true
    } catch (error) {
      this.#fail(key, error)
    }
    this.#active.delete(key)
    done?.(key, startedMs - addedMs, clock.monotonic() - startedMs, succeeded)
    if (succeeded) {
      this.#failures.delete(key)
      if (afterMs !== undefined) this.addAfter(key, afterMs)
    }
    if (this.#isDraining && this.#active.size === 0) this.#drained?.()
    this.#wake()
  }

  #fail(key: string, error: unknown): void {
    const { random, firstWaitMs = FIRST_WAIT_MS, waitMaxMs = WAIT_MAX_MS, failed } = this.#options
    const failures = this.failures(key) + 1
    this.#failures.set(key, failures)
    const full = Math.min(waitMaxMs, firstWaitMs * 2 ** Math.min(failures - 1, 30))
    const { retryAfterMs } = error as { retryAfterMs?: unknown }
    const toldMs = typeof retryAfterMs === 'number' ? Math.min(retryAfterMs, waitMaxMs) : 0
    const waitMs = Math.max(toldMs, Math.round((full / 2) * (1 + random())))
    failed(key, error, failures, waitMs)
    this.addAfter(key, waitMs)
  }
}
