import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { StateTable } from '../../checkpoint/model.ts'
import { ManualClock } from '../../core/clock.ts'
import { hashKey } from '../../core/hash.ts'
import { ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor } from '../../core/state.ts'
import { types } from '../../core/types.ts'
import { HeapBackend } from './backend.ts'

const OPTIONS = { operatorName: 'accounts', maxParallelism: 16, parallelism: 1, subtaskIndex: 0 }

/** Keeps rows as text at once, as a real writer encodes them at once. */
class Tables {
  readonly tables = new Map<string, StateTable>()
  readonly rows: string[] = []
  table(table: StateTable) {
    expect(this.tables.has(table.name)).toBe(false)
    this.tables.set(table.name, table)
    const put = (row: any, hash: number) => {
      expect(hash >>> 0).toBe(hashKey(row.k))
      this.rows.push(JSON.stringify([table.name, row]))
    }
    return { put, putEarly: put }
  }
  /** As a checkpoint gives them back. */
  async readTables(take: (table: StateTable) => ((row: any, hash: number, timestamp: number) => void) | undefined) {
    const takers = new Map([...this.tables].map(([name, table]) => [name, take(table)]))
    for (const text of this.rows) {
      const [name, row] = JSON.parse(text)
      takers.get(name)?.(row, hashKey(row.k), -Infinity)
    }
  }
}

const account = types.row({ n: types.number, text: types.string })

function create() {
  const backend = new HeapBackend(OPTIONS, new ManualClock())
  return {
    backend,
    value: backend.getState(new ValueStateDescriptor<any>('value')),
    packed: backend.getState(new ValueStateDescriptor('packed', account)),
    list: backend.getListState(new ListStateDescriptor<number>('list')),
    map: backend.getMapState(new MapStateDescriptor<string, number>('map')),
  }
}

type States = ReturnType<typeof create>

/** All rows of a backend, by a snapshot that nothing disturbs. */
function rowsOf({ backend }: States): string[] {
  const tables = new Tables()
  const step = backend.snapshot(tables)
  while (!step());
  return tables.rows.sort()
}

const action = fc.record({
  key: fc.oneof(fc.integer({ min: 0, max: 60 }), fc.constantFrom<any>('a', [1, 'b'], true)),
  what: fc.constantFrom('update', 'mutate', 'packed', 'add', 'put', 'clear', 'clearAll', 'read', 'step'),
  n: fc.integer({ min: 0, max: 99 }),
})

function act(states: States, { key, what, n }: { key: any; what: string; n: number }): void {
  const { backend, value, packed, list, map } = states
  backend.setKey(key, hashKey(key))
  if (what === 'update') value.update({ n })
  else if (what === 'mutate') {
    // Without update(): who was handed a value before the barrier's key change may have changed it in place.
    const kept = value.value()
    if (kept !== undefined) kept.n = n
  } else if (what === 'packed') packed.update({ n, text: `text ${n}` })
  else if (what === 'add') list.add(n)
  else if (what === 'put') map.put(`k${n % 5}`, n)
  else if (what === 'clear') value.clear()
  else if (what === 'clearAll') for (const state of [value, packed, list, map]) state.clear()
  else value.value()
}

describe('HeapBackend.snapshot()', () => {
  it('takes everything as it was at the barrier, whatever records do meanwhile (property)', () => {
    fc.assert(
      fc.property(fc.array(action, { maxLength: 150 }), fc.array(action, { maxLength: 150 }), (before, after) => {
        const states = create()
        for (const a of before) act(states, a)
        const expected = rowsOf(states)
        const tables = new Tables()
        const step = states.backend.snapshot(tables)
        for (const a of after) {
          if (a.what === 'step') step()
          else act(states, a)
        }
        while (!step());
        expect(tables.rows.sort()).toEqual(expected)
      }),
      { numRuns: 300 },
    )
  })

  it('takes a key once, however often it is used, while the table grows under it', () => {
    const states = create()
    const set = (k: number, n: number) => {
      states.backend.setKey(k, hashKey(k))
      states.value.update({ n })
    }
    for (let k = 0; k < 20_000; k++) set(k, 1)
    const tables = new Tables()
    const step = states.backend.snapshot(tables)
    for (let k = 0, done = false; !done; k += 97) {
      for (let i = 0; i < 97; i++) set((k + i) % 60_000, 2)
      done = step()
    }
    const rows = tables.rows.map((text) => JSON.parse(text)[1])
    expect(rows).toHaveLength(20_000)
    expect(rows.every(({ v }) => v.n === 1)).toBe(true)
    expect(new Set(rows.map(({ k }) => k)).size).toBe(20_000)
  })

  it('misses no key of a segment in the middle of which it stands when others leave it', () => {
    const states = create()
    const keys = 1500
    // All of one hash: they lie one behind the other, in 1500 of 4096 places, and a step looks at 1024. Who leaves makes all behind move up.
    const hash = 1 << 20
    for (let k = 0; k < keys; k++) {
      states.backend.setKey(k, hash)
      states.value.update(k)
    }
    const seen: number[] = []
    const put = (row: any) => seen.push(row.k)
    const step = states.backend.snapshot({ table: () => ({ put, putEarly: put }) })
    for (let from = 0, done = false; !done; from += 7) {
      done = step()
      for (let k = from % 100; k < keys; k += 100) {
        states.backend.setKey(k, hash)
        states.value.clear()
      }
    }
    expect(seen.sort((a, b) => a - b)).toEqual(Array.from({ length: keys }, (_, k) => k))
  })

  it('finishes the one before it', () => {
    const states = create()
    act(states, { key: 1, what: 'update', n: 5 })
    const first = new Tables()
    const stepFirst = states.backend.snapshot(first)
    act(states, { key: 2, what: 'update', n: 6 })
    const second = new Tables()
    const step = states.backend.snapshot(second)
    expect(first.rows).toHaveLength(1)
    expect(stepFirst()).toBe(true)
    while (!step());
    expect(second.rows).toHaveLength(2)
  })

  it('says what the rows are: declared types, and else what it finds', () => {
    const states = create()
    act(states, { key: 'a', what: 'update', n: 5 })
    act(states, { key: 'a', what: 'add', n: 5 })
    const tables = new Tables()
    states.backend.snapshot(tables, 'prefix/')
    expect(tables.tables.get('prefix/packed')!.row).toMatchObject({
      fields: [
        ['k', { kind: 'string' }],
        ['v', { kind: 'row' }],
      ],
    })
    expect(tables.tables.get('prefix/list')).toMatchObject({
      kind: 'list',
      row: {
        fields: [
          ['k', { kind: 'string' }],
          ['v', { kind: 'number' }],
        ],
      },
    })
  })

  it('takes every key as it was, though all of them are visited and changed behind the barrier', () => {
    const states = create()
    for (let key = 0; key < 500; key++) act(states, { key, what: 'update', n: key })
    const wanted = rowsOf(states)
    const tables = new Tables()
    const step = states.backend.snapshot(tables)
    states.backend.applyToKeys(new ValueStateDescriptor<any>('value'), (key, state) => {
      if ((key as number) % 2 === 0) state.clear()
      else state.value().n = -1
    })
    while (!step());
    expect(tables.rows.sort()).toEqual(wanted)
    expect(states.backend.size).toBe(250)
  })
})

