/**
 * Detaches values from the batch that they were decoded from, when they enter state.
 *
 * A string of 13 characters or more that was cut out of another one keeps the whole other one alive: V8 stores it as a reference and
 * two positions. Strings of a decoded batch are cut out of one text of up to 64 KB, so 20,000 of them in state could hold over
 * 1 GB. A detached string has its own characters. The same goes for bytes that are a view into a larger buffer.
 *
 * Values stay the caller's own objects: their string fields are replaced by equal strings. Frozen objects are copied. A detacher is
 * generated from the first value (or the declared type) so that values without long strings cost nothing but a look at their
 * fields; values of another shape are walked. The walk also refuses what cannot be kept, once per shape.
 */
import { TailraceError } from '../core/errors.ts'
import { inferType, type TypeDescription } from '../core/types.ts'

/** V8 copies shorter pieces anyway. */
const SLICE_LENGTH_MIN = 13

/**
 * An equal string with characters of its own.
 *
 * `c + rest` is a pair of references until someone needs its characters in one piece; `indexOf` does, and V8 then writes them out
 * and drops the references. Measured per 70 characters: this 27 ns, `(' ' + s).slice(1)` 36, by a Buffer 85. Joining `[s, '']` does
 * not copy at all. detach.test.ts holds the effect, as no specification promises it.
 */
export function detachString(text: string): string {
  if (text.length < SLICE_LENGTH_MIN) return text
  const first = text[0]!
  const copy = first + text.substring(1)
  return copy.indexOf(first) === 0 ? copy : text
}

/**
 * Takes a value in and returns the one to keep: the same object, or a detached copy where it cannot be changed. `known`: this very
 * object went through before and may have been changed since.
 */
export type Detach = (value: any, known?: boolean) => any

export interface DetacherOptions {
  /** Names the place in errors: `state "count"`. */
  readonly place: string
  readonly type?: TypeDescription | undefined
  /** Class instances have no type and cannot be restored: refuse them (TR-STATE-003), or leave them as they are. */
  readonly instances: 'refuse' | 'leave'
}

/**
 * One detacher per state, as its generated code belongs to one shape.
 *
 * @example
 * const detacher = new Detacher({ place: 'state "last click"', instances: 'refuse' })
 * const kept = detacher.detach(click)
 */
export class Detacher {
  readonly #options: DetacherOptions
  /** Replaced by generated code at the first value. Call it as a method: `detacher.detach(value)`. */
  detach: Detach
  /**
   * Like `detach`, but the strings of a flat value may stay cut out of their batch: the owner calls `detach` for what is still kept later, as most
   * values are replaced before. Saves copying a string that lives for a millisecond.
   */
  accept: Detach

  constructor(options: DetacherOptions) {
    this.#options = options
    const walk: Detach = (value) => this.walk(value)
    const generate = (type: TypeDescription) => {
      this.detach = generateDetach(type, walk, true)
      this.accept = generateDetach(type, walk, false)
    }
    this.detach = this.accept = (first) => {
      const kept = this.walk(first)
      if (first !== null && first !== undefined) generate(inferType([first]))
      return kept
    }
    if (options.type !== undefined) generate(options.type)
  }

  /** Detaches a value of any shape. */
  walk(value: any): any {
    return this.#walk(value, 0, undefined)
  }

  #walk(value: any, depth: number, seen: Set<object> | undefined): any {
    if (typeof value === 'string') return detachString(value)
    if (typeof value !== 'object' || value === null) {
      if (typeof value === 'function' || typeof value === 'symbol') throw this.#refusal(`a ${typeof value}`)
      return value
    }
    if (depth > 3) {
      // Only deep values can be cyclic; shallow ones do without the set.
      seen ??= new Set()
      if (seen.has(value)) return value
      seen.add(value)
    }
    if (Array.isArray(value)) return this.#walkArray(value, depth, seen)
    const prototype = Object.getPrototypeOf(value)
    if (prototype === Object.prototype || prototype === null) return this.#walkRow(value, depth, seen)
    if (value instanceof Uint8Array) {
      return value.buffer.byteLength > 2 * value.byteLength + 64 ? new Uint8Array(value) : value
    }
    if (value instanceof Date || ArrayBuffer.isView(value)) return value
    if (value instanceof Map) return this.#walkMap(value, depth, seen)
    if (value instanceof Set) {
      if (![...value].some(isLongString)) return value
      const items = [...value].map((item) => this.#walk(item, depth + 1, seen))
      value.clear()
      for (const item of items) value.add(item)
      return value
    }
    if (this.#options.instances === 'refuse') {
      throw this.#refusal(`an instance of ${prototype.constructor?.name || 'a class'}`)
    }
    return value
  }

  #walkArray(value: any[], depth: number, seen: Set<object> | undefined): any[] {
    if (Object.isFrozen(value)) return Object.freeze(value.map((item) => this.#walk(item, depth + 1, seen))) as any[]
    if (!due(value, value.length)) return value
    for (let i = 0; i < value.length; i++) {
      const item = value[i]
      if (typeof item === 'number') continue
      const kept = this.#walk(item, depth + 1, seen)
      if (needsStore(item, kept)) value[i] = kept
    }
    return value
  }

  #walkRow(value: any, depth: number, seen: Set<object> | undefined): any {
    const frozen = Object.isFrozen(value)
    const row = frozen ? { ...value } : value
    for (const name in row) {
      const field = row[name]
      if (typeof field === 'number') continue
      const kept = this.#walk(field, depth + 1, seen)
      if (needsStore(field, kept)) row[name] = kept
    }
    return frozen ? Object.freeze(row) : row
  }

