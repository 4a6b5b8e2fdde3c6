/**
 * What slots hold of states with a time to live: a Stamped, an array of them, or a Map to them; never an empty array or Map.
 *
 * A value has expired when `t + ttlMs <= now`. Times are doubles, so the sum of a time and the longest time to live does not wrap around.
 * One class serves all states: it is what this file, snapshots and sweeps see, whatever the state.
 */
import type { Entry } from './entry-code.ts'
import type { SlotKind } from './snapshot.ts'

/** A value, an element or the value of a map entry, and the last access that counts. */
export class Stamped {
  v: any
  /** Milliseconds since 1970. */
  t: number
  constructor(v: any, t: number) {
    this.v = v
    this.t = t
  }
}

/** The elements that have not expired; the same array when all have not. */
export function unexpired(list: Stamped[], ttlMs: number, now: number): Stamped[] {
  for (let i = 0; i < list.length; i++) {
    if (list[i]!.t + ttlMs <= now) return list.filter(({ t }) => !(t + ttlMs <= now))
  }
  return list
}

export function valuesOf(list: readonly Stamped[]): any[] {
  return list.map(({ v }) => v)
}

/** What a slot without times holds, with times. */
export function stamp(kind: SlotKind, kept: any, t: number): any {
  if (kind === 'value') return new Stamped(kept, t)
  if (kind === 'list') return kept.map((v: any) => new Stamped(v, t))
  return new Map([...kept].map(([key, v]) => [key, new Stamped(v, t)]))
}

/** What a slot with times holds, without them. */
export function unstamp(kind: SlotKind, kept: any): any {
  if (kind === 'value') return kept.v
  if (kind === 'list') return valuesOf(kept)
  return new Map([...kept].map(([key, { v }]) => [key, v]))
}

/** What is told before an entry changes that is not the current one: a snapshot may have to take it first. */
export interface ChangeListener {
  beforeChange(entry: Entry): void
}

/**
 * A place in a map, for sweeps that look at a few entries at a time and go on where they were. Whatever happens to the map in between is no harm: an
 * iterator of a Map sees what is added and passes over what is gone.
 */
export class MapPlace {
  /** The map that it stands in; undefined at the end of one. */
  map: Map<unknown, Stamped> | undefined
  #entries: Iterator<[unknown, Stamped]> | undefined

  /** Drops what has expired among the next `most` entries of a map of this entry; returns at how many it has looked. */
  sweep(
    map: Map<unknown, Stamped>,
    most: number,
    ttlMs: number,
    now: number,
    entry: Entry,
    listener: ChangeListener,
  ): number {
    if (this.map !== map) {
      this.map = map
      this.#entries = map.entries()
    }
    let looked = 0
    while (looked < most) {
      const { done, value } = this.#entries!.next()
      if (done === true) {
        this.leave(map)
        break
      }
      looked++
      if (value[1].t + ttlMs <= now) {
        listener.beforeChange(entry)
        map.delete(value[0])
      }
    }
    return looked
  }

  /** The map is of no interest any more. */
  leave(map: Map<unknown, Stamped>): void {
    if (this.map !== map) return
    this.map = undefined
    this.#entries = undefined
  }
}