describe('HeapBackend.restore()', () => {
  it('gives back what was taken (property)', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 150 }), async (actions) => {
        const states = create()
        for (const a of actions) act(states, a)
        const tables = new Tables()
        const step = states.backend.snapshot(tables)
        while (!step());
        const restored = create()
        await restored.backend.restore(tables)
        expect(rowsOf(restored)).toEqual(rowsOf(states))
      }),
    )
  })

  it('keeps a state that nobody asks for, until someone does', async () => {
    const states = create()
    act(states, { key: 'a', what: 'update', n: 5 })
    const tables = new Tables()
    while (!states.backend.snapshot(tables)());
    const backend = new HeapBackend(OPTIONS, new ManualClock())
    await backend.restore(tables)
    const again = new Tables()
    while (!backend.snapshot(again)());
    expect(again.rows).toEqual(tables.rows)
    backend.setKey('a', hashKey('a'))
    expect(backend.getState(new ValueStateDescriptor<any>('value')).value()).toEqual({ n: 5 })
  })

  it('keeps a state that nobody asks for though two subtasks have found different types in it', async () => {
    const tables = ['text', 7].map((v, i) => {
      const backend = new HeapBackend(OPTIONS, new ManualClock())
      const state = backend.getState(new ValueStateDescriptor<any>('v'))
      backend.setKey(i, hashKey(i))
      state.update(v)
      const taken = new Tables()
      while (!backend.snapshot(taken)());
      return taken
    })
    const backend = new HeapBackend(OPTIONS, new ManualClock())
    for (const one of tables) await backend.restore(one)
    const again = new Tables()
    while (!backend.snapshot(again)());
    expect(again.rows.sort()).toEqual(tables.flatMap(({ rows }) => rows).sort())
    expect(() => backend.getState(new ValueStateDescriptor('v', types.number))).toThrow(
      /it is string, and number is declared/,
    )
  })

  it('refuses a map with keys of another type', async () => {
    const states = create()
    act(states, { key: 'a', what: 'put', n: 5 })
    const tables = new Tables()
    while (!states.backend.snapshot(tables)());
    const descriptor = new MapStateDescriptor('map', types.number, types.number)
    const early = new HeapBackend(OPTIONS, new ManualClock())
    early.getMapState(descriptor)
    await expect(early.restore(tables)).rejects.toThrow(/its key is string, and number is declared/)
    const late = new HeapBackend(OPTIONS, new ManualClock())
    await late.restore(tables)
    expect(() => late.getMapState(descriptor)).toThrow(/its key is string, and number is declared/)
  })

  it.each<[string, (backend: HeapBackend) => void, RegExp]>([
    [
      'another kind',
      (b) => b.getListState(new ListStateDescriptor('packed')),
      /value state is stored, and list state is wanted/,
    ],
    [
      'another type',
      (b) => b.getState(new ValueStateDescriptor('packed', types.row({ n: types.string, text: types.string }))),
      /field "n" is number, and string is declared/,
    ],
    [
      'a field more',
      (b) =>
        b.getState(
          new ValueStateDescriptor('packed', types.row({ n: types.number, text: types.string, x: types.number })),
        ),
      /no field "x"/,
    ],
    [
      'a field less',
      (b) => b.getState(new ValueStateDescriptor('packed', types.row({ n: types.number }))),
      /a field "text", which is not declared/,
    ],
  ])('refuses %s, before and after it was asked for', async (_, ask, message) => {
    const states = create()
    act(states, { key: 'a', what: 'packed', n: 5 })
    const tables = new Tables()
    while (!states.backend.snapshot(tables)());
    const early = new HeapBackend(OPTIONS, new ManualClock())
    ask(early)
    await expect(early.restore(tables)).rejects.toThrow(message)
    const late = new HeapBackend(OPTIONS, new ManualClock())
    await late.restore(tables)
    expect(() => ask(late)).toThrow(message)
  })
})
