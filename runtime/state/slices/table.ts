/**
 * The table of one window slice: key → accumulator, added to per record, fired and cleared as a whole.
 *
 * Algorithm: {@link SEGMENTS} open-addressing tables chosen by the top bits of the shipped hash; each grows by itself, so that no
 * insert stalls for long (32,768 keys a segment: about 1 ms). A place is `stride` doubles in one array, `[marker, column, column, ...]`, so a record touches one
 * cache line. The marker is the key itself where all keys are numbers, else the hash; NaN marks a free place. Other keys lie in `keys`
 * beside, and accumulators that are not plain numbers in `values`. Nothing is ever removed but everything: `clear` keeps the
 * memory for the next slice, and gives half of it back when it was used for less than an eighth.
 *
 * Correctness: a place found by `find` stays valid until the next insert into the same segment.
 *
 * Loaded once per operator (`hotCopy('state/slices/table', n)`).
 */
import type { Key } from '../../core/functions.ts'
import { hashNumber, lookupKey } from '../../core/hash.ts'
import { detachString } from '../detach.ts'
import type { SegmentSnapshot } from './snapshot.ts'

export const SEGMENTS = 32
/** Of an unsigned hash to its segment. */
export const SEGMENT_SHIFT = 27
const CAPACITY_MIN = 16
const LOAD_MAX = 0.6
/** Spreads hashes whose low bits are those of few key groups: the top bits of the product depend on all bits. */
export const MULTIPLIER = 0x9e3779b1

/** How keys are kept: all are numbers, or anything. */
export type KeyMode = 'number' | 'any'

/** What an operator's tables have in common. */
export interface SliceLayout {
  readonly keys: KeyMode
  /** Doubles of an accumulator; -1 when accumulators are objects in `values`. */
  readonly columns: number
}

export abstract class Segment {
  readonly stride: number
  cells: Float64Array
  /** undefined: keys are numbers, in the cells. Tuples and bytes are kept by their lookup key. */
  keys: any[] | undefined
  /** The keys themselves where they are tuples or bytes. */
  originals: any[] | undefined
  /** undefined: accumulators are in the cells. */
  values: any[] | undefined
  mask = 0
  shift = 0
  size = 0
  sizeMax = 0
  /** A snapshot that has not taken all places yet: tell it before an accumulator changes. */
  snapshot: SegmentSnapshot | undefined = undefined

  constructor(layout: SliceLayout) {
    this.stride = 1 + Math.max(0, layout.columns)
    this.cells = new Float64Array(0)
    this.keys = layout.keys === 'any' ? [] : undefined
    this.values = layout.columns < 0 ? [] : undefined
    this.allocate(CAPACITY_MIN)
  }

  /** Places, free ones included. */
  get capacity(): number {
    return this.mask + 1
  }

  allocate(capacity: number): void {
    this.cells = new Float64Array(capacity * this.stride).fill(Number.NaN)
    if (this.keys !== undefined) this.keys = new Array(capacity).fill(undefined)
    if (this.values !== undefined) this.values = new Array(capacity).fill(undefined)
    if (this.originals !== undefined) this.originals = new Array(capacity).fill(undefined)
    this.mask = capacity - 1
    this.shift = 32 - Math.log2(capacity)
    this.sizeMax = Math.floor(capacity * LOAD_MAX)
  }

  /** The place of `key`; when it is not there, `~place` for {@link insert}. */
  abstract find(key: any, hash: number): number
  /** Takes the free place `~found` for a key, growing first if needed; returns the key's place. The accumulator is the caller's to set. */
  abstract insert(found: number, key: any, hash: number): number
  /** The hash that a taken place belongs to. */
  abstract hashAt(place: number): number

  isTaken(place: number): boolean {
    const marker = this.cells[place * this.stride]!
    return !Number.isNaN(marker)
  }

  /** The key of a taken place as the user gave it. */
  keyAt(place: number): Key {
    if (this.keys === undefined) return this.cells[place * this.stride]!
    return this.originals?.[place] ?? this.keys[place]
  }

  grow(): void {
    this.snapshot?.finish()
    const { cells, keys, values, originals, capacity, stride } = this
    this.allocate(capacity * 2)
    for (let from = 0; from < capacity; from++) {
      const marker = cells[from * stride]!
      if (Number.isNaN(marker)) continue
      const hash = keys === undefined ? hashNumber(marker) : marker
      let to = Math.imul(hash, MULTIPLIER) >>> this.shift
      while (this.isTaken(to)) to = (to + 1) & this.mask
      for (let i = 0; i < stride; i++) this.cells[to * stride + i] = cells[from * stride + i]!
      if (keys !== undefined) this.keys![to] = keys[from]
      if (values !== undefined) this.values![to] = values[from]
      if (originals !== undefined) this.originals![to] = originals[from]
    }
  }