  #walkMap(value: Map<any, any>, depth: number, seen: Set<object> | undefined): Map<any, any> {
    if (!due(value, value.size)) return value
    let longKeys = false
    for (const [key, item] of value) {
      if (isLongString(key)) longKeys = true
      const kept = this.#walk(item, depth + 1, seen)
      if (needsStore(item, kept)) value.set(key, kept)
    }
    if (longKeys) {
      const entries = [...value]
      value.clear()
      for (const [key, item] of entries) value.set(this.#walk(key, depth + 1, seen), item)
    }
    return value
  }

  #refusal(found: string): TailraceError {
    return new TailraceError(
      'TR-STATE-003',
      `Cannot keep ${found} in ${this.#options.place}: values are numbers, strings, booleans, bigints, dates, bytes, and plain objects, arrays, maps and sets of these`,
    )
  }
}

function isLongString(value: unknown): boolean {
  return typeof value === 'string' && value.length >= SLICE_LENGTH_MIN
}

/** A detached string is equal to the attached one, so `!==` cannot tell them apart. */
function needsStore(before: unknown, after: unknown): boolean {
  return typeof before === 'string' ? isLongString(before) : before !== after
}

/**
 * Collections that live inside one value and are changed with every record (`list.push(x); state.update(list)`) would be walked from
 * end to end each time. Above this size a walk is due only once in size / 16 updates, so that its cost per update stays bounded;
 * the few strings that came in between are detached then.
 */
const WALK_ALWAYS_MAX = 64
const untilDue = new WeakMap<object, number>()
function due(collection: object, size: number): boolean {
  if (size <= WALK_ALWAYS_MAX) return true
  const left = untilDue.get(collection) ?? 0
  untilDue.set(collection, left > 0 ? left - 1 : size >> 4)
  return left <= 0
}

let generated = 0

/** Code for values of `type`; what does not fit goes to `walk`. */
function generateDetach(type: TypeDescription, walk: Detach, copies: boolean): Detach {
  const source = `'use strict'
let n = 0, varied = false
return function detach(v, known) {
  ${statements(type, copies)}
}
//# sourceURL=tailrace-generated/detach-${generated++}.js`
  return new Function('walk', 'copy', source)(walk, detachString)
}

function statements(type: TypeDescription, copies: boolean): string {
  switch (type.kind) {
    case 'number':
    case 'int32':
      return `return typeof v === 'number' ? v : walk(v)`
    case 'boolean':
    case 'bigint':
      return `return typeof v === '${type.kind}' ? v : walk(v)`
    case 'string':
      return `return typeof v === 'string' ? ${copies ? 'copy(v)' : 'v'} : walk(v)`
    case 'date':
      return `return v instanceof Date ? v : walk(v)`
    case 'nullable':
      return `if (v === null || v === undefined) return v\n  ${statements(type.of, copies)}`
    case 'row':
      if (type.fields.length === 0 || type.fields.length > 64) return 'return walk(v)'
      // Counting fields takes 4 ns, and far more when the object is not in the cache: what was seen before is counted now and then,
      // until one is found to have changed its fields.
      return `if (typeof v !== 'object' || v === null || Array.isArray(v)) return walk(v)
  let x
  if (!known || varied || (++n & 255) === 0) {
    let fields = 0
    for (const name in v) fields++
    if (fields !== ${type.fields.length}) {
      varied = true
      return walk(v)
    }
  }
  try {
    ${type.fields.map(([name, field]) => fieldStatements(`v[${JSON.stringify(name)}]`, field, copies)).join('\n    ')}
  } catch {
    return walk(v)
  }
  return v`
    default:
      return 'return walk(v)'
  }
}

/** One field of a row; leaves by `return walk(v)` when it is not what its type says. */
function fieldStatements(access: string, type: TypeDescription, copies: boolean): string {
  switch (type.kind) {
    case 'number':
    case 'int32':
      return `if (typeof ${access} !== 'number') return walk(v)`
    case 'boolean':
    case 'bigint':
      return `if (typeof ${access} !== '${type.kind}') return walk(v)`
    case 'date':
      return `if (!(${access} instanceof Date)) return walk(v)`
    case 'string':
      if (!copies) return `if (typeof ${access} !== 'string') return walk(v)`
      return `x = ${access}; if (typeof x !== 'string') return walk(v); if (x.length >= ${SLICE_LENGTH_MIN}) ${access} = copy(x)`
    default:
      // Nested or unknown: look at what is there.
      return `x = ${access}; if (typeof x === 'string') { if (x.length >= ${SLICE_LENGTH_MIN}) ${access} = copy(x) } else if (typeof x === 'object' && x !== null || typeof x === 'function') { const kept = walk(x); if (kept !== x) ${access} = kept }`
  }
}
