/**
 * A hash table of entries that are found by 32-bit hashes; the heap backend has at least 256 of them.
 *
 * Algorithm: open addressing in one array of pairs `[hash, entry]`: the hash decides most comparisons without touching the entry, and growing moves
 * pairs only. Hash 0 marks a free place (a real 0 is kept as 1, see {@link storedHash}). The key group is hash mod maxParallelism, so the place within
 * a segment comes from a multiplication that lets all bits decide. Removing shifts the run behind back: there are no tombstones.
 *
 * Nothing here looks into an entry: one copy of this code serves the entry classes of all operators. Lookups are written out where they are hot
 * (backend.ts).
 */

const CAPACITY_MIN = 8
const LOAD_MAX = 0.6
/** Multiply a stored hash by it and shift right by `shift`: the number of the pair where a lookup begins. */
export const MULTIPLIER = 0x9e3779b1

export class Segment {
  /** Pairs: stored hash (0: free), entry. */
  pairs: any[]
  /** Of an index into pairs. */
  mask: number
  /** Of a 32-bit product to a pair's number. */
  shift: number
  size = 0
  sizeMax: number

  constructor(capacity = CAPACITY_MIN) {
    this.pairs = freePairs(capacity)
    this.mask = 2 * capacity - 1
    this.shift = 32 - Math.log2(capacity)
    this.sizeMax = Math.floor(capacity * LOAD_MAX)
  }
}

/** Stands for all segments that never had an entry. */
export const NO_ENTRIES = new Segment(2)
NO_ENTRIES.sizeMax = 0

/** The capacity of a segment for so many entries and a tenth more. */
export function capacityFor(entries: number): number {
  let capacity = CAPACITY_MIN
  while (capacity * LOAD_MAX < entries * 1.1) capacity *= 2
  return capacity
}

/** The hash as it stands in pairs. */
export function storedHash(hash: number): number {
  return (hash | 0) === 0 ? 1 : hash | 0
}

/** Adds an entry that is not there, where the segment has room for it. */
export function put(segment: Segment, stored: number, entry: object): void {
  const { pairs, mask } = segment
  let at = firstPlace(segment, stored)
  while (pairs[at] !== 0) at = (at + 2) & mask
  pairs[at] = stored
  pairs[at + 1] = entry
  segment.size++
}

/** Makes room for twice as many. */
export function grow(segment: Segment): void {
  const { pairs, size } = segment
  Object.assign(segment, new Segment(pairs.length), { size })
  const { pairs: target, mask } = segment
  for (let from = 0; from < pairs.length; from += 2) {
    const stored = pairs[from]
    if (stored === 0) continue
    let at = firstPlace(segment, stored)
    while (target[at] !== 0) at = (at + 2) & mask
    target[at] = stored
    target[at + 1] = pairs[from + 1]
  }
}

/** Takes an entry out and closes the gap: what a later lookup would no longer reach moves into it. */
export function take(segment: Segment, stored: number, entry: object): void {
  const { pairs, mask } = segment
  let gap = firstPlace(segment, stored)
  while (pairs[gap + 1] !== entry) gap = (gap + 2) & mask
  for (let at = (gap + 2) & mask; pairs[at] !== 0; at = (at + 2) & mask) {
    const home = firstPlace(segment, pairs[at])
    if (((at - home) & mask) < ((at - gap) & mask)) continue
    pairs[gap] = pairs[at]
    pairs[gap + 1] = pairs[at + 1]
    gap = at
  }
  pairs[gap] = 0
  pairs[gap + 1] = undefined
  segment.size--
}

/** Entries of a segment as they are now: it may be changed while they are gone through. */
export function entriesOf({ pairs, size }: Segment): any[] {
  return size === 0 ? [] : pairs.filter((_, at) => (at & 1) === 1 && pairs[at - 1] !== 0)
}

function firstPlace(segment: Segment, stored: number): number {
  return (Math.imul(stored, MULTIPLIER) >>> segment.shift) << 1
}

function freePairs(capacity: number): any[] {
  // Filled with undefined first: the array holds objects from the start and never changes its kind.
  const pairs = new Array(2 * capacity).fill(undefined)
  for (let i = 0; i < pairs.length; i += 2) pairs[i] = 0
  return pairs
}
