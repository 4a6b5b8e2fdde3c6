/**
 * Rates from counters: what a metrics page held at earlier moments.
 *
 * Slots only add to counters; whoever reads remembers old values and divides. The last ten seconds are kept one by one, as the page
 * of a job shows them, the rest of a minute every five seconds, as meters average over it. That bounds the memory of a page to
 * about twenty copies of its used part. Only the reader's thread writes here; a slot notices nothing.
 */

const KEPT_MS = 60_000
const DENSE_MS = 10_000
const SPARSE_STEP_MS = 5_000
/** Rates over less than this say more about the moment of the look than about the job. */
const SHORTEST_MS = 200

interface Look {
  atMs: number
  values: Float64Array
}

/**
 * @example
 * const history = new PageHistory(page)
 * history.look(0, 1)
 * new Float64Array(page)[0] += 500
 * history.perSecond(0, 60_000, 1000) // 500
 */
export class PageHistory {
  readonly page: Float64Array
  #looks: Look[] = []

  constructor(buffer: SharedArrayBuffer) {
    this.page = new Float64Array(buffer)
  }

  /** Remembers the first `used` values as of now; `nowMs` is monotonic. */
  look(nowMs: number, used: number): void {
    const kept: Look[] = []
    for (const look of this.#looks) {
      const age = nowMs - look.atMs
      if (age > KEPT_MS) continue
      const before = kept.at(-1)
      if (age > DENSE_MS && before !== undefined && look.atMs - before.atMs < SPARSE_STEP_MS) continue
      kept.push(look)
    }
    kept.push({ atMs: nowMs, values: this.page.slice(0, used) })
    this.#looks = kept
  }

  /** How many looks are remembered. */
  get size(): number {
    return this.#looks.length
  }

  value(index: number): number {
    return this.page[index]!
  }

  /** Growth per second over the last `windowMs` or what is known of them; 0 before there is an earlier look. */
  perSecond(index: number, windowMs: number, nowMs: number): number {
    const look = this.#oldest(index, windowMs, nowMs)
    return look === undefined ? 0 : ((this.page[index]! - look.values[index]!) * 1000) / (nowMs - look.atMs)
  }

  /** Length of the time that {@link perSecond} would look at, milliseconds; 0 if there is none. */
  span(index: number, windowMs: number, nowMs: number): number {
    const look = this.#oldest(index, windowMs, nowMs)
    return look === undefined ? 0 : nowMs - look.atMs
  }

  #oldest(index: number, windowMs: number, nowMs: number): Look | undefined {
    for (const look of this.#looks) {
      const age = nowMs - look.atMs
      if (age < SHORTEST_MS) return undefined
      // A little over the window is inside: looks come once a second, not on the dot.
      if (age <= windowMs + 500 && index < look.values.length) return look
    }
    return undefined
  }
}
