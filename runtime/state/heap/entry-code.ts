/**
 * Source of the classes that the heap backend runs on: the entry of a key with one slot per state, and one handle class per state.
 *
 * Generated because each operator has another number of states: with a field per state the entry has one shape, `value()` is two
 * loads, and V8 keeps the feedback of each state apart. Kept small; whatever is not per slot lives in backend.ts.
 *
 * Handles reach an entry only through `backend.current`, which `setKey` set: the one place where a snapshot can look at
 * `entry.version` before anyone sees or changes the entry.
 */
import type { Detacher } from '../detach.ts'
import type { RowStore } from './row-store.ts'

/** State of one key. Slots are undefined while their state is unset. */
export interface Entry {
  /** A primitive that is equal when the keys are (lookupKey of core/hash.ts). */
  readonly key: any
  /** 32 bits, signed. */
  readonly hash: number
  /** Snapshot that the entry belongs to. */
  version: number
  [slot: `s${number}`]: any
}

export type EntryClass = new (key: any, hash: number, version: number) => Entry

/** What handles need of the backend. */
export interface HandleOwner {
  /** Keys that have state. */
  readonly size: number
  current: Entry
  readonly absent: Entry
  /** Value states may accept values without detaching them: the backend does it later for those that are still kept. */
  readonly detachesLater: boolean
  /** Adds an entry for the current key and makes it current. */
  create(): Entry
  /** Takes the current entry out if it holds nothing any more. */
  dropIfEmpty(): void
}

let generated = 0
export function compile(parameters: string[], source: string): Function {
  return new Function(
    ...parameters,
    `'use strict'\n${source}\n//# sourceURL=tailrace-generated/entry-${generated++}.js`,
  )
}

export function entryClass(slots: number): EntryClass {
  const fields = Array.from({ length: slots }, (_, i) => `this.s${i} = undefined`).join('; ')
  return compile(
    [],
    `return class Entry { constructor(key, hash, version) { this.key = key; this.hash = hash; this.version = version; ${fields} } }`,
  )() as EntryClass
}

/** Whether all slots of an entry are unset. */
export function emptyTest(slots: number): (entry: Entry) => boolean {
  const test = Array.from({ length: slots }, (_, i) => `entry.s${i} === undefined`).join(' && ')
  return compile([], `return function isEmpty(entry) { return ${test === '' ? 'true' : test} }`)() as (
    e: Entry,
  ) => boolean
}

/** What a slot holds, as far as code that goes over whole entries must know. */
export interface SlotForm {
  readonly kind: 'value' | 'list' | 'map'
  readonly detacher: Detacher
  readonly store: RowStore | undefined
  /** Values stand behind a Stamped (stamped.ts). */
  readonly ttl: unknown
}

/** Detaches what value states have accepted in an entry. Packed rows are numbers and stay as they are. */
export function detachEntry(forms: readonly SlotForm[]): (entry: Entry) => void {
  const slots = forms.map(({ kind, ttl }, i) => {
    if (kind !== 'value') return ''
    const place = ttl === undefined ? `e.s${i}` : `e.s${i}.v`
    return `if (e.s${i} !== undefined) ${place} = forms[${i}].detacher.detach(${place}, true)`
  })
  return compile(['forms'], `return function detach(e) {\n  ${slots.join('\n  ')}\n}`)(forms) as (e: Entry) => void
}

export type TouchEntries = (entries: readonly Entry[], count: number) => number

