/**
 * Takes the places of slice tables as they were at a barrier, while records go on changing them: what state/heap/snapshot.ts does for entries.
 *
 * Each segment of the barrier gets a map of the places that are taken. `beforeKey` takes one that is about to be changed; places that are
 * inserted later count as taken. Growing or clearing a segment takes the rest of it first.
 */
import type { Key } from '../../core/functions.ts'
import type { Segment } from './table.ts'

/** Encodes one place. `early`: before its turn. */
export type EncodePlace = (segment: Segment, place: number, early: boolean) => void

/** Places looked at in one step: less than a millisecond. */
const PLACES_PER_STEP = 2048

export class SegmentSnapshot {
  readonly #segment: Segment
  readonly #encode: EncodePlace
  readonly #taken: Uint8Array
  #place = 0

  constructor(segment: Segment, encode: EncodePlace) {
    this.#segment = segment
    this.#encode = encode
    this.#taken = new Uint8Array(segment.capacity)
  }

  /** The accumulator of a key is about to change. */
  beforeKey(key: Key, hash: number): void {
    const place = this.#segment.find(key, hash)
    if (place < 0 || this.#taken[place] === 1) return
    this.#taken[place] = 1
    this.#encode(this.#segment, place, true)
  }

  added(place: number): void {
    this.#taken[place] = 1
  }

  /** Takes up to `most` places in turn; returns how many it looked at. The segment is free of it after the last one. */
  sweep(most: number): number {
    const segment = this.#segment
    const from = this.#place
    const end = Math.min(segment.capacity, from + most)
    for (let place = from; place < end; place++) {
      if (this.#taken[place] === 1 || !segment.isTaken(place)) continue
      this.#taken[place] = 1
      this.#encode(segment, place, false)
    }
    this.#place = end
    if (end === segment.capacity) segment.snapshot = undefined
    return end - from
  }

  finish(): void {
    this.sweep(Infinity)
  }
}

/** Begins a snapshot of these segments; call the result until it returns true. One that is still under way is finished first. */
export function snapshotSegments(
  parts: readonly { segments: readonly Segment[]; encode: EncodePlace }[],
): () => boolean {
  const open: SegmentSnapshot[] = []
  const of: Segment[] = []
  for (const { segments, encode } of parts) {
    for (const segment of segments) {
      segment.snapshot?.finish()
      if (segment.size === 0) continue
      segment.snapshot = new SegmentSnapshot(segment, encode)
      open.push(segment.snapshot)
      of.push(segment)
    }
  }
  let next = 0
  return () => {
    for (let left = PLACES_PER_STEP; left > 0 && next < open.length; ) {
      // Finished by someone else when it is not its segment's any more.
      if (of[next]!.snapshot === open[next]) left -= open[next]!.sweep(left)
      if (of[next]!.snapshot !== open[next]) next++
    }
    return next === open.length
  }
}
