/**
 * Source of the handles of states with a time to live: what entry-code.ts is to the others. What slots hold: stamped.ts.
 *
 * Each access reads the clock once and lets the sweep look at a few values elsewhere. What has expired is dropped by the access that finds it, and
 * handed out only under ReturnExpiredIfNotCleanedUp. A key that is current all the time is never swept, so what grows under it is bounded by the writes
 * themselves: a list drops its oldest elements, a map looks at a few of its own entries.
 */
import type { Clock } from '../../core/clock.ts'
import type { StateTtlConfig } from '../../core/state-ttl.ts'
import { type Detacher, detachString } from '../detach.ts'
import { compile, ENTRY, type HandleOwner, PACKED_FROM_KEYS } from './entry-code.ts'
import type { ExpirySweep, SweptState } from './expiry-sweep.ts'
import type { RowStore } from './row-store.ts'
import type { SlotKind } from './snapshot.ts'
import { type ChangeListener, MapPlace, Stamped, unexpired, valuesOf } from './stamped.ts'

/** Smaller maps may hold as many entries that have expired, until they are read or swept. */
const SWEEPS_ITSELF_FROM = 16

/** Beside what users see. */
export interface TtlHandle extends SweptState {
  /** The current key has a value that may be seen; none is dropped. */
  has(): boolean
  /** Adds a value of a checkpoint to the current key: a value, an element, or the value of a map entry. */
  restore(value: any, t: number, mapKey?: any): void
}

interface Words {
  slot: string
  ttlMs: number
  /** Values per access; 0: none. */
  cleanup: number
  packed: boolean
  returnsExpired: boolean
  /** Statements, or nothing. */
  clean: string
  onRead: string
}

const expired = (kept: string, { ttlMs }: Words) => `${kept}.t + ${ttlMs} <= now`

/** Unsets the slot of the current entry. */
const drop = ({ slot }: Words) => `entry.${slot} = undefined; backend.dropIfEmpty()`

