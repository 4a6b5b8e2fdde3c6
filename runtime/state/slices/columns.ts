/**
 * Accumulators that are numbers, or plain objects or short arrays of nothing but numbers, as columns of a slice table.
 *
 * The layout is taken from the first accumulator. Code is generated for it: load the columns into one scratch object, call the user's
 * function, verify what came back (the same fields, all numbers; a new object is as good as the scratch), store it. So `{ count, sum }`
 * costs no object per key, and the garbage collector never sees a million of them.
 *
 * Lookup and update are one function with the stride as a constant: at a million keys the time of a record is how long the processor
 * waits for memory, and it waits for as many records at once as fit its window, so half the instructions are twice the speed.
 *
 * Correctness: a result that does not fit is handed out as `deviant` and never stored in part. After a deviation the aggregation is not
 * used again.
 */
import { lookupKey } from '../../core/hash.ts'
import type { Aggregation, Fold } from './aggregation.ts'
import { type KeyMode, MULTIPLIER } from './table.ts'

const COLUMNS_MAX = 16

export interface ColumnLayout {
  readonly kind: 'number' | 'row' | 'tuple'
  /** Names of a row, indexes of a tuple. */
  readonly fields: readonly string[]
}

/** The layout that holds `accumulator`; undefined when columns cannot. */
export function columnLayout(accumulator: unknown): ColumnLayout | undefined {
  if (typeof accumulator === 'number') return { kind: 'number', fields: ['value'] }
  if (typeof accumulator !== 'object' || accumulator === null) return undefined
  const kind = Array.isArray(accumulator) ? 'tuple' : 'row'
  if (kind === 'row' && Object.getPrototypeOf(accumulator) !== Object.prototype) return undefined
  const fields = Object.keys(accumulator)
  if (fields.length === 0 || fields.length > COLUMNS_MAX || fields.includes('__proto__')) return undefined
  if (kind === 'tuple' && fields.length !== (accumulator as unknown[]).length) return undefined
  if (Object.getOwnPropertySymbols(accumulator).length > 0) return undefined
  return fields.every((name) => typeof (accumulator as any)[name] === 'number') ? { kind, fields } : undefined
}

let generated = 0

/** Keeps accumulators of `layout` in columns. */
export function columnAggregation(layout: ColumnLayout, keys: KeyMode, fold: Fold): Aggregation {
  const { scratch, call, literal, store } = pieces(layout)
  const source = `'use strict'
let scratch = ${scratch}
return class Columns {
  columns = ${layout.fields.length}
  deviant = undefined
  deviates(r) { this.deviant = r; return false }
  upsert(segment, key, hash, value) {
    ${keys === 'number' ? '' : `const lookup = typeof key === 'object' ? lookupKey(key) : key, keys = segment.keys, wanted = hash | 0`}
    const cells = segment.cells, mask = segment.mask
    let place = Math.imul(hash, ${MULTIPLIER}) >>> segment.shift
    for (;;) {
      const o = place * STRIDE, marker = cells[o]
      if (${keys === 'number' ? 'marker === key' : 'marker === wanted && keys[place] === lookup'}) {
        ${call}
        ${store}
      }
      if (marker !== marker) return this.first(segment, segment.insert(~place, key, hash), value)
      place = (place + 1) & mask
    }
  }
  first(segment, place, value) {
    const r = fold.first(value), cells = segment.cells, o = place * STRIDE
    ${store}
  }
  put(segment, place, r) {
    const cells = segment.cells, o = place * STRIDE
    ${store}
  }
  load(segment, place) {
    const cells = segment.cells, o = place * STRIDE
    return ${literal}
  }
}
//# sourceURL=tailrace-generated/columns-${generated++}.js`.replaceAll('STRIDE', String(layout.fields.length + 1))
  const Columns = new Function('fold', 'guard', 'plain', 'lookupKey', source)(fold, new Guard(), plain, lookupKey)
  return new Columns()
}

/** What depends on the layout, with `cells` and the offset `o` of a place, `value`, and `r` for the result. */
function pieces({ kind, fields }: ColumnLayout): { scratch: string; call: string; literal: string; store: string } {
  const cell = (i: number) => `cells[o + ${i + 1}]`
  const numbers = fields.map((_, i) => `typeof v${i} !== 'number'`).join(' || ')
  const storeAll = fields.map((_, i) => `${cell(i)} = v${i}`).join('; ')
  if (kind === 'number') {
    return {
      scratch: '0',
      call: `const r = fold.add(value, ${cell(0)})`,
      literal: cell(0),
      store: `const v0 = r
    if (${numbers}) return this.deviates(r)
    ${storeAll}
    return true`,
    }
  }
  const access = fields.map((name) => (kind === 'row' ? `[${JSON.stringify(name)}]` : `[${name}]`))
  const list = (of: (i: number) => string) =>
    kind === 'row'
      ? `${fields.map((name, i) => `${JSON.stringify(name)}: ${of(i)}`).join(', ')}`
      : fields.map((_, i) => of(i)).join(', ')
  const check =
    kind === 'row'
      ? `if (r === scratch) {
      if (guard.added) return this.deviates(plain(r))
    } else {
      if (typeof r !== 'object' || r === null || Array.isArray(r)) return this.deviates(r)
      let fields = 0
      for (const name in r) fields++
      if (fields !== ${fields.length}) return this.deviates(r)
    }`
      : `if (!Array.isArray(r) || r.length !== ${fields.length}) return this.deviates(r)`
  const load = access.map((a, i) => `scratch${a} = ${cell(i)}`).join('; ')
  const scratch = kind === 'row' ? `{ __proto__: guard.prototype, ${list(() => '0.5')} }` : `[${list(() => '0.5')}]`
  return {
    scratch,
    call: `try {
          ${load}
        } catch { // it was frozen
          scratch = ${scratch}
          ${load}
        }
        const r = fold.add(value, scratch)`,
    literal: kind === 'row' ? `{ ${list(cell)} }` : `[${list(cell)}]`,
    store: `${check}
    ${access.map((a, i) => `const v${i} = r${a}`).join('; ')}
    if (${numbers}) return this.deviates(${kind === 'row' ? 'r === scratch ? plain(r) : r' : 'r'})
    ${storeAll}
    return true`,
  }
}

/**
 * Notices when a field is added to the scratch object. A store to a field that an object does not have asks its prototypes, so a
 * proxy there sees it, while stores to fields that are there never reach it: the check costs nothing per record. (Counting the
 * fields takes 4 ns, and 50 where keys miss the cache.)
 */
class Guard {
  added = false
  readonly prototype = new Proxy(
    {},
    {
      set: (_target, name, value, receiver) => {
        this.added = true
        return Reflect.defineProperty(receiver, name, { value, writable: true, enumerable: true, configurable: true })
      },
    },
  )
}

/** The scratch object as the user's own: nobody guards it any more. */
function plain(scratch: object): object {
  return { ...scratch }
}
