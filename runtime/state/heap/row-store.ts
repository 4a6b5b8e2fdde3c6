/**
 * Rows of declared flat types outside of the JavaScript heap, for states with many keys.
 *
 * A value that is an object costs the collector: every update of one of a million old objects leaves a young string in it, which is
 * copied twice before it dies. A row is numbers in typed arrays and the characters of its strings in byte slabs, so updates leave nothing
 * to collect; reading makes a fresh object. Measured at 1M keys with a string of 70 characters: docs/decisions/0005-rows-off-heap.md.
 *
 * Layout: rows in chunks of CHUNK_ROWS. A row has one double per number or boolean, and two 32-bit integers per string: the place of its
 * piece in the slabs (in units of UNIT_BYTES) and its length. Slabs hold pieces of one size class (multiples of 16 bytes up to 512, then
 * 1024, 2048 and 4096); a string that changes keeps its piece while its class is the same. Chunks and slabs are added one at a time, so
 * growth never stalls.
 *
 * Only values that fit exactly are packed: numbers, booleans, and ASCII strings below LENGTH_LIMIT; `pack` returns -1 for others, and the
 * caller keeps them as objects. utf8Write tells ASCII: it returns as many bytes as there are characters, given SLACK_BYTES more room.
 */
import type { TypeDescription } from '../../core/types.ts'

const CHUNK_BITS = 12
const CHUNK_ROWS = 1 << CHUNK_BITS
const UNIT_BYTES = 16
/** A slab is 1 MiB. */
const SLAB_BITS = 16
const SLAB_UNITS = 1 << SLAB_BITS
const SLAB_BYTES = SLAB_UNITS * UNIT_BYTES
const SLACK_BYTES = 8
const LENGTH_LIMIT = 4096 - SLACK_BYTES + 1

type FieldKind = 'number' | 'boolean' | 'string'

export interface RowStore {
  /** Writes a value into row `row`, or into a new one when it is -1; returns the row, or -1 when the value does not fit: then the row is free. */
  pack(row: number, value: any): number
  /** A fresh object with the row's fields. */
  unpack(row: number): any
  free(row: number): void
  /** Loads the first `count` of `rows` (-1: none) into the processor's caches; the result means nothing. */
  touch(rows: Int32Array, count: number): number
  /** Rows in use. */
  readonly size: number
  /** Bytes of chunks and slabs; they lie outside the heap's limit. */
  readonly bytes: number
}

/** Whether rows of this type can be packed: a declared row of numbers, booleans and strings. */
export function canPack(type: TypeDescription | undefined): type is Extract<TypeDescription, { kind: 'row' }> {
  if (type?.kind !== 'row' || type.declared !== true || type.fields.length === 0) return false
  return type.fields.every(
    ([, field]) => field.kind === 'number' || field.kind === 'boolean' || field.kind === 'string',
  )
}

/** Pieces of bytes in size classes. Place 0 is no piece. */
class Slabs {
  /** Slab i begins at place i * SLAB_UNITS. */
  readonly slabs: Buffer[] = []
  readonly #free = new Map<number, number[]>()
  readonly #next = new Map<number, { place: number; end: number }>()

  take(size: number): number {
    const free = this.#free.get(size)
    if (free !== undefined && free.length > 0) return free.pop()!
    const units = size / UNIT_BYTES
    let next = this.#next.get(size)
    if (next === undefined || next.place + units > next.end) {
      const start = this.slabs.length * SLAB_UNITS
      this.slabs.push(Buffer.allocUnsafeSlow(SLAB_BYTES))
      // The first piece of all stays unused, as place 0 means no piece.
      next = { place: start === 0 ? units : start, end: start + SLAB_UNITS }
      this.#next.set(size, next)
    }
    const place = next.place
    next.place += units
    return place
  }

  give(place: number, size: number): void {
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [place])
    else free.push(place)
  }
}

function classOf(length: number): number {
  if (length === 0) return 0
  const bytes = length + SLACK_BYTES
  if (bytes <= 512) return (bytes + 15) & ~15
  return bytes <= 1024 ? 1024 : bytes <= 2048 ? 2048 : 4096
}

/** Shared by the generated code of all stores. `r` and `at` name the two integers of a string. */
const HELPERS = {
  CHUNK_BITS,
  CHUNK_MASK: CHUNK_ROWS - 1,
  LENGTH_LIMIT,
  /** False when the text is not ASCII; the reference is then that of the empty string. */
  write(slabs: Slabs, r: Int32Array, at: number, text: string): boolean {
    const length = text.length
    const size = classOf(length)
    const oldSize = classOf(r[at + 1]!)
    if (size !== oldSize) {
      if (oldSize !== 0) slabs.give(r[at]!, oldSize)
      r[at] = size === 0 ? 0 : slabs.take(size)
    }
    r[at + 1] = length
    if (length === 0) return true
    const place = r[at]!
    const start = (place & (SLAB_UNITS - 1)) * UNIT_BYTES
    if (slabs.slabs[place >>> SLAB_BITS]!.utf8Write(text, start, size) === length) return true
    slabs.give(place, size)
    r[at] = 0
    r[at + 1] = 0
    return false
  },
  read(slabs: Slabs, r: Int32Array, at: number): string {
    const length = r[at + 1]!
    if (length === 0) return ''
    const place = r[at]!
    const start = (place & (SLAB_UNITS - 1)) * UNIT_BYTES
    return slabs.slabs[place >>> SLAB_BITS]!.latin1Slice(start, start + length)
  },
  release(slabs: Slabs, r: Int32Array, at: number): void {
    if (r[at + 1]! > 0) slabs.give(r[at]!, classOf(r[at + 1]!))
    r[at] = 0
    r[at + 1] = 0
  },
}