const CODE: Record<SlotKind, (words: Words) => string> = {
  value: (words) => {
    const { slot, packed, returnsExpired, clean, onRead } = words
    const load = packed ? `(typeof kept.v === 'number' ? this.store.unpack(kept.v) : kept.v)` : 'kept.v'
    const free = packed ? `if (typeof kept.v === 'number') this.store.free(kept.v)` : ''
    const accept = packed
      ? 'this.pack(entry, old, value)'
      : 'backend.detachesLater ? detacher.accept(value, value === old) : detacher.detach(value, value === old)'
    return `
  value() {
    const { backend } = this, entry = backend.current, kept = entry.${slot}, now = this.clock.now()
    ${clean}
    if (kept === undefined) return undefined
    if (${expired('kept', words)}) {
      const value = ${returnsExpired ? load : 'undefined'}
      ${free}
      ${drop(words)}
      return value
    }
    ${onRead}
    return ${load}
  }
  update(value) {
    if (value === undefined) return this.clear()
    const now = this.clock.now()
    this.restore(value, now)
    ${clean}
  }
  clear() {
    const { backend } = this, entry = backend.current, kept = entry.${slot}, now = this.clock.now()
    ${clean}
    if (kept === undefined) return
    ${free}
    ${drop(words)}
  }
  restore(value, t) {
    const { backend, detacher } = this, entry = backend.current, before = entry.${slot}
    const old = before === undefined ? undefined : before.v
    const v = ${accept}
    const kept = entry.${slot}
    if (kept !== undefined) {
      kept.v = v
      kept.t = t
    } else (entry === backend.absent ? backend.create() : entry).${slot} = new Stamped(v, t)
  }
  ${packed ? PACK(slot) : ''}
  has() {
    const kept = this.backend.current.${slot}, now = this.clock.now()
    return kept !== undefined && (${returnsExpired} || !(${expired('kept', words)}))
  }
  get unfinished() { return false }
  sweep(entry, most, now) {
    const kept = entry.${slot}
    if (kept !== undefined && ${expired('kept', words)}) {
      this.backend.beforeChange(entry)
      ${free}
      entry.${slot} = undefined
    }
    return 1
  }`
  },

  list: (words) => {
    const { slot, ttlMs, cleanup, returnsExpired, clean, onRead } = words
    return `
  get() {
    const { backend } = this, entry = backend.current, list = entry.${slot}, now = this.clock.now()
    ${clean}
    if (list === undefined) return []
    const live = unexpired(list, ${ttlMs}, now)
    if (live.length === 0) { ${drop(words)} } else if (live !== list) entry.${slot} = live
    ${onRead === '' ? '' : `for (const kept of live) ${onRead}`}
    return valuesOf(${returnsExpired ? 'list' : 'live'})
  }
  add(value) {
    const v = this.detacher.detach(value), now = this.clock.now()
    this.push(v, now)
    this.trim(now)
    ${clean}
  }
  addAll(values) {
    const now = this.clock.now()
    let any = false
    for (const value of Array.isArray(values) ? values.slice() : values) {
      this.push(this.detacher.detach(value), now)
      any = true
    }
    if (any) this.trim(now)
    ${clean}
  }
  update(values) {
    const now = this.clock.now(), list = []
    for (const value of values) list.push(new Stamped(this.detacher.detach(value), now))
    if (list.length === 0) return this.clear()
    ${ENTRY}
    entry.${slot} = list
    ${clean}
  }
  clear() {
    const { backend } = this, entry = backend.current, list = entry.${slot}, now = this.clock.now()
    ${clean}
    if (list !== undefined) { ${drop(words)} }
  }
  push(v, t) {
    ${ENTRY}
    const list = entry.${slot}, kept = new Stamped(v, t)
    if (list === undefined) entry.${slot} = [kept]
    else list.push(kept)
  }
  trim(now) {
    ${cleanup === 0 ? 'return' : ''}
    const entry = this.backend.current, list = entry.${slot}
    if (${expired('list[0]', words)}) entry.${slot} = unexpired(list, ${ttlMs}, now)
  }
  restore(value, t) { this.push(this.detacher.detach(value), t) }
  has() {
    const list = this.backend.current.${slot}, now = this.clock.now()
    return list !== undefined && (${returnsExpired} || list.some((kept) => !(${expired('kept', words)})))
  }
  get unfinished() { return false }
  sweep(entry, most, now) {
    const list = entry.${slot}
    // Elements are in the order of their times, but for a clock that was set back: the first tells whether to look further.
    if (list === undefined || !(${expired('list[0]', words)})) return 1
    this.backend.beforeChange(entry)
    const live = unexpired(list, ${ttlMs}, now)
    entry.${slot} = live.length === 0 ? undefined : live
    return 1 + list.length - live.length
  }`
  },

  map: (words) => {
    const { slot, ttlMs, cleanup, returnsExpired, clean, onRead } = words
    const ownSweep = (entries: string) =>
      cleanup === 0
        ? ''
        : `if (map.size > ${SWEEPS_ITSELF_FROM}) this.own.sweep(map, ${cleanup} * ${entries}, ${ttlMs}, now, this.backend.current, this.backend)`
    return `
  find(key) {
    const { backend } = this, entry = backend.current, map = entry.${slot}, now = this.clock.now()
    ${clean}
    const kept = map === undefined ? undefined : map.get(key)
    if (kept === undefined) return undefined
    if (${expired('kept', words)}) {
      map.delete(key)
      if (map.size === 0) { ${drop(words)} }
      return ${returnsExpired ? 'kept' : 'undefined'}
    }
    ${onRead}
    return kept
  }
  get(key) {
    const kept = this.find(key)
    return kept === undefined ? undefined : kept.v
  }
  contains(key) { return this.find(key) !== undefined }
  put(key, value) {
    const v = this.detacher.detach(value), now = this.clock.now(), map = this.set(key, v, now)
    ${ownSweep('1')}
    ${clean}
  }
  putAll(entries) {
    const now = this.clock.now()
    let n = 0, map
    for (const [key, value] of entries) {
      map = this.set(key, this.detacher.detach(value), now)
      n++
    }
    if (n === 0) return
    ${ownSweep('n')}
    ${clean}
  }
  remove(key) {
    const { backend } = this, entry = backend.current, map = entry.${slot}, now = this.clock.now()
    ${clean}
    if (map === undefined || !map.delete(key) || map.size > 0) return
    ${drop(words)}
  }
  entries() { return this.iterate(0) }
  keys() { return this.iterate(1) }
  values() { return this.iterate(2) }
  isEmpty() {
    const { backend } = this, entry = backend.current, map = entry.${slot}, now = this.clock.now()
    ${clean}
    if (map === undefined) return true
    for (const [key, kept] of map) {
      if (${returnsExpired} || !(${expired('kept', words)})) return false
      map.delete(key)
    }
    ${drop(words)}
    return true
  }
  clear() {
    const { backend } = this, entry = backend.current, map = entry.${slot}, now = this.clock.now()
    ${clean}
    if (map === undefined) return
    this.own.leave(map)
    this.place.leave(map)
    ${drop(words)}
  }
  iterate(what) {
    const entry = this.backend.current, map = entry.${slot}, now = this.clock.now()
    ${clean}
    return map === undefined ? [].values() : this.visible(entry, map, what)
  }
  *visible(entry, map, what) {
    const { backend, clock } = this
    for (const [key, kept] of map) {
      const now = clock.now()
      // An iterator that outlives its key reads on, and changes nothing.
      const current = backend.current === entry && entry.${slot} === map
      if (${expired('kept', words)}) {
        if (current) {
          map.delete(key)
          if (map.size === 0) { ${drop(words)} }
        }
        if (!${returnsExpired}) continue
      } ${onRead === '' ? '' : `else if (current) ${onRead}`}
      yield what === 0 ? [key, kept.v] : what === 1 ? key : kept.v
    }
  }
  set(key, v, t) {
    ${ENTRY}
    let map = entry.${slot}
    if (map === undefined) map = entry.${slot} = new Map()
    const kept = map.get(key)
    if (kept === undefined) map.set(typeof key === 'string' ? detachString(key) : key, new Stamped(v, t))
    else {
      kept.v = v
      kept.t = t
    }
    return map
  }
  restore(value, t, key) { this.set(key, this.detacher.detach(value), t) }
  has() {
    const map = this.backend.current.${slot}, now = this.clock.now()
    if (map === undefined) return false
    for (const kept of map.values()) if (${returnsExpired} || !(${expired('kept', words)})) return true
    return false
  }
  get unfinished() { return this.place.map !== undefined }
  sweep(entry, most, now) {
    const map = entry.${slot}
    if (map === undefined) {
      this.place.leave(this.place.map)
      return 1
    }
    const looked = this.place.sweep(map, most, ${ttlMs}, now, entry, this.backend)
    if (map.size === 0) {
      this.place.leave(map)
      entry.${slot} = undefined
    }
    return looked
  }`
  },
}

