/**
 * Takes the entries of a heap backend as they were at a barrier, while records go on changing them.
 *
 * Algorithm: copy on first access by versions. A snapshot raises the backend's version; an entry of another version is as it was at the barrier. `step`
 * goes through the segments, in the order of key groups, and encodes such entries; `setKey`, through which every access goes, encodes the entry
 * that it finds before it hands it out (users change what `value()` returns, so a read counts). Either raises the entry's version.
 * Correctness: each entry of the barrier is encoded once, before anyone can change it; one made later never. Removing from a segment, or growing it, moves
 * entries over the place where `step` stands: the rest of that segment is encoded first. What had expired at the barrier is left out.
 */
import { keyOfLookup } from '../../core/hash.ts'
import type { StateTtlConfig } from '../../core/state-ttl.ts'
import { inferType, type TypeDescription } from '../../core/types.ts'
import type { TableSource } from '../backend.ts'
import type { Entry, TouchEntries } from './entry-code.ts'
import type { RowStore } from './row-store.ts'
import type { Segment } from './segment.ts'
import { type Stamped, valuesOf } from './stamped.ts'

/** Entries encoded in one step: less than a millisecond. */
const ENTRIES_PER_STEP = 1024
const SAMPLES = 64
/** Entries that are loaded together. */
const BLOCK = 128

/** What a slot holds: a value, an array, a Map. */
export type SlotKind = 'value' | 'list' | 'map'

export interface HeapState {
  readonly kind: SlotKind
  readonly name: string
  /** Declared types; undefined: found from what is there. */
  valueType: TypeDescription | undefined
  keyType: TypeDescription | undefined
  store: RowStore | undefined
  readonly slot: `s${number}`
  /** undefined: values do not expire. Else they stand behind a Stamped, with the time of their last access that counts. */
  ttl: StateTtlConfig | undefined
}

type Put = (row: any, keyHash: number, timestamp: number) => void

export class HeapSnapshot {
  readonly #version: number
  readonly #segments: readonly Segment[]
  readonly #encoders: { inOrder(entry: Entry): void; early(entry: Entry): void }[]
  readonly #touch: TouchEntries
  readonly #block: Entry[] = []
  #blockSize = 0
  #segment = 0
  #place = 0
  /** Keeps the loads from being left out. */
  touched = 0

