/**
 * Looks for what has expired and nobody reads: a few values per access of a state with a time to live [TTL-03].
 *
 * Algorithm: one place in the backend's table, for all of its states that want it. Each step looks at some values from there on, state by state of an
 * entry, and goes on with the next entry, round and round; a large map is left in the middle and gone on with (stamped.ts).
 * Correctness: the current entry is passed over, as its handles are at work on it and its values may be handed out. An entry that a snapshot has yet
 * to take is taken before it changes (`beforeChange`). Removing closes gaps and growing moves entries: one that gets behind the place is
 * seen in the next round, one that is seen twice has lost nothing, and a place beyond the end is the next segment's.
 */
import type { Entry } from './entry-code.ts'
import type { Segment } from './segment.ts'

/** Places and segments looked at per value that may be: most are free where keys are few. */
const LOOKS_PER_VALUE = 8

export interface SweptTable {
  readonly segments: readonly Segment[]
  current: Entry
  isEmpty(entry: Entry): boolean
  /** Takes an entry that is not the current one out of its segment. */
  remove(entry: Entry): void
}

/** One state, as the sweep sees it. */
export interface SweptState {
  /** Drops what has expired of up to `most` values of an entry; returns at how many it has looked. */
  sweep(entry: Entry, most: number, now: number): number
  /** Of the entry of the last call there are values left. */
  readonly unfinished: boolean
}

export class ExpirySweep {
  readonly #table: SweptTable
  readonly #states: SweptState[] = []
  #segment = 0
  #place = 0
  /** Which state of the entry there is next. */
  #state = 0

  constructor(table: SweptTable) {
    this.#table = table
  }

  add(state: SweptState): void {
    this.#states.push(state)
  }

  /** Looks at about `values` values. */
  step(values: number, now: number): void {
    const table = this.#table
    const { segments, current } = table
    const states = this.#states
    let left = values
    for (let looks = values * LOOKS_PER_VALUE; left > 0 && looks > 0; looks--) {
      const segment = segments[this.#segment]!
      if (segment.size === 0 || this.#place >= segment.pairs.length) {
        this.#segment = this.#segment + 1 === segments.length ? 0 : this.#segment + 1
        this.#place = this.#state = 0
        continue
      }
      const entry: Entry | undefined = segment.pairs[this.#place + 1]
      if (entry === undefined || entry === current) {
        this.#place += 2
        this.#state = 0
        continue
      }
      const state = states[this.#state]!
      left -= Math.max(1, state.sweep(entry, left, now))
      if (table.isEmpty(entry)) {
        // The place may have another entry now.
        table.remove(entry)
        this.#state = 0
      } else if (!state.unfinished && ++this.#state === states.length) {
        this.#place += 2
        this.#state = 0
      }
    }
  }
}
