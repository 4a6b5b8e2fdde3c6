import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { hashKey } from '../core/hash.ts'
import { ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor } from '../core/state.ts'
import { types } from '../core/types.ts'
import { Detacher, detachString } from './detach.ts'
import { HeapBackend } from './heap/backend.ts'
import { columnLayout } from './slices/columns.ts'
import { foldOfReduce, ObjectAggregation, RecordLists } from './slices/objects.ts'
import { SliceTable } from './slices/table.ts'

setFlagsFromString('--expose-gc')
const gc: () => void = runInNewContext('gc')

/** Strings of 30 characters, each cut out of a text of 64 KB of its own. */
const PIECES = 2000
function* pieces(): Generator<string> {
  const bytes = Buffer.alloc(65536, 0x61)
  for (let i = 0; i < PIECES; i++) {
    bytes.writeUInt32LE(0x61616161 + i, 100)
    yield bytes.latin1Slice().substring(100, 130)
  }
}

/** Megabytes that `keep` holds alive after it has taken all pieces. */
function retainedMb(keep: (piece: string, i: number) => void): number {
  gc()
  const before = process.memoryUsage().heapUsed
  let i = 0
  for (const piece of pieces()) keep(piece, i++)
  gc()
  return (process.memoryUsage().heapUsed - before) / 1e6
}

// 2000 texts of 64 KB are 131 MB; their pieces are 0.1 MB, and what holds them less than 2.
const HELD_MB_MAX = 4

describe('what is kept lets go of the batch that it was decoded from', () => {
  it('(these pieces would hold 131 MB)', () => {
    const kept: string[] = []
    expect(retainedMb((piece) => kept.push(piece))).toBeGreaterThan(100)
    expect(kept).toHaveLength(PIECES)
  })

  it('detachString()', () => {
    const kept: string[] = []
    expect(retainedMb((piece) => kept.push(detachString(piece)))).toBeLessThan(HELD_MB_MAX)
    expect(kept).toHaveLength(PIECES)
  })

  const backend = () =>
    new HeapBackend({ operatorName: 'o', maxParallelism: 128, parallelism: 1, subtaskIndex: 0 }, new ManualClock())

  it.each<[string, (piece: string) => any]>([
    ['a string', (piece) => piece],
    ['a row', (piece) => ({ n: 1, piece })],
    ['a nested row', (piece) => ({ n: 1, in: { piece } })],
    ['an array', (piece) => [1, piece]],
    ['a frozen row', (piece) => Object.freeze({ piece })],
    ['a map', (piece) => new Map([[piece, { piece }]])],
    ['a set', (piece) => new Set([piece])],
  ])('a ValueState of %s', (_, make) => {
    const store = backend()
    const state = store.getState(new ValueStateDescriptor<any>('v'))
    const keep = (piece: string, i: number) => {
      store.setKey(i, hashKey(i))
      state.update(make(piece))
    }
    expect(retainedMb(keep)).toBeLessThan(HELD_MB_MAX)
    expect(store.size).toBe(PIECES)
  })

  it.each<[string, (piece: string) => any]>([
    ['a string', (piece) => piece],
    ['a row', (piece) => ({ n: 1, piece })],
    ['a frozen row', (piece) => Object.freeze({ n: 1, piece })],
    ['rows of several shapes', (piece) => (piece.charCodeAt(0) % 2 === 0 ? { n: 1, piece } : { piece, list: [piece] })],
  ])('a ValueState of %s whose operator is told of batches: but for the last 8 MB of them', (_, make) => {
    const store = backend()
    const state = store.getState(new ValueStateDescriptor<any>('v'))
    const hashes = new DataView(new ArrayBuffer(4))
    let keys = 0
    const keep = (piece: string) => {
      store.beforeBatch(hashes, 0, 4, 0, 65536)
      store.setKey(keys, hashKey(keys))
      keys++
      state.update(make(piece))
    }
    expect(retainedMb(keep)).toBeLessThan(HELD_MB_MAX + 9)
    // The last ones, when as much has come in again.
    expect(retainedMb(() => store.beforeBatch(hashes, 0, 4, 0, 65536))).toBeLessThan(1)
    for (const key of [0, 1, PIECES - 1]) {
      store.setKey(key, hashKey(key))
      expect(JSON.stringify(state.value())).toContain('a'.repeat(20))
    }
  })

  it('a ValueState that is changed in place, also by fields that came later', () => {
    const store = backend()
    const state = store.getState(new ValueStateDescriptor<any>('v'))
    for (let i = 0; i < PIECES; i++) {
      store.setKey(i, hashKey(i))
      state.update({ n: 0, piece: '' })
    }
    const keep = (piece: string, i: number) => {
      store.setKey(i, hashKey(i))
      const value = state.value()
      value.n++
      value.piece = piece
      state.update(value)
    }
    expect(retainedMb(keep)).toBeLessThan(HELD_MB_MAX)
  })

  it('a declared type', () => {
    const store = backend()
    const type = types.row({ n: types.number, piece: types.nullable(types.string) })
    const state = store.getState(new ValueStateDescriptor('v', type))
    const keep = (piece: string, i: number) => {
      store.setKey(i, hashKey(i))
      state.update({ n: 1, piece: i % 10 === 0 ? null : piece })
    }
    expect(retainedMb(keep)).toBeLessThan(HELD_MB_MAX)
  })

  it('keys, lists and maps', () => {
    const store = backend()
    const list = store.getListState(new ListStateDescriptor<any>('l'))
    const map = store.getMapState(new MapStateDescriptor<string, any>('m'))
    const keep = (piece: string) => {
      store.setKey(piece, hashKey(piece))
      list.add({ piece })
      map.put(piece, { piece })
    }
    expect(retainedMb(keep)).toBeLessThan(HELD_MB_MAX)
  })

  it('accumulators that are flat objects', () => {
    const table = new SliceTable({ keys: 'any', columns: -1 })
    const fold = foldOfReduce((a: any, b: any) => ({ key: b.key, n: a.n + b.n, piece: b.piece }))
    const aggregation = new ObjectAggregation(fold, 'windows')
    const keep = (piece: string, i: number) => {
      // Twice, so that both the first and a later record have left their string.
      for (const key of [piece, `k${i % 500}`]) {
        aggregation.upsert(table.segmentOf(hashKey(key)), key, hashKey(key), { key, n: 1, piece })
      }
    }
    expect(retainedMb(keep)).toBeLessThan(HELD_MB_MAX)
    expect(table.size).toBe(PIECES + 500)
  })

  it('accumulators of any depth', () => {
    const table = new SliceTable({ keys: 'any', columns: -1 })
    const fold = foldOfReduce((a: any, b: any) => ({ seen: [...a.seen, b.piece].slice(-2) }))
    const aggregation = new ObjectAggregation({ ...fold, first: (b) => ({ seen: [b.piece] }) }, 'windows')
    const keep = (piece: string, i: number) => {
      const key = `k${i % 500}`
      aggregation.upsert(table.segmentOf(hashKey(key)), key, hashKey(key), { piece })
    }
    expect(retainedMb(keep)).toBeLessThan(HELD_MB_MAX)
    expect(table.size).toBe(500)
  })

  it('lists of records', () => {
    const table = new SliceTable({ keys: 'number', columns: -1 })
    const lists = new RecordLists('windows')
    const keep = (piece: string, i: number) => {
      const key = i % 500
      lists.upsert(table.segmentOf(hashKey(key)), key, hashKey(key), { piece })
    }
    expect(retainedMb(keep)).toBeLessThan(HELD_MB_MAX)
  })

  it('views into large buffers', () => {
    const detacher = new Detacher({ place: 'state "v"', instances: 'refuse' })
    const large = new Uint8Array(100_000)
    const kept = detacher.detach({ bytes: large.subarray(5, 10) })
    expect(kept.bytes.buffer.byteLength).toBe(5)
    expect(detacher.detach({ bytes: large }).bytes).toBe(large)
  })
})