/** Reads the first `count` entries, what their slots point at, and their rows in stores; the sum means nothing. `typeof` reads an object's head. */
export function touchEntries(forms: readonly SlotForm[]): TouchEntries {
  const slots = forms.map(({ kind, store, ttl }, i) => {
    const stamped = ttl !== undefined && kind === 'value'
    if (store === undefined) {
      return stamped
        ? `const v${i} = e.s${i}; if (v${i} !== undefined && typeof v${i}.v === 'object') n++`
        : `if (typeof e.s${i} === 'object') n++`
    }
    const load = stamped ? `e.s${i} === undefined ? undefined : e.s${i}.v` : `e.s${i}`
    return `const v${i} = ${load}; rows${i}[i] = typeof v${i} === 'number' ? v${i} : -1`
  })
  const packed = forms.flatMap(({ store }, i) => (store === undefined ? [] : [i]))
  return compile(
    ['forms'],
    `${packed.map((i) => `const rows${i} = new Int32Array(65536)`).join('; ')}
return function touch(entries, count) {
  let n = 0
  for (let i = 0; i < count; i++) {
    const e = entries[i]
    n += e.hash
    ${slots.join('\n    ')}
  }
  ${packed.map((i) => `n += forms[${i}].store.touch(rows${i}, count)`).join('; ')}
  return n
}`,
  )(forms) as TouchEntries
}

/** Moves all slots of an entry of fewer states. */
export function copySlots(slots: number): (from: Entry, to: Entry) => void {
  const moves = Array.from({ length: slots }, (_, i) => `to.s${i} = from.s${i}`).join('; ')
  return compile([], `return function copySlots(from, to) { ${moves} }`)() as (from: Entry, to: Entry) => void
}

const CLEAR = (slot: string) => `
  clear() {
    const backend = this.backend, entry = backend.current
    if (entry === backend.absent || entry.${slot} === undefined) return
    entry.${slot} = undefined
    backend.dropIfEmpty()
  }`

/** Prologue of every write: the entry to write to. */
export const ENTRY = `const backend = this.backend
    let entry = backend.current
    if (entry === backend.absent) entry = backend.create()`

/** Keys from which on declared rows are packed: fewer are cheaper as objects. */
export const PACKED_FROM_KEYS = 65_536

const CODE = {
  value: (slot: string) => `return class {
  constructor(backend, detacher) { this.backend = backend; this.detacher = detacher }
  value() { return this.backend.current.${slot} }
  update(value) {
    if (value === undefined) return this.clear()
    const backend = this.backend
    let entry = backend.current
    const { detacher } = this
    const kept = backend.detachesLater ? detacher.accept(value, value === entry.${slot}) : detacher.detach(value, value === entry.${slot})
    if (entry === backend.absent) entry = backend.create()
    entry.${slot} = kept
  }${CLEAR(slot)}
}`,

  /** Declared rows: objects while keys are few, rows outside of the heap (row-store.ts) when they are many; the slot then holds the row's number. */
  packed: (slot: string) => `return class {
  constructor(backend, detacher, detachString, store) { this.backend = backend; this.detacher = detacher; this.store = store }
  value() {
    const kept = this.backend.current.${slot}
    return typeof kept === 'number' ? this.store.unpack(kept) : kept
  }
  update(value) {
    if (value === undefined) return this.clear()
    const { backend, detacher } = this
    const now = backend.current, old = now.${slot}
    if (backend.detachesLater) {
      const kept = detacher.accept(value, value === old)
      if (typeof old === 'number') this.store.free(old)
      const entry = now === backend.absent ? backend.create() : now
      entry.${slot} = kept
      return
    }
    let kept = -1
    if (typeof old === 'number') {
      kept = this.store.pack(old, value)
      if (kept < 0) now.${slot} = undefined
    } else if (backend.size >= ${PACKED_FROM_KEYS}) kept = this.store.pack(-1, value)
    if (kept < 0) kept = detacher.detach(value)
    const entry = now === backend.absent ? backend.create() : now
    entry.${slot} = kept
  }
  clear() {
    const backend = this.backend, entry = backend.current, kept = entry.${slot}
    if (entry === backend.absent || kept === undefined) return
    if (typeof kept === 'number') this.store.free(kept)
    entry.${slot} = undefined
    backend.dropIfEmpty()
  }
}`,

  list: (slot: string) => `return class {
  constructor(backend, detacher) { this.backend = backend; this.detacher = detacher }
  get() {
    const list = this.backend.current.${slot}
    return list === undefined ? [] : list.slice()
  }
  add(value) {
    const kept = this.detacher.detach(value)
    ${ENTRY}
    const list = entry.${slot}
    if (list === undefined) entry.${slot} = [kept]
    else list.push(kept)
  }
  addAll(values) { for (const value of Array.isArray(values) ? values.slice() : values) this.add(value) }
  update(values) {
    const list = []
    for (const value of values) list.push(this.detacher.detach(value))
    if (list.length === 0) return this.clear()
    ${ENTRY}
    entry.${slot} = list
  }${CLEAR(slot)}
}`,

  map: (slot: string) => `return class {
  constructor(backend, detacher, detachString) { this.backend = backend; this.detacher = detacher; this.detachString = detachString }
  get(key) {
    const map = this.backend.current.${slot}
    return map === undefined ? undefined : map.get(key)
  }
  put(key, value) {
    const kept = this.detacher.detach(value)
    ${ENTRY}
    const map = entry.${slot}
    if (map === undefined) entry.${slot} = new Map([[typeof key === 'string' ? this.detachString(key) : key, kept]])
    else map.set(typeof key === 'string' && !map.has(key) ? this.detachString(key) : key, kept)
  }
  putAll(entries) { for (const [key, value] of entries) this.put(key, value) }
  remove(key) {
    const backend = this.backend, entry = backend.current, map = entry.${slot}
    if (map === undefined || !map.delete(key) || map.size > 0) return
    entry.${slot} = undefined
    backend.dropIfEmpty()
  }
  contains(key) {
    const map = this.backend.current.${slot}
    return map !== undefined && map.has(key)
  }
  entries() { return (this.backend.current.${slot} ?? EMPTY).entries() }
  keys() { return (this.backend.current.${slot} ?? EMPTY).keys() }
  values() { return (this.backend.current.${slot} ?? EMPTY).values() }
  isEmpty() { return this.backend.current.${slot} === undefined }${CLEAR(slot)}
}`,
}