/**
 * A store for rows of one type; its code is generated, so that each state has type feedback of its own.
 *
 * @example
 * const store = createRowStore(types.row({ n: types.number, user: types.string }).description)
 * const row = store.pack(-1, { n: 1, user: 'ann' })
 * store.unpack(row) // { n: 1, user: 'ann' }
 */
export function createRowStore(type: Extract<TypeDescription, { kind: 'row' }>): RowStore {
  const fields = type.fields.map(([name, field], i) => ({ name, kind: field.kind as FieldKind, i }))
  const property = (name: string) => `[${JSON.stringify(name)}]`
  const strings = fields.filter((f) => f.kind === 'string')
  const numbers = fields.filter((f) => f.kind !== 'string')
  // One line of memory per small row: doubles first, then the pairs of integers, over the same bytes.
  const width = numbers.length + strings.length
  const place = (f: (typeof fields)[number]) =>
    f.kind === 'string' ? `2 * n + ${2 * (numbers.length + strings.indexOf(f))}` : `n + ${numbers.indexOf(f)}`
  const checks = fields.map(
    (f) => `typeof f${f.i} === '${f.kind}'${f.kind === 'string' ? ` && f${f.i}.length < LENGTH_LIMIT` : ''}`,
  )
  const loads = fields.map((f) => {
    const value =
      f.kind === 'string'
        ? `read(slabs, refs, ${place(f)})`
        : f.kind === 'number'
          ? `cells[${place(f)}]`
          : `cells[${place(f)}] === 1`
    return `${property(f.name)}: ${value}`
  })
  const locate = `const chunk = row >>> CHUNK_BITS, cells = this.cells[chunk], refs = this.refs[chunk], n = (row & CHUNK_MASK) * ${width}`
  const source = `'use strict'
    const { CHUNK_BITS, CHUNK_MASK, LENGTH_LIMIT, write, read, release } = helpers
    ${strings.map((_, s) => `const places${s} = new Int32Array(65536)`).join('; ')}
    return class RowStore {
      constructor() { this.cells = []; this.refs = []; this.rows = 0; this.freeRows = []; this.size = 0 }
      take() {
        this.size++
        if (this.freeRows.length > 0) return this.freeRows.pop()
        if ((this.rows & CHUNK_MASK) === 0) {
          const memory = new ArrayBuffer((CHUNK_MASK + 1) * ${8 * width})
          this.cells.push(new Float64Array(memory))
          this.refs.push(new Int32Array(memory))
        }
        return this.rows++
      }
      pack(row, v) {
        if (typeof v !== 'object' || v === null) return this.refuse(row)
        ${fields.map(({ name, i }) => `const f${i} = v${property(name)}`).join('; ')}
        if (!(${checks.join(' && ')}) || !hasOnly(v, ${fields.length})) return this.refuse(row)
        if (row < 0) row = this.take()
        ${locate}
        ${numbers.map((f) => `cells[${place(f)}] = ${f.kind === 'number' ? `f${f.i}` : `f${f.i} ? 1 : 0`}`).join('; ')}
        ${strings.map((f) => `if (!write(slabs, refs, ${place(f)}, f${f.i})) return this.refuse(row)`).join('\n        ')}
        return row
      }
      refuse(row) {
        if (row >= 0) this.free(row)
        return -1
      }
      unpack(row) {
        ${locate}
        return { ${loads.join(', ')} }
      }
      free(row) {
        ${locate}
        ${strings.map((f) => `release(slabs, refs, ${place(f)})`).join('; ')}
        this.freeRows.push(row)
        this.size--
      }
      touch(rows, count) {
        let sum = 0
        for (let i = 0; i < count; i++) {
          const row = rows[i]
          if (row < 0) { ${strings.map((_, s) => `places${s}[i] = 0`).join('; ')}; continue }
          ${locate}
          ${strings.map((f, s) => `places${s}[i] = refs[${place(f)}]`).join('; ')}
          sum += refs[2 * n]
        }
        ${strings
          .map(
            (_, s) => `for (let i = 0; i < count; i++) {
          const place = places${s}[i], slab = slabs.slabs[place >>> ${SLAB_BITS}], byte = (place & ${SLAB_UNITS - 1}) * ${UNIT_BYTES}
          if (place !== 0) sum += slab[byte] + slab[byte + 64]
        }`,
          )
          .join('\n        ')}
        return sum
      }
      get bytes() { return this.cells.length * (CHUNK_MASK + 1) * ${8 * width} + slabs.slabs.length * ${SLAB_BYTES} }
    }`
  const Store = new Function('helpers', 'slabs', 'hasOnly', source)(HELPERS, new Slabs(), hasOnly) as new () => RowStore
  return new Store()
}

/** True for a plain object with exactly `wanted` fields: what is not declared must not be lost. */
function hasOnly(value: object, wanted: number): boolean {
  if (value.constructor !== Object) return false
  let n = 0
  for (const _ in value) n++
  return n === wanted
}
