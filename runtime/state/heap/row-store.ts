/**
 * Rows of declared flat types outside of the JavaScript heap, for states with many keys.
 *
 * A value that is an object costs the collector: every update of one of a million old objects leaves a young string in it, which is
 * copied twice before it dies. A row is numbers in typed arrays and the characters of its strings in byte slabs, so updates leave nothing
 * to collect; reading makes a fresh object. Measured at 1M keys with a string of 70 characters: docs/decisions/0005-rows-off-heap.md.
 *
 * Layout: rows in chunks of CHUNK_ROWS; a row has one double per field: a number, a boolean as 0 or 1, or for a string its place in the
 * slabs and its length, as place * 4096 + length. Slabs hold pieces of one size class (multiples of 16 bytes up to 512, then 1024, 2048
 * and 4096); a string that changes keeps its piece while its class is the same. Chunks and slabs are added one at a time, so growth never
 * stalls.
 *
 * Only values that fit exactly are packed: numbers, booleans, and ASCII strings below 4096 characters; `pack` returns -1 for others, and
 * the caller keeps them as objects.
 */
import type { TypeDescription } from '../../core/types.ts'

const CHUNK_BITS = 12
const CHUNK_ROWS = 1 << CHUNK_BITS
const SLAB_BYTES = 1 << 20
const LENGTH_LIMIT = 4096

type FieldKind = 'number' | 'boolean' | 'string'

export interface RowStore {
  /** Writes a value into row `row`, or into a new one when it is -1; returns the row, or -1 when the value does not fit (nothing is changed). */
  pack(row: number, value: any): number
  /** A fresh object with the row's fields. */
  unpack(row: number): any
  free(row: number): void
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

/** Pieces of bytes in size classes. Place 0 is the empty string. */
class Slabs {
  /** Bytes of all slabs; slab i begins at place i * SLAB_BYTES. */
  readonly slabs: Buffer[] = []
  readonly #free = new Map<number, number[]>()
  readonly #next = new Map<number, { place: number; end: number }>()
  readonly scratch = Buffer.allocUnsafeSlow(LENGTH_LIMIT * 3 + 16)

  static classOf(length: number): number {
    if (length <= 512) return (length + 15) & ~15
    return length <= 1024 ? 1024 : length <= 2048 ? 2048 : 4096
  }

  take(size: number): number {
    const free = this.#free.get(size)
    if (free !== undefined && free.length > 0) return free.pop()!
    let next = this.#next.get(size)
    if (next === undefined || next.place + size > next.end) {
      // The first piece of the first slab stays unused: place 0 means no piece.
      const start = this.slabs.length * SLAB_BYTES
      this.slabs.push(Buffer.allocUnsafeSlow(SLAB_BYTES))
      next = { place: start === 0 ? size : start, end: start + SLAB_BYTES }
      this.#next.set(size, next)
    }
    const place = next.place
    next.place += size
    return place
  }

  give(place: number, size: number): void {
    const free = this.#free.get(size)
    if (free === undefined) this.#free.set(size, [place])
    else free.push(place)
  }
}

/** Shared by the generated code of all stores. */
const HELPERS = {
  CHUNK_BITS,
  CHUNK_MASK: CHUNK_ROWS - 1,
  LENGTH_LIMIT,
  /** ASCII test without leaving JavaScript for short strings; a native call writes long ones anyway. */
  isAscii(text: string): boolean {
    for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false
    return true
  },
  /** Writes ASCII text for a reference `old` (0: none) and returns the new reference; -1 when it is not ASCII. */
  write(slabs: Slabs, old: number, text: string): number {
    const length = text.length
    const oldLength = old % LENGTH_LIMIT
    let place = (old - oldLength) / LENGTH_LIMIT
    const size = Slabs.classOf(length)
    const oldSize = place === 0 ? 0 : Slabs.classOf(oldLength)
    if (size !== oldSize) {
      if (place !== 0) slabs.give(place, oldSize)
      place = size === 0 ? 0 : slabs.take(size)
    }
    if (length === 0) return 0
    slabs.slabs[Math.floor(place / SLAB_BYTES)]!.latin1Write(text, place % SLAB_BYTES, length)
    return place * LENGTH_LIMIT + length
  },
  read(slabs: Slabs, reference: number): string {
    if (reference === 0) return ''
    const length = reference % LENGTH_LIMIT
    const place = (reference - length) / LENGTH_LIMIT
    const at = place % SLAB_BYTES
    return slabs.slabs[Math.floor(place / SLAB_BYTES)]!.latin1Slice(at, at + length)
  },
  release(slabs: Slabs, reference: number): void {
    if (reference === 0) return
    const length = reference % LENGTH_LIMIT
    slabs.give((reference - length) / LENGTH_LIMIT, Slabs.classOf(length))
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
  const checks = fields.map(({ kind, i }) =>
    kind === 'string'
      ? `typeof f${i} === 'string' && f${i}.length < LENGTH_LIMIT && isAscii(f${i})`
      : `typeof f${i} === '${kind}'`,
  )
  const stores = fields.map(({ kind, i }) => {
    const cell = `c[b + ${i}]`
    if (kind === 'number') return `${cell} = f${i}`
    if (kind === 'boolean') return `${cell} = f${i} ? 1 : 0`
    return `${cell} = write(slabs, ${cell}, f${i})`
  })
  const loads = fields.map(({ name, kind, i }) => {
    const cell = `c[b + ${i}]`
    const value = kind === 'number' ? cell : kind === 'boolean' ? `${cell} === 1` : `read(slabs, ${cell})`
    return `${property(name)}: ${value}`
  })
  const source = `'use strict'
    const { CHUNK_BITS, CHUNK_MASK, LENGTH_LIMIT, isAscii, write, read, release } = helpers
    const width = ${fields.length}
    return class RowStore {
      constructor() { this.chunks = []; this.rows = 0; this.freeRows = []; this.size = 0 }
      take() {
        this.size++
        if (this.freeRows.length > 0) return this.freeRows.pop()
        if ((this.rows & CHUNK_MASK) === 0) this.chunks.push(new Float64Array((CHUNK_MASK + 1) * width))
        return this.rows++
      }
      pack(row, v) {
        if (typeof v !== 'object' || v === null) return -1
        ${fields.map(({ name, i }) => `const f${i} = v${property(name)}`).join('; ')}
        if (!(${checks.join(' && ')}) || !hasOnly(v, width)) return -1
        if (row < 0) row = this.take()
        const c = this.chunks[row >>> CHUNK_BITS], b = (row & CHUNK_MASK) * width
        ${stores.join('; ')}
        return row
      }
      unpack(row) {
        const c = this.chunks[row >>> CHUNK_BITS], b = (row & CHUNK_MASK) * width
        return { ${loads.join(', ')} }
      }
      free(row) {
        const c = this.chunks[row >>> CHUNK_BITS], b = (row & CHUNK_MASK) * width
        ${strings.map(({ i }) => `release(slabs, c[b + ${i}]); c[b + ${i}] = 0`).join('; ')}
        this.freeRows.push(row)
        this.size--
      }
      get bytes() { return this.chunks.length * (CHUNK_MASK + 1) * width * 8 + slabs.slabs.length * ${SLAB_BYTES} }
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