/** A handle of the state in slot `slot`. With a store, of declared rows that it may keep. */
export function stateHandle(
  kind: 'value' | 'list' | 'map',
  slot: string,
  owner: HandleOwner,
  detacher: Detacher,
  detachString: (text: string) => string,
  store?: RowStore,
): any {
  const code = store === undefined ? CODE[kind] : CODE.packed
  const Handle = compile(['EMPTY'], code(slot))(new Map()) as new (...args: unknown[]) => any
  return new Handle(owner, detacher, detachString, store)
}

const FOLDS = {
  reducing: `return class {
  constructor(state, fold) { this.state = state; this.fold = fold }
  get() { return this.state.value() }
  add(value) {
    const { state, fold } = this, before = state.value()
    state.update(before === undefined ? value : fold(before, value))
  }
  clear() { this.state.clear() }
}`,
  aggregating: `return class {
  constructor(state, fold) { this.state = state; this.fold = fold }
  get() {
    const accumulator = this.state.value()
    return accumulator === undefined ? undefined : this.fold.getResult(accumulator)
  }
  add(value) {
    const { state, fold } = this, before = state.value()
    state.update(fold.add(value, before === undefined ? fold.createAccumulator() : before))
  }
  clear() { this.state.clear() }
}`,
}

/** A handle that folds what is added into the value of another handle: `fold` is a function for `reducing`, an AggregateFunction for `aggregating`. */
export function foldHandle(kind: 'reducing' | 'aggregating', state: unknown, fold: unknown): any {
  const Handle = compile([], FOLDS[kind])() as new (...args: unknown[]) => any
  return new Handle(state, fold)
}

/** Stands in while no key is current: every slot throws `error()`. */
export function noKeyEntry(slots: number, error: () => Error): Entry {
  const entry = {}
  for (let i = 0; i < slots; i++) {
    const fail = () => {
      throw error()
    }
    Object.defineProperty(entry, `s${i}`, { get: fail, set: fail })
  }
  return entry as Entry
}
