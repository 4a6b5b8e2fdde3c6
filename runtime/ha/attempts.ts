/**
 * Requests with a deadline, against a place that may not answer: what is given up may still be under way, and only so many may be.
 */
import type { Schedule } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'

/** A disk that hangs holds a thread of Node's for each request, of four. */
const UNDER_WAY_MAX = 2

export class Attempts {
  readonly #place: string
  readonly #schedule: Schedule
  readonly #timeoutMs: number
  #underWay = 0

  constructor(place: string, schedule: Schedule, timeoutMs: number) {
    this.#place = place
    this.#schedule = schedule
    this.#timeoutMs = timeoutMs
  }

  /** Rejects with TR-HA-002 when there is no answer in time, or earlier requests have none yet. */
  run<T>(what: string, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const failed = (found: string) =>
      new TailraceError('TR-HA-002', `Cannot ${what} ${this.#place}: ${found}, wanted an answer in time`)
    if (this.#underWay >= UNDER_WAY_MAX)
      return Promise.reject(failed(`${this.#underWay} earlier requests are still without an answer`))
    const abort = new AbortController()
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    this.#underWay++
    const cancel = this.#schedule(this.#timeoutMs, () => {
      reject(failed(`no answer within ${this.#timeoutMs} ms`))
      abort.abort()
    })
    work(abort.signal)
      .then(resolve, reject)
      .finally(() => {
        this.#underWay--
        cancel()
      })
    return promise
  }
}

/** What the place said on how long to leave it in peace. */
export function retryAfterMsOf(error: unknown): number {
  const ms = (error as { retryAfterMs?: unknown } | undefined)?.retryAfterMs
  return typeof ms === 'number' && ms > 0 ? ms : 0
}
