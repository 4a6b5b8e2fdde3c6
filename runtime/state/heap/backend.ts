/**
 * Keyed state on the heap: one lookup per record to an entry that holds all states of the key.
 *
 * Algorithm: key groups of the subtask × a power of two = segments, at least {@link SEGMENTS_MIN}; each is a table (segment.ts) that grows by
 * itself, so that no insert stalls for long (65,536 entries a segment: about 2 ms; 16 M keys in 256 segments).
 *
 * State: `current` is the entry of the current key, or `absent`, an entry without values shared by all keys that have none.
 * Correctness: handles reach entries only through `current` (entry-code.ts); every entry is in the table of its hash exactly
 * once; no entry in a table is empty, except the current one inside a write.
 *
 * Loaded once per operator (`hotCopy('state/heap/backend', n)`).
 */

import type { Clock } from '../../core/clock.ts'
import { TailraceError } from '../../core/errors.ts'
import type { Key } from '../../core/functions.ts'
import { keyOfLookup, lookupKey } from '../../core/hash.ts'
import { keyGroupRange } from '../../core/key-groups.ts'
import type {
  AggregatingState,
  AggregatingStateDescriptor,
  ListState,
  ListStateDescriptor,
  MapState,
  MapStateDescriptor,
  ReducingState,
  ReducingStateDescriptor,
  StateDescriptor,
  ValueState,
  ValueStateDescriptor,
} from '../../core/state.ts'
import type { BackendOptions, KeyedBackend, TableSource, TablesToRestore } from '../backend.ts'
import { detachString } from '../detach.ts'
import {
  copySlots,
  detachEntry,
  type Entry,
  type EntryClass,
  emptyTest,
  entryClass,
  noKeyEntry,
  type TouchEntries,
  touchEntries,
} from './entry-code.ts'
import { capacityFor, entriesOf, grow, MULTIPLIER, NO_ENTRIES, put, Segment, storedHash, take } from './segment.ts'
import { HeapSnapshot } from './snapshot.ts'
import { States, type StatesOwner } from './states.ts'
import type { TtlHandle } from './ttl-code.ts'

const SEGMENTS_MIN = 256
/** Fewer keys stay in the processor's caches by themselves. */
const PREFETCH_FROM_KEYS = 32_768
/** With at most so many keys values are detached when ATTACHED_MAX bytes have come in, not one by one: most have been replaced by then. */
const ATTACHED_KEYS_MAX = 16_384
const ATTACHED_MAX = 8 << 20

export class HeapBackend implements KeyedBackend, StatesOwner {
  current: Entry
  absent: Entry
  /** Raised by each snapshot; while one is under way entries of another version are as they were at its barrier. */
  version = 0
  #snapshot: HeapSnapshot | undefined
  size = 0
  readonly #operatorName: string
  private readonly maxParallelism: number
  /** maxParallelism - 1 if that is a mask, else -1. */
  private readonly groupMask: number
  private readonly firstGroup: number
  private readonly subBits: number
  private readonly subMask: number
  readonly segments: Segment[]
  readonly #clock: Clock
  readonly #states: States
  #restoring = false
  #begunLast = NO_ENTRIES
  #Entry: EntryClass
  #noKey: Entry
  /** Whether all slots of an entry are unset. */
  isEmpty: (entry: Entry) => boolean
  detachesLater = false
  /** Bytes of batches that came in since all values were detached: what is kept can hold no more of them alive. */
  private attached = 0
  private detachEntry!: (entry: Entry) => void
  /** Entries of the keys that come next. */
  private readonly ahead: Entry[] = []
  /** Reads all states of entries. */
  private touch!: TouchEntries
  /** Keeps the loads of `touch` from being left out. */
  touched = 0
  /** The key and hash of the current key while it is absent. */
  private key: any
  private hash = 0

  /** `clock` tells when state with a time to live expires. */
  constructor(options: BackendOptions, clock: Clock) {
    this.#operatorName = options.operatorName
    this.#clock = clock
    this.#states = new States(this, options.operatorName, clock)
    const { maxParallelism } = options
    this.maxParallelism = maxParallelism
    this.groupMask = (maxParallelism & (maxParallelism - 1)) === 0 ? maxParallelism - 1 : -1
    const range = keyGroupRange(maxParallelism, options.parallelism, options.subtaskIndex)
    this.firstGroup = range.start
    const groups = range.end - range.start + 1
    this.subBits = Math.max(0, Math.ceil(Math.log2(SEGMENTS_MIN / Math.max(1, groups))))
    this.subMask = (1 << this.subBits) - 1
    this.segments = new Array(groups << this.subBits).fill(NO_ENTRIES)
    this.#Entry = entryClass(0)
    this.isEmpty = emptyTest(0)
    this.touch = touchEntries([])
    this.detachEntry = detachEntry([])
    this.absent = new this.#Entry(undefined, 0, 0)
    this.#noKey = noKeyEntry(0, () => this.#noKeyError())
    this.current = this.#noKey
  }