/** Of declared rows: an object, or the number of a row that the store has packed it into. The old row is the new one's, or free. */
const PACK = (slot: string) => `pack(entry, old, value) {
    const { backend, detacher, store } = this
    if (backend.detachesLater) {
      const v = detacher.accept(value, value === old)
      if (typeof old === 'number') store.free(old)
      return v
    }
    let v = -1
    if (typeof old === 'number') {
      v = store.pack(old, value)
      if (v < 0) entry.${slot} = undefined
    } else if (backend.size >= ${PACKED_FROM_KEYS}) v = store.pack(-1, value)
    return v < 0 ? detacher.detach(value) : v
  }`

export interface TtlHandleOptions {
  kind: SlotKind
  slot: string
  ttl: StateTtlConfig
  owner: HandleOwner & ChangeListener
  detacher: Detacher
  store: RowStore | undefined
  clock: Clock
  sweep: ExpirySweep
}

/** A handle of the state in a slot whose values live for a time. */
export function ttlHandle({ kind, slot, ttl, owner, detacher, store, clock, sweep }: TtlHandleOptions): TtlHandle {
  const { ttlMs, updateType, stateVisibility, incrementalCleanup } = ttl
  const cleanup = incrementalCleanup?.size ?? 0
  const body = CODE[kind]({
    slot,
    ttlMs,
    cleanup,
    packed: store !== undefined,
    returnsExpired: stateVisibility === 'ReturnExpiredIfNotCleanedUp',
    clean: cleanup === 0 ? '' : `this.cleaner.step(${cleanup}, now)`,
    onRead: updateType === 'OnReadAndWrite' ? 'kept.t = now' : '',
  })
  const source = `return class {
  constructor(backend, detacher, store, clock, cleaner) {
    this.backend = backend
    this.detacher = detacher
    this.store = store
    this.clock = clock
    this.cleaner = cleaner
    this.place = new MapPlace()
    this.own = new MapPlace()
  }
  ${body}
}`
  const names = { Stamped, MapPlace, unexpired, valuesOf, detachString }
  const Handle = compile(Object.keys(names), source)(...Object.values(names)) as new (...args: unknown[]) => TtlHandle
  return new Handle(owner, detacher, store, clock, sweep)
}
