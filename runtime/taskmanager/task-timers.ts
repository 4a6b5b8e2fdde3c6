/**
 * Timers of one task by its processing-time clock: a binary heap, the earliest first, equal times in the order of registration.
 * They run on the task's turn, never inside a record.
 *
 * What must hold: a timer runs when the clock shows its time, and no later than the time it had left when it was registered has passed, however far the machine's clock was set back meanwhile: watermarks,
 * retries and flushes are timers, too.
 */
import type { Clock } from '../core/clock.ts'

interface Timer {
  timeMs: number
  /** {@link timeMs} by a clock that was never set back. */
  dueMs: number
  handle: number
  callback: (timeMs: number) => void
}

/** A clock that goes a little slowly is not one that was set back. */
const SET_BACK_MIN_MS = 1_000

export class TaskTimers {
  readonly #clock: Clock
  /** Of the clock, ahead of its monotonic time, when it was looked at last. */
  #aheadMs = Number.NEGATIVE_INFINITY
  /** By how much it was set back so far, all in all. */
  #setBackMs = 0
  #heap: Timer[] = []
  #cancelled = new Set<number>()
  #nextHandle = 1

  constructor(clock: Clock) {
    this.#clock = clock
  }

  register(timeMs: number, callback: (timeMs: number) => void): number {
    this.#look(this.#clock.monotonic())
    const handle = this.#nextHandle++
    const heap = this.#heap
    let i = heap.push({ timeMs, dueMs: timeMs + this.#setBackMs, handle, callback }) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(heap[i]!, heap[parent]!)) break
      ;[heap[i], heap[parent]] = [heap[parent]!, heap[i]!]
      i = parent
    }
    return handle
  }

  cancel(handle: number): void {
    if (this.#heap.some((t) => t.handle === handle)) this.#cancelled.add(handle)
  }

  /** How long until the earliest timer is due; Infinity when there is none. `monotonicMs` is the time now. */
  dueInMs(monotonicMs: number): number {
    const next = this.#next
    if (next === undefined) return Number.POSITIVE_INFINITY
    return Math.max(0, next.dueMs - this.#look(monotonicMs) - this.#setBackMs)
  }

  /** Runs the timers that are due. One that a callback registers for a time that is over runs in the same call. True when any ran. */
  run(monotonicMs: number): boolean {
    if (this.#next === undefined) return false
    const nowMs = this.#look(monotonicMs)
    let ran = false
    for (let next = this.#next; next !== undefined && next.dueMs - this.#setBackMs <= nowMs; next = this.#next) {
      const timer = this.#pop()
      timer.callback(timer.timeMs)
      ran = true
    }
    return ran
  }

  get #next(): Timer | undefined {
    while (this.#heap.length > 0 && this.#cancelled.delete(this.#heap[0]!.handle)) this.#pop()
    return this.#heap[0]
  }

  /** What the clock shows; notices whether it was set back. */
  #look(monotonicMs: number): number {
    const nowMs = this.#clock.now()
    const aheadMs = nowMs - monotonicMs
    const backMs = this.#aheadMs - aheadMs
    if (backMs > SET_BACK_MIN_MS) this.#setBackMs += backMs
    this.#aheadMs = aheadMs
    return nowMs
  }

  #pop(): Timer {
    const heap = this.#heap
    const top = heap[0]!
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      for (let i = 0; ; ) {
        const left = 2 * i + 1
        if (left >= heap.length) break
        const child = left + 1 < heap.length && before(heap[left + 1]!, heap[left]!) ? left + 1 : left
        if (!before(heap[child]!, heap[i]!)) break
        ;[heap[i], heap[child]] = [heap[child]!, heap[i]!]
        i = child
      }
    }
    return top
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.handle < b.handle)
}