  setKey(key: Key, hash: number): void {
    const lookup = typeof key === 'object' ? lookupKey(key) : key
    const stored = (hash | 0) === 0 ? 1 : hash | 0
    const segment = this.segments[this.#segmentOf(hash)]
    if (segment === undefined) throw this.#foreignKey(key)
    const { pairs, mask, shift } = segment
    let at = (Math.imul(stored, MULTIPLIER) >>> shift) << 1
    for (;;) {
      const found = pairs[at]
      if (found === stored) {
        const entry: Entry = pairs[at + 1]
        if (entry.key === lookup) {
          if (entry.version !== this.version) this.#before(entry)
          this.current = entry
          return
        }
      } else if (found === 0) {
        break
      }
      at = (at + 2) & mask
    }
    this.key = lookup
    this.hash = hash | 0
    this.current = this.absent
  }

  /** What an operator's `beforeBatch` is told. */
  beforeBatch(hashes: DataView, at: number, stride: number, count: number, bytes: number): void {
    if (this.detachesLater) {
      this.attached += bytes
      if (this.attached > ATTACHED_MAX || this.size > ATTACHED_KEYS_MAX) this.#detachAll()
    } else if (this.size <= ATTACHED_KEYS_MAX / 2) this.detachesLater = true
    if (this.size >= PREFETCH_FROM_KEYS) this.#prefetch(hashes, at, stride, count)
  }

  /**
   * Loads what these keys have into the processor's caches, stage by stage for all of them: the loads of a stage do not depend on each other, so the
   * processor waits for about ten at once (group prefetching: Chen et al., "Improving Hash Join Performance through Prefetching", 2004).
   */
  #prefetch(hashes: DataView, at: number, stride: number, count: number): void {
    const { absent, segments, ahead } = this
    let touched = 0
    for (let i = 0; i < count; i++) {
      const hash = hashes.getInt32(at + i * stride, true)
      const { pairs, shift } = segments[this.#segmentOf(hash)]!
      touched += pairs[(Math.imul(hash, MULTIPLIER) >>> shift) << 1]
    }
    for (let i = 0; i < count; i++) {
      const hash = hashes.getInt32(at + i * stride, true)
      const stored = hash === 0 ? 1 : hash
      const { pairs, mask, shift } = segments[this.#segmentOf(hash)]!
      let place = (Math.imul(stored, MULTIPLIER) >>> shift) << 1
      while (pairs[place] !== stored && pairs[place] !== 0) place = (place + 2) & mask
      ahead[i] = pairs[place] === stored ? pairs[place + 1] : absent
    }
    this.touched = touched + this.touch(ahead, count)
  }

  #detachAll(): void {
    for (const { pairs } of this.segments) {
      for (let at = 0; at < pairs.length; at += 2) if (pairs[at] !== 0) this.detachEntry(pairs[at + 1])
    }
    this.attached = 0
    if (this.size > ATTACHED_KEYS_MAX) this.detachesLater = false
  }

  unsetKey(): void {
    this.current = this.#noKey
  }

  #segmentOf(hash: number): number {
    // A division costs 6 ns here; the usual maxParallelism is a power of two.
    const mask = this.groupMask
    const group = mask >= 0 ? hash & mask : (hash >>> 0) % this.maxParallelism
    return ((group - this.firstGroup) << this.subBits) | ((hash >>> 16) & this.subMask)
  }

  create(): Entry {
    let key = this.key
    if (typeof key === 'string') key = detachString(key)
    else if (key === 0) key = 0 // -0 is 0
    const entry = new this.#Entry(key, this.hash, this.version)
    const index = this.#segmentOf(this.hash)
    let segment = this.segments[index]!
    if (segment === NO_ENTRIES) segment = this.#begin(index)
    if (segment.size >= segment.sizeMax) {
      this.#snapshot?.beforeMove(segment)
      grow(segment)
    }
    put(segment, storedHash(this.hash), entry)
    this.size++
    this.current = entry
    return entry
  }