  constructor(
    version: number,
    segments: readonly Segment[],
    states: readonly HeapState[],
    touch: TouchEntries,
    writer: TableSource,
    prefix: string,
    nowMs: number,
  ) {
    this.#touch = touch
    this.#version = version
    this.#segments = segments
    const samples = sample(segments)
    this.#encoders = states.map((state) => {
      const table = writer.table({
        name: prefix + state.name,
        kind: state.kind,
        row: rowType(state, samples),
        ...(state.ttl === undefined ? {} : { settings: { ttl: true } }),
      })
      return {
        inOrder: encoder(state, nowMs, (row, hash, timestamp) => table.put(row, hash, timestamp)),
        early: encoder(state, nowMs, (row, hash, timestamp) => table.putEarly(row, hash, timestamp)),
      }
    })
  }

  get done(): boolean {
    return this.#segment >= this.#segments.length
  }

  /** Encodes about `ENTRIES_PER_STEP` entries; true when all are. */
  step(): boolean {
    let left = ENTRIES_PER_STEP
    while (left > 0 && !this.done) left -= this.#sweep(left)
    return this.done
  }

  /** All that it needs is loaded first: the loads of one entry wait for each other, those of a block do not. */
  #encodeBlock(): void {
    const block = this.#block
    const size = this.#blockSize
    this.touched = this.#touch(block, size)
    for (const { inOrder } of this.#encoders) for (let i = 0; i < size; i++) inOrder(block[i]!)
    this.#blockSize = 0
  }

  /** An entry is about to be handed out. */
  early(entry: Entry): void {
    entry.version = this.#version
    for (const encoders of this.#encoders) encoders.early(entry)
  }

  /** Entries of this segment are about to move. */
  beforeMove(segment: Segment): void {
    if (!this.done && this.#segments[this.#segment] === segment && this.#place > 0) this.#sweep(Infinity)
  }

  /** Goes through the current segment; returns the places it looked at, at least 1. */
  #sweep(most: number): number {
    const { pairs, size } = this.#segments[this.#segment]!
    const end = size === 0 ? 0 : Math.min(pairs.length, this.#place + 2 * most)
    const from = this.#place
    for (let at = from; at < end; at += 2) {
      if (pairs[at] === 0) continue
      const entry: Entry = pairs[at + 1]
      if (entry.version === this.#version) continue
      entry.version = this.#version
      this.#block[this.#blockSize++] = entry
      if (this.#blockSize === BLOCK) this.#encodeBlock()
    }
    this.#encodeBlock()
    if (size === 0 || end === pairs.length) {
      this.#segment++
      this.#place = 0
    } else this.#place = end
    return 1 + ((end - from) >> 1)
  }
}

/** Some entries, from all over. */
function sample(segments: readonly Segment[]): Entry[] {
  const found: Entry[] = []
  const stride = Math.max(1, Math.floor(segments.length / SAMPLES))
  for (let round = 0; round < stride && found.length < SAMPLES; round++) {
    for (let i = round; i < segments.length && found.length < SAMPLES; i += stride) {
      const { pairs, size } = segments[i]!
      for (let at = 0, left = Math.min(size, 4); left > 0 && at < pairs.length; at += 2) {
        if (pairs[at] === 0) continue
        found.push(pairs[at + 1])
        left--
      }
    }
  }
  return found
}

function keyOf(entry: Entry): any {
  const { key } = entry
  return typeof key === 'string' && key.charCodeAt(0) === 0 ? keyOfLookup(key) : key
}

function rowType(state: HeapState, entries: readonly Entry[]): TypeDescription {
  const { kind, valueType, keyType, store, slot, ttl } = state
  const kept = entries.map((entry) => entry[slot]).filter((value) => value !== undefined)
  const values = () => {
    const found =
      kind === 'value'
        ? kept
        : kept.flatMap((some) => firstOf(kind === 'list' ? some : (some as Map<any, any>).values()))
    const bare = ttl === undefined ? found : valuesOf(found)
    return store === undefined ? bare : bare.map((v) => (typeof v === 'number' ? store.unpack(v) : v))
  }
  const inferred = (some: unknown[]) => (some.length === 0 ? ({ kind: 'any' } as const) : inferType(some))
  const fields: [string, TypeDescription][] = [['k', inferType(entries.map(keyOf))]]
  if (kind === 'map') fields.push(['m', keyType ?? inferred(kept.flatMap((map) => firstOf(map.keys())))])
  fields.push(['v', valueType ?? inferred(values())])
  return { kind: 'row', fields }
}

function firstOf<T>(values: Iterable<T>): T[] {
  const found: T[] = []
  for (const value of values) {
    if (found.push(value) === 4) break
  }
  return found
}

const NO_TIMESTAMP = -Infinity

/** Puts the rows of one state of an entry, but for what has expired. */
function encoder(state: HeapState, nowMs: number, put: Put): (entry: Entry) => void {
  return state.ttl === undefined ? plainEncoder(state, put) : stampedEncoder(state, state.ttl.ttlMs, nowMs, put)
}

function plainEncoder({ kind, store, slot }: HeapState, put: Put): (entry: Entry) => void {
  if (kind === 'value') {
    return (entry) => {
      let v = entry[slot]
      if (v === undefined) return
      if (store !== undefined && typeof v === 'number') v = store.unpack(v)
      put({ k: keyOf(entry), v }, entry.hash, NO_TIMESTAMP)
    }
  }
  if (kind === 'list') {
    return (entry) => {
      const list = entry[slot]
      if (list === undefined) return
      const k = keyOf(entry)
      for (const v of list) put({ k, v }, entry.hash, NO_TIMESTAMP)
    }
  }
  return (entry) => {
    const map: Map<unknown, unknown> | undefined = entry[slot]
    if (map === undefined) return
    const k = keyOf(entry)
    for (const [m, v] of map) put({ k, m, v }, entry.hash, NO_TIMESTAMP)
  }
}

/** Rows hold the bare value; its time is the row's timestamp. */
function stampedEncoder(
  { kind, store, slot }: HeapState,
  ttlMs: number,
  nowMs: number,
  put: Put,
): (entry: Entry) => void {
  if (kind === 'value') {
    return (entry) => {
      const kept: Stamped | undefined = entry[slot]
      if (kept === undefined || kept.t + ttlMs <= nowMs) return
      const v = store !== undefined && typeof kept.v === 'number' ? store.unpack(kept.v) : kept.v
      put({ k: keyOf(entry), v }, entry.hash, kept.t)
    }
  }
  if (kind === 'list') {
    return (entry) => {
      const list: Stamped[] | undefined = entry[slot]
      if (list === undefined) return
      const k = keyOf(entry)
      for (const { v, t } of list) if (!(t + ttlMs <= nowMs)) put({ k, v }, entry.hash, t)
    }
  }
  return (entry) => {
    const map: Map<unknown, Stamped> | undefined = entry[slot]
    if (map === undefined) return
    const k = keyOf(entry)
    for (const [m, { v, t }] of map) if (!(t + ttlMs <= nowMs)) put({ k, m, v }, entry.hash, t)
  }
}