describe('Detacher', () => {
  const value = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.string({ maxLength: 40 }),
      fc.double(),
      fc.constantFrom(null, undefined, true, 5n),
      fc.date(),
      fc.array(tie('value'), { maxLength: 5 }),
      fc.dictionary(fc.string(), tie('value'), { maxKeys: 5 }),
      fc
        .array(fc.tuple(fc.string({ maxLength: 30 }), tie('value')), { maxLength: 3 })
        .map((entries) => new Map(entries)),
    ),
  })).value

  it('changes no value', () => {
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), (values) => {
        const detacher = new Detacher({ place: 'state "v"', instances: 'refuse' })
        const copies = structuredClone(values)
        for (let i = 0; i < values.length; i++) expect(detacher.detach(values[i])).toEqual(copies[i])
        for (let i = 0; i < values.length; i++) expect(detacher.detach(values[i], true)).toEqual(copies[i])
      }),
    )
  })

  it('keeps objects that are no frozen ones', () => {
    const detacher = new Detacher({ place: 'state "v"', instances: 'refuse' })
    const long = 'a text that is longer than thirteen characters'
    for (const one of [{ long }, [long], new Map([[long, long]]), new Set([long]), { a: { long } }]) {
      expect(detacher.detach(one)).toBe(one)
    }
  })

  it('ends on values that hold themselves', () => {
    const detacher = new Detacher({ place: 'state "v"', instances: 'refuse' })
    const cycle: any = { text: 'a text that is longer than thirteen characters', list: [] }
    cycle.list.push(cycle, cycle)
    cycle.self = cycle
    expect(detacher.detach(cycle)).toBe(cycle)
  })

  it('walks large collections only now and then, and in the end', () => {
    const detacher = new Detacher({ place: 'state "v"', instances: 'refuse' })
    let reads = 0
    const list = Array.from({ length: 1000 }, () => ({
      get text() {
        reads++
        return 'short'
      },
    }))
    for (let i = 0; i < 130; i++) detacher.detach(list, true)
    // 1000 / 16 updates between two walks.
    expect(reads).toBeGreaterThan(1000)
    expect(reads).toBeLessThan(5000)
  })

  it('leaves class instances where it was told to', () => {
    class Sketch {}
    const sketch = new Sketch()
    expect(new Detacher({ place: 'w', instances: 'leave' }).detach({ sketch }).sketch).toBe(sketch)
    expect(() => new Detacher({ place: 'state "v"', instances: 'refuse' }).detach({ sketch })).toThrow(
      /Cannot keep an instance of Sketch in state "v"/,
    )
  })
})

describe('columnLayout()', () => {
  it.each([
    [0, 'number'],
    [{ n: 0, sum: 1.5 }, 'row'],
    [[0, 0], 'tuple'],
  ])('%j is a %s', (accumulator, kind) => {
    expect(columnLayout(accumulator)?.kind).toBe(kind)
  })

  it.each([
    'text',
    null,
    undefined,
    {},
    [],
    { n: 0, text: '' },
    [0, '1'],
    { n: null },
    { n: 1n },
    new (class Count {
      n = 0
    })(),
    JSON.parse('{"__proto__": 1}'),
    { n: 0, [Symbol('s')]: 1 },
    Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`f${i}`, i])),
  ])('%o is none', (accumulator) => {
    expect(columnLayout(accumulator)).toBeUndefined()
  })
})