  #begin(index: number): Segment {
    // Rows come back a segment after the other, and hashes fill them evenly: this one will be about as large as the last. Growing them all was a fifth of a restore.
    const segment = this.#restoring ? new Segment(capacityFor(this.#begunLast.size)) : new Segment()
    this.segments[index] = this.#begunLast = segment
    return segment
  }

  dropIfEmpty(): void {
    const entry = this.current
    if (!this.isEmpty(entry)) return
    this.key = entry.key
    this.hash = entry.hash
    this.remove(entry)
    this.current = this.absent
  }

  remove(entry: Entry): void {
    const segment = this.segments[this.#segmentOf(entry.hash)]!
    this.#snapshot?.beforeMove(segment)
    take(segment, storedHash(entry.hash), entry)
    this.size--
  }

  // --- snapshots

  /** A snapshot that is still under way is brought to its end first. */
  snapshot(writer: TableSource, prefix = ''): () => boolean {
    this.#finishSnapshot()
    this.version++
    const now = this.#clock.now()
    const snapshot = new HeapSnapshot(this.version, this.segments, this.#states.all, this.touch, writer, prefix, now)
    this.#snapshot = snapshot
    // The current key was handed out before the barrier.
    if (this.current !== this.absent && this.current !== this.#noKey) snapshot.early(this.current)
    return () => {
      const done = snapshot.step()
      if (done && this.#snapshot === snapshot) this.#snapshot = undefined
      return done
    }
  }

  #finishSnapshot(): void {
    if (this.#snapshot !== undefined) while (!this.#snapshot.step());
    this.#snapshot = undefined
  }

  beforeChange(entry: Entry): void {
    if (entry.version !== this.version) this.#before(entry)
  }

  /** An entry of an older version is handed out. */
  #before(entry: Entry): void {
    if (this.#snapshot === undefined) entry.version = this.version
    else this.#snapshot.early(entry)
  }

  async restore(restored: TablesToRestore, prefix = ''): Promise<void> {
    this.#restoring = true
    await restored.readTables((table) => {
      const { kind } = table
      if ((kind !== 'value' && kind !== 'list' && kind !== 'map') || !table.name.startsWith(prefix)) return undefined
      const put = this.#states.restored(table.name.slice(prefix.length), kind, table)
      return (row, keyHash, timestamp) => {
        this.setKey(row.k, keyHash)
        put(row, timestamp)
      }
    })
    this.#restoring = false
    this.unsetKey()
  }

  // --- states

  get hasStates(): boolean {
    return this.#states.size > 0
  }

  getState<T>(descriptor: ValueStateDescriptor<T>): ValueState<T> {
    return this.#states.get(descriptor).handle
  }
  getListState<T>(descriptor: ListStateDescriptor<T>): ListState<T> {
    return this.#states.get(descriptor).handle
  }
  getMapState<K extends string | number | boolean | bigint, V>(descriptor: MapStateDescriptor<K, V>): MapState<K, V> {
    return this.#states.get(descriptor).handle
  }
  getReducingState<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T> {
    return this.#states.get(descriptor).handle
  }
  getAggregatingState<I, A, O>(descriptor: AggregatingStateDescriptor<I, A, O>): AggregatingState<I, O> {
    return this.#states.get(descriptor).handle
  }

  /** Gives all entries one slot more. Usually there are none yet: states are asked for in `open`. */
  slotAdded(): void {
    const slots = this.#states.size
    const move = copySlots(slots - 1)
    const { current, absent } = this
    const wasNoKey = current === this.#noKey
    this.#Entry = entryClass(slots)
    this.isEmpty = emptyTest(slots)
    this.#formsChanged()
    this.absent = new this.#Entry(undefined, 0, 0)
    this.#noKey = noKeyEntry(slots, () => this.#noKeyError())
    if (wasNoKey) this.current = this.#noKey
    else if (current === absent) this.current = this.absent
    if (this.size === 0) return
    for (const { pairs } of this.segments) {
      for (let at = 0; at < pairs.length; at += 2) {
        if (pairs[at] === 0) continue
        const from: Entry = pairs[at + 1]
        const to = new this.#Entry(from.key, from.hash, from.version)
        move(from, to)
        pairs[at + 1] = to
        if (from === current) this.current = to
      }
    }
  }

  slotChanged(slot: `s${number}`, convert: (kept: any) => any): void {
    // It takes entries in the form that they had.
    this.#finishSnapshot()
    this.#formsChanged()
    if (this.size === 0) return
    for (const segment of this.segments) {
      for (const entry of entriesOf(segment)) if (entry[slot] !== undefined) entry[slot] = convert(entry[slot])
    }
  }

  #formsChanged(): void {
    const states = this.#states.all
    this.touch = touchEntries(states)
    this.detachEntry = detachEntry(states)
  }

  /** An own method in place of the class's: only operators that asked for it pay. */
  onEachKey(listener: () => void): void {
    const { setKey } = this
    this.setKey = (key, hash) => {
      setKey.call(this, key, hash)
      listener()
    }
  }

  applyToKeys(descriptor: StateDescriptor, visit: (key: Key, state: any) => void): void {
    const { slot, handle, slotHandle, ttl } = this.#states.get(descriptor)
    // What comes in now is not counted by `beforeBatch`: it is detached at once.
    const { detachesLater } = this
    this.detachesLater = false
    try {
      for (const segment of this.segments) {
        for (const entry of entriesOf(segment) as Entry[]) {
          if (entry[slot] === undefined) continue
          this.setKey(entry.key, entry.hash)
          if (ttl === undefined || (slotHandle as TtlHandle).has()) visit(keyOfLookup(entry.key), handle)
        }
      }
    } finally {
      this.detachesLater = detachesLater
    }
  }

  #foreignKey(key: Key): TailraceError {
    return new TailraceError(
      'TR-INTERNAL-001',
      `Cannot find the state of key ${String(key)} in operator "${this.#operatorName}": its key group belongs to another subtask`,
    )
  }

  #noKeyError(): TailraceError {
    return new TailraceError(
      'TR-STATE-002',
      `Cannot use keyed state of operator "${this.#operatorName}" here: no key is current, and state belongs to a key; use it in processElement or onTimer`,
    )
  }
}