  clear(): void {
    this.snapshot?.finish()
    if (this.size === 0 && this.capacity === CAPACITY_MIN) return
    if (this.capacity > CAPACITY_MIN && this.size * 8 < this.capacity) {
      this.allocate(this.capacity / 2)
    } else {
      this.cells.fill(Number.NaN)
      this.keys?.fill(undefined)
      this.values?.fill(undefined)
      this.originals?.fill(undefined)
    }
    this.size = 0
  }
}

/** Keys are numbers. The hash only says where to look. */
export class NumberSegment extends Segment {
  override find(key: number, hash: number): number {
    const { cells, stride, mask } = this
    let place = Math.imul(hash, MULTIPLIER) >>> this.shift
    for (;;) {
      const marker = cells[place * stride]!
      if (marker === key) return place
      if (Number.isNaN(marker)) return ~place
      place = (place + 1) & mask
    }
  }

  override insert(found: number, key: number, hash: number): number {
    if (this.size >= this.sizeMax) {
      this.grow()
      found = this.find(key, hash)
    }
    this.size++
    this.snapshot?.added(~found)
    this.cells[~found * this.stride] = key + 0 // -0 is 0
    return ~found
  }

  override hashAt(place: number): number {
    return hashNumber(this.cells[place * this.stride]!)
  }
}

/** Keys are anything that can be a key. */
export class AnySegment extends Segment {
  override find(key: Key, hash: number): number {
    const lookup = typeof key === 'object' ? lookupKey(key) : key
    const { cells, stride, mask } = this
    const keys = this.keys!
    const wanted = hash | 0
    let place = Math.imul(hash, MULTIPLIER) >>> this.shift
    for (;;) {
      const marker = cells[place * stride]!
      if (marker === wanted) {
        if (keys[place] === lookup) return place
      } else if (Number.isNaN(marker)) return ~place
      place = (place + 1) & mask
    }
  }

  override insert(found: number, key: Key, hash: number): number {
    if (this.size >= this.sizeMax) {
      this.grow()
      found = this.find(key, hash)
    }
    this.size++
    const place = ~found
    this.snapshot?.added(place)
    this.cells[place * this.stride] = hash | 0
    if (typeof key === 'object') {
      this.keys![place] = lookupKey(key)
      this.originals ??= new Array(this.capacity).fill(undefined)
      this.originals[place] = key
    } else {
      this.keys![place] = typeof key === 'string' ? detachString(key) : key
    }
    return place
  }

  override hashAt(place: number): number {
    return this.cells[place * this.stride]! >>> 0
  }
}

/** One slice. */
export class SliceTable {
  readonly segments: readonly Segment[]

  constructor(layout: SliceLayout) {
    this.segments = Array.from({ length: SEGMENTS }, () =>
      layout.keys === 'number' ? new NumberSegment(layout) : new AnySegment(layout),
    )
  }

  segmentOf(hash: number): Segment {
    return this.segments[hash >>> SEGMENT_SHIFT]!
  }

  get size(): number {
    let size = 0
    for (const segment of this.segments) size += segment.size
    return size
  }
}

/**
 * Moves a slice into a table of another layout. `accumulator` gives what `values` shall hold for a place of `from` where the
 * columns end; it is not called when both have the same columns.
 */
export function convertSlice(
  from: SliceTable,
  layout: SliceLayout,
  accumulator: (segment: Segment, place: number) => any,
): SliceTable {
  const to = new SliceTable(layout)
  for (const segment of from.segments) {
    segment.snapshot?.finish()
    for (let place = 0; place < segment.capacity; place++) {
      if (!segment.isTaken(place)) continue
      const hash = segment.hashAt(place)
      const key = segment.keyAt(place)
      const target = to.segmentOf(hash)
      const at = target.insert(target.find(key, hash), key, hash)
      if (layout.columns < 0)
        target.values![at] = segment.values === undefined ? accumulator(segment, place) : segment.values[place]
      else
        for (let i = 1; i < segment.stride; i++)
          target.cells[at * target.stride + i] = segment.cells[place * segment.stride + i]!
    }
  }
  return to
}
