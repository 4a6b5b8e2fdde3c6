/**
 * The contract of snapshots and restores as tests: every backend runs them, each case for each kind of state.
 *
 * @example
 * snapshotSuite('HeapBackend', (options, clock) => new HeapBackend(options, clock))
 */
import { describe, expect, it } from 'vitest'
import { type Clock, ManualClock } from '../core/clock.ts'
import { isTailraceError } from '../core/errors.ts'
import type { Key } from '../core/functions.ts'
import { hashKey } from '../core/hash.ts'
import {
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  type StateDescriptor,
  ValueStateDescriptor,
} from '../core/state.ts'
import { type Type, types } from '../core/types.ts'
import type { BackendOptions, KeyedBackend } from './backend.ts'
import { describeState, KINDS } from './kinds.suite.ts'
import { TakenTables } from './taken-tables.suite.ts'

const OPTIONS: BackendOptions = { operatorName: 'clicks', maxParallelism: 128, parallelism: 1, subtaskIndex: 0 }

/** One of each kind that a key can be. */
const KEYS: Key[] = [0, -1.5, 'a', '', 'a key of more than thirteen', true, 5n, new Uint8Array([1, 2]), ['a', [1, 2n]]]

export function snapshotSuite(name: string, make: (options: BackendOptions, clock: Clock) => KeyedBackend): void {
  const open = (options: Partial<BackendOptions> = {}) => {
    const backend = make({ ...OPTIONS, ...options }, new ManualClock())
    return { backend, use: (key: Key) => backend.setKey(key, hashKey(key)) }
  }
  const take = (backend: KeyedBackend) => new TakenTables(backend, OPTIONS.maxParallelism)

  describe.each(KINDS)(`${name}: snapshots of $name state`, (kind) => {
    it('give every key what it had, and nothing to those that were cleared', async () => {
      const { backend, use } = open()
      const state = kind.open(backend, describeState(kind))
      for (const [i, key] of [...KEYS, 'cleared'].entries()) {
        use(key)
        state.put(i)
      }
      state.clear()
      const next = open()
      const restored = kind.open(next.backend, describeState(kind))
      await next.backend.restore(take(backend).restored())
      expect(next.backend.size).toBe(KEYS.length)
      for (const [i, key] of KEYS.entries()) {
        next.use(key)
        expect(restored.read(), String(key)).toEqual([i])
      }
      next.use('cleared')
      expect(restored.read()).toEqual([])
    })

    it('are of the barrier, whatever is written, read and cleared before they are done', async () => {
      const { backend, use } = open()
      const state = kind.open(backend, describeState(kind))
      for (let key = 0; key < 3000; key++) {
        use(key)
        state.put(key)
      }
      const taken = take(backend)
      for (let key = 0; !taken.step(); key += 50) {
        for (let k = key; k < key + 40; k++) {
          use((k * 7) % 4000)
          state.put(-1)
        }
        use((key * 13) % 3000)
        state.clear()
      }
      const next = open()
      const restored = kind.open(next.backend, describeState(kind))
      await next.backend.restore(taken.restored())
      expect(next.backend.size).toBe(3000)
      for (let key = 0; key < 3000; key++) {
        next.use(key)
        if (restored.read()[0] !== key) expect.fail(`${key} has ${restored.read()}`)
      }
    })

    it.each([1, 2, 3, 5])('go to %i subtasks, each key to that of its key group', async (parallelism) => {
      const { backend, use } = open()
      const state = kind.open(backend, describeState(kind))
      for (let key = 0; key < 400; key++) {
        use(key)
        state.put(key)
      }
      const taken = take(backend)
      let size = 0
      for (let subtaskIndex = 0; subtaskIndex < parallelism; subtaskIndex++) {
        const next = open({ parallelism, subtaskIndex })
        const descriptor = describeState(kind)
        const restored = kind.open(next.backend, descriptor)
        await next.backend.restore(taken.restored(parallelism, subtaskIndex))
        next.backend.applyToKeys(descriptor, (key) => expect(restored.read()).toEqual([key]))
        size += next.backend.size
      }
      expect(size).toBe(400)
    })

    it('keep what nobody asks for', async () => {
      const { backend, use } = open()
      const state = kind.open(backend, describeState(kind))
      use('a')
      state.put(1)
      const first = take(backend)
      const without = open()
      await without.backend.restore(first.restored())
      const second = take(without.backend)
      expect(await second.rows()).toEqual(await first.rows())
      const next = open()
      await next.backend.restore(second.restored())
      const restored = kind.open(next.backend, describeState(kind))
      next.use('a')
      expect(restored.read()).toEqual([1])
    })

    it('are refused under a name that means another kind', async () => {
      const { backend, use } = open()
      const state = kind.open(backend, describeState(kind))
      use('a')
      state.put(1)
      const taken = take(backend)
      const isList = kind.name.startsWith('list')
      const next = open()
      if (isList) next.backend.getMapState(new MapStateDescriptor('s'))
      else next.backend.getListState(new ListStateDescriptor('s'))
      const refusal = await next.backend.restore(taken.restored()).catch((error) => error)
      expect(isTailraceError(refusal) && refusal.code).toBe('TR-CHECKPOINT-004')
      expect(refusal.message).toMatch(
        /state "s" of operator "clicks": .* state is stored, and (map|list) state is wanted/,
      )
    })
  })

  describe(`${name}: snapshots`, () => {
    it('may be read as value, reducing or aggregating state, whichever wrote them', async () => {
      const sum = (a: number, b: number) => a + b
      const value = new ValueStateDescriptor<number>('s')
      const reducing = new ReducingStateDescriptor<number>('s', sum)
      const aggregating = new AggregatingStateDescriptor('s', {
        createAccumulator: () => 0,
        add: sum,
        getResult: (n) => n,
      })
      const opened = (backend: KeyedBackend) => ({
        value: () => {
          const state = backend.getState(value)
          return { add: (n: number) => state.update((state.value() ?? 0) + n), get: () => state.value() }
        },
        reducing: () => backend.getReducingState(reducing),
        aggregating: () => backend.getAggregatingState(aggregating),
      })
      for (const from of ['value', 'reducing', 'aggregating'] as const) {
        const { backend, use } = open()
        const state = opened(backend)[from]()
        use('a')
        state.add(4)
        state.add(5)
        const taken = take(backend)
        expect(taken.tables[0]!.kind).toBe('value')
        for (const to of ['value', 'reducing', 'aggregating'] as const) {
          const next = open()
          const restored = opened(next.backend)[to]()
          await next.backend.restore(taken.restored())
          next.use('a')
          expect(restored.get(), `${from} to ${to}`).toBe(9)
          restored.add(1)
          expect(restored.get(), `${from} to ${to}`).toBe(10)
        }
      }
    })

    const row = types.row({ n: types.number })
    it.each<[string, Type<any> | undefined, Type<any> | undefined, RegExp | undefined]>([
      ['no type for a declared one', row, undefined, undefined],
      ['a declared type for what was found', undefined, row, undefined],
      ['a type that may be null', row, types.nullable(row), undefined],
      ['any', row, types.any(), undefined],
      ['another type', row, types.string, /it is row, and string is declared/],
      ['another type of a field', row, types.row({ n: types.string }), /field "n" is number, and string is declared/],
      ['a field more', row, types.row({ n: types.number, m: types.number }), /no field "m"/],
    ])('admit %s or say why not, for every kind', async (_, before, after, refusal) => {
      const descriptors = (type: Type<any> | undefined): StateDescriptor[] => [
        new ValueStateDescriptor<any>('value', type),
        new ListStateDescriptor<any>('list', type),
        new MapStateDescriptor<string, any>('map', types.string, type),
        new ReducingStateDescriptor<any>('reducing', (a) => a, type),
      ]
      const stateOf = (backend: KeyedBackend, descriptor: any): { put(v: any): void; read(): any } => {
        if (descriptor.kind === 'list') {
          const state = backend.getListState<any>(descriptor)
          return { put: (v) => state.add(v), read: () => [...state.get()][0] }
        }
        if (descriptor.kind === 'map') {
          const state = backend.getMapState<string, any>(descriptor)
          return { put: (v) => state.put('k', v), read: () => state.get('k') }
        }
        if (descriptor.kind === 'reducing') {
          const state = backend.getReducingState<any>(descriptor)
          return { put: (v) => state.add(v), read: () => state.get() }
        }
        const state = backend.getState<any>(descriptor)
        return { put: (v) => state.update(v), read: () => state.value() }
      }
      for (const [i, descriptor] of descriptors(before).entries()) {
        const { backend, use } = open()
        const state = stateOf(backend, descriptor)
        use('a')
        state.put({ n: 7 })
        const next = open()
        const restored = stateOf(next.backend, descriptors(after)[i])
        const restore = next.backend.restore(take(backend).restored())
        if (refusal !== undefined) await expect(restore, descriptor.name).rejects.toThrow(refusal)
        else {
          await restore
          next.use('a')
          expect(restored.read(), descriptor.name).toEqual({ n: 7 })
        }
      }
    })

    it('have one table per state, under the prefix that is wanted, and restore those alone', async () => {
      const { backend, use } = open()
      const state = backend.getState(new ValueStateDescriptor<number>('v'))
      const list = backend.getListState(new ListStateDescriptor<number>('l'))
      use('a')
      state.update(1)
      list.addAll([3, 1, 2])
      const tables: string[] = []
      const rows: any[] = []
      const put = (one: any) => rows.push(one)
      const step = backend.snapshot(
        {
          table: ({ name }) => {
            tables.push(name)
            return { put, putEarly: put }
          },
        },
        'global/',
      )
      while (!step());
      expect(tables.sort()).toEqual(['global/l', 'global/v'])
      expect(rows.map(({ k, v }) => [k, v])).toEqual([
        ['a', 1],
        ['a', 3],
        ['a', 1],
        ['a', 2],
      ])
      const next = open()
      await next.backend.restore(
        {
          readTables: async (take) => {
            for (const name of ['v', 'global/v', 'other/global/v']) {
              take({ name, kind: 'value', row: { kind: 'any' } })?.({ k: 'a', v: name }, hashKey('a'), -Infinity)
            }
            take({ name: 'global/timers', kind: 'timers', row: { kind: 'any' } })?.({}, 0, 0)
          },
        },
        'global/',
      )
      next.use('a')
      expect(next.backend.getState(new ValueStateDescriptor<string>('v')).value()).toBe('global/v')
      expect(next.backend.size).toBe(1)
    })

    it('keep the order of a list', async () => {
      const { backend, use } = open()
      const list = backend.getListState(new ListStateDescriptor<number>('l'))
      const expected = Array.from({ length: 1000 }, (_, i) => (i * 7919) % 1000)
      for (const key of ['a', 'b']) {
        use(key)
        list.addAll(expected)
      }
      const next = open()
      const restored = next.backend.getListState(new ListStateDescriptor<number>('l'))
      await next.backend.restore(take(backend).restored())
      for (const key of ['a', 'b']) {
        next.use(key)
        expect([...restored.get()]).toEqual(expected)
      }
    })

    it('leave no key current after a restore', async () => {
      const { backend, use } = open()
      const state = backend.getState(new ValueStateDescriptor<number>('v'))
      use('a')
      state.update(1)
      const next = open()
      const restored = next.backend.getState(new ValueStateDescriptor<number>('v'))
      await next.backend.restore(take(backend).restored())
      expect(() => restored.value()).toThrow(/no key is current/)
    })
  })
}
