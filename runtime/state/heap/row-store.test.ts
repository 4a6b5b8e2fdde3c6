import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../core/clock.ts'
import { hashKey } from '../../core/hash.ts'
import { StateTtlConfig, types, ValueStateDescriptor } from '../../index.ts'
import { HeapBackend } from './backend.ts'
import { canPack, createRowStore } from './row-store.ts'

const type = types.row({ n: types.number, ok: types.boolean, a: types.string, b: types.string })
const create = () => {
  const description = type.description
  if (!canPack(description)) throw new Error('the type cannot be packed')
  return createRowStore(description)
}
const ascii = fc.string({ unit: 'binary-ascii', maxLength: 700 })
const row = fc.record({ n: fc.double(), ok: fc.boolean(), a: ascii, b: ascii }, { noNullPrototype: true })

describe('createRowStore()', () => {
  it('gives back what was packed, through changes and reuse of rows and pieces (property)', () => {
    const action = fc.record({ key: fc.integer({ min: 0, max: 20 }), value: fc.option(row, { freq: 5 }) })
    fc.assert(
      fc.property(fc.array(action, { maxLength: 200 }), (actions) => {
        const store = create()
        const rows = new Map<number, number>()
        const model = new Map<number, unknown>()
        for (const { key, value } of actions) {
          if (value !== null) {
            const place = store.pack(rows.get(key) ?? -1, value)
            expect(place).toBeGreaterThanOrEqual(0)
            rows.set(key, place)
            model.set(key, value)
          } else if (rows.has(key)) {
            store.free(rows.get(key)!)
            rows.delete(key)
            model.delete(key)
          }
        }
        expect(store.size).toBe(model.size)
        for (const [key, value] of model) expect(store.unpack(rows.get(key)!)).toEqual(value)
      }),
      { numRuns: 200 },
    )
  })

  it.each([
    ['a text beyond ASCII', { n: 1, ok: true, a: 'é', b: '' }],
    ['a cut surrogate', { n: 1, ok: true, a: '\ud800', b: '' }],
    ['a text that is too long', { n: 1, ok: true, a: 'x'.repeat(5000), b: '' }],
    ['a missing field', { n: 1, ok: true, a: '' }],
    ['a field more', { n: 1, ok: true, a: '', b: '', c: 1 }],
    ['a field of another kind', { n: '1', ok: true, a: '', b: '' }],
    ['null', null],
  ])('refuses %s, and frees the row', (_, value) => {
    const store = create()
    const place = store.pack(-1, { n: 1, ok: false, a: 'one', b: 'two' })
    expect(store.pack(place, value)).toBe(-1)
    expect(store.size).toBe(0)
    expect(store.pack(-1, value)).toBe(-1)
    expect(store.size).toBe(0)
  })

  it('refuses text beyond ASCII of every length, though a cut one could have as many bytes as it has characters', () => {
    const store = create()
    for (let n = 1; n < 600; n++) expect(store.pack(-1, { n, ok: true, a: `${'x'.repeat(n - 1)}€`, b: '' })).toBe(-1)
    expect(store.size).toBe(0)
  })
})

describe('ValueState of a declared row', () => {
  it.each([
    ['', undefined],
    [' and lives for a time', StateTtlConfig.newBuilder('1 h').build()],
  ])('keeps every value when keys become many, packed or not%s, and gives freed rows to others', (_, ttl) => {
    const clock = new ManualClock()
    const backend = new HeapBackend(
      { operatorName: 'test', maxParallelism: 128, parallelism: 1, subtaskIndex: 0 },
      clock,
    )
    const descriptor = new ValueStateDescriptor('row', type)
    if (ttl !== undefined) descriptor.enableTimeToLive(ttl)
    const state = backend.getState(descriptor)
    const keys = 70_000
    const rowOf = (k: number) => ({
      n: k,
      ok: k % 2 === 0,
      a: k % 7 === 0 ? `schön ${k}` : `text ${k}`,
      b: 'x'.repeat(k % 40),
    })
    for (let pass = 0; pass < 3; pass++) {
      for (let k = 0; k < keys; k++) {
        backend.setKey(k, hashKey(k))
        // What fitted into a row does not always fit later, and the other way round.
        state.update(rowOf(k + 1 - (pass & 1)))
        if (pass < 2) state.update(rowOf(k + pass))
        else state.update(rowOf(k))
      }
    }
    for (let k = 0; k < keys; k++) {
      backend.setKey(k, hashKey(k))
      expect(state.value()).toEqual(rowOf(k))
      if (k % 2 === 0) state.clear()
    }
    expect(backend.size).toBe(keys / 2)
    // A value that is refused leaves nothing in place of the old one, whose row others may have by now.
    backend.setKey(1, hashKey(1))
    expect(() => state.update({ ...rowOf(1), a: Symbol('a') as any })).toThrow(/Cannot keep a symbol/)
    expect(state.value()).toBeUndefined()
    state.update(rowOf(1))
    backend.setKey(2, hashKey(2))
    expect(state.value()).toBeUndefined()
    if (ttl === undefined) return
    clock.advance(ttl.ttlMs)
    for (let k = 0; k < keys; k++) {
      backend.setKey(k, hashKey(k))
      expect(state.value()).toBeUndefined()
    }
    expect(backend.size).toBe(0)
  })
})
