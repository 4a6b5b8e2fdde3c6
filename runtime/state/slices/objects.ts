/**
 * Accumulators and records as objects in a slice table.
 *
 * What enters is detached from its batch (../detach.ts). Where an accumulator is a flat object, only those of its strings are copied that
 * an `add` has changed: `{ ...a, n: a.n + b.n }` costs comparisons of equal references. Where it is anything deeper, walking
 * it per record would cost its size each time, so the records are detached before they are added.
 *
 * Loaded once per operator (`hotCopy('state/slices/objects', n)`), folds included: the calls of user functions are in here.
 */
import type { AggregateFunction, Key, ReduceFunction } from '../../core/functions.ts'
import { Detacher, detachString } from '../detach.ts'
import type { Aggregation, Fold } from './aggregation.ts'
import type { Segment } from './table.ts'

export function foldOfAggregate(aggregate: AggregateFunction<any, any, any>): Fold {
  return {
    first: (value) => aggregate.add(value, aggregate.createAccumulator()),
    add: (value, accumulator) => aggregate.add(value, accumulator),
  }
}

export function foldOfReduce(reduce: ReduceFunction<any>): Fold {
  if (typeof reduce === 'function')
    return { first: (value) => value, add: (value, accumulator) => reduce(accumulator, value) }
  return { first: (value) => value, add: (value, accumulator) => reduce.reduce(accumulator, value) }
}

/** Keeps accumulators of any kind. `place` names the operator in errors. */
export class ObjectAggregation implements Aggregation {
  readonly columns = -1
  deviant: any
  readonly #fold: Fold
  readonly #accumulators: Detacher
  readonly #records: Detacher
  /** How `add` keeps results detached; known once the first accumulator is. */
  #keep: 'unknown' | 'as they are' | 'changed strings' | 'detached records' = 'unknown'
  #addFlat: (accumulator: any, value: any) => any = (accumulator) => accumulator

  constructor(fold: Fold, place: string) {
    this.#fold = fold
    this.#accumulators = new Detacher({ place, instances: 'leave' })
    this.#records = new Detacher({ place, instances: 'leave' })
  }

  upsert(segment: Segment, key: Key, hash: number, value: any): boolean {
    const place = segment.find(key, hash)
    if (place >= 0) {
      this.#add(segment.values!, place, value)
    } else {
      const before = this.#keep === 'detached records' ? this.#records.detach(value) : value
      this.put(segment, segment.insert(place, key, hash), this.#fold.first(before))
    }
    return true
  }

  put(segment: Segment, place: number, accumulator: any): boolean {
    if (this.#keep === 'unknown') this.#choose(accumulator)
    segment.values![place] = this.#accumulators.detach(accumulator)
    return true
  }

  #add(values: any[], place: number, value: any): void {
    const accumulator = values[place]
    if (this.#keep === 'changed strings') values[place] = this.#addFlat(accumulator, value)
    else if (this.#keep === 'as they are') this.#addPrimitive(values, place, value)
    else values[place] = this.#fold.add(this.#records.detach(value), accumulator)
  }

  load(segment: Segment, place: number): any {
    return segment.values![place]
  }

  #addPrimitive(values: any[], place: number, value: any): void {
    const result = this.#fold.add(value, values[place])
    if (typeof result === 'object') this.#keep = 'detached records'
    values[place] = result === values[place] ? values[place] : this.#accumulators.walk(result)
  }

  #choose(accumulator: any): void {
    if (typeof accumulator !== 'object' || accumulator === null) {
      this.#keep = 'as they are'
      return
    }
    const plain = Object.getPrototypeOf(accumulator) === Object.prototype
    const fields = plain ? Object.keys(accumulator) : []
    if (fields.length === 0 || fields.length > 64 || fields.some((name) => !isFlat(accumulator[name]))) {
      this.#keep = 'detached records'
      return
    }
    this.#keep = 'changed strings'
    this.#addFlat = generateAddFlat(accumulator, this.#fold, (result) => {
      this.#keep = 'detached records'
      return this.#accumulators.walk(result)
    })
  }
}

function isFlat(value: unknown): boolean {
  return (typeof value !== 'object' && typeof value !== 'function') || value === null || value instanceof Date
}

let generated = 0

/** `fold.add` for flat accumulators; `other` takes results that are not flat any more. */
function generateAddFlat(sample: any, fold: Fold, other: (result: any) => any): (accumulator: any, value: any) => any {
  const names = Object.keys(sample)
  const numbers = names.filter((name) => typeof sample[name] === 'number')
  const watched = names.filter((name) => typeof sample[name] !== 'number')
  const at = (name: string) => `[${JSON.stringify(name)}]`
  const source = `'use strict'
let n = 0
return function addFlat(accumulator, value) {
  ${watched.map((name, i) => `const p${i} = accumulator${at(name)}`).join('; ')}
  const r = fold.add(value, accumulator)
  if (typeof r !== 'object' || r === null) return other(r)
  if (r !== accumulator || (++n & 255) === 0) {
    let fields = 0
    for (const name in r) fields++
    if (fields !== ${names.length}) return other(r)
  }
  ${numbers.length === 0 ? '' : `if (${numbers.map((name) => `typeof r${at(name)} !== 'number'`).join(' || ')}) return other(r)`}
  try {
    let x
    ${watched
      .map(
        (name, i) => `x = r${at(name)}
    if (typeof x === 'string') r${at(name)} = x === p${i} ? p${i} : copy(x)
    else if ((typeof x === 'object' && x !== null && !(x instanceof Date)) || typeof x === 'function') return other(r)`,
      )
      .join('\n    ')}
  } catch {
    return other(r)
  }
  return r
}
//# sourceURL=tailrace-generated/add-flat-${generated++}.js`
  return new Function('fold', 'other', 'copy', source)(fold, other, detachString)
}

/** Keeps all records of a window, for functions that want to see each. */
export class RecordLists implements Aggregation {
  readonly columns = -1
  deviant: any
  readonly #records: Detacher

  constructor(place: string) {
    this.#records = new Detacher({ place, instances: 'leave' })
  }

  upsert(segment: Segment, key: Key, hash: number, value: any): boolean {
    const kept = this.#records.detach(value)
    const place = segment.find(key, hash)
    if (place >= 0) {
      segment.values![place].push(kept)
    } else {
      // First the place, then `values`: an insert may move them.
      const at = segment.insert(place, key, hash)
      segment.values![at] = [kept]
    }
    return true
  }

  put(segment: Segment, place: number, records: any[]): boolean {
    segment.values![place] = records
    return true
  }

  load(segment: Segment, place: number): any {
    return segment.values![place]
  }
}
