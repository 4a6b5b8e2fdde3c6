/**
 * The contract of state with a time to live as tests [TTL-01..TTL-04]: every backend runs them, each case for each kind of state.
 *
 * A value is there until its last access that counts is `ttl` milliseconds ago, to the millisecond; then it is gone for readers, snapshots and visits,
 * and some time later from memory.
 *
 * @example
 * ttlSuite('HeapBackend', (options, clock) => new HeapBackend(options, clock))
 */
import { describe, expect, it } from 'vitest'
import { type Clock, ManualClock } from '../core/clock.ts'
import type { Key } from '../core/functions.ts'
import { hashKey } from '../core/hash.ts'
import {
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
} from '../core/state.ts'
import { StateTtlConfig, type StateTtlConfigBuilder } from '../core/state-ttl.ts'
import type { BackendOptions, KeyedBackend } from './backend.ts'
import { describeState, KINDS } from './kinds.suite.ts'
import { TakenTables } from './taken-tables.suite.ts'

const OPTIONS: BackendOptions = { operatorName: 'clicks', maxParallelism: 128, parallelism: 1, subtaskIndex: 0 }
const START = 1_700_000_000_000
const TTL = 100

type Set = (builder: StateTtlConfigBuilder) => StateTtlConfigBuilder

/** Without clean-up in the background, if `set` does not say otherwise: what a case sees is its own doing. */
const ttlOf = (set: Set = (b) => b, ttlMs = TTL) =>
  set(StateTtlConfig.newBuilder(ttlMs).disableCleanupInBackground()).build()

const onRead: Set = (b) => b.updateTtlOnReadAndWrite()
const showsExpired: Set = (b) => b.returnExpiredIfNotCleanedUp()

export function ttlSuite(name: string, make: (options: BackendOptions, clock: Clock) => KeyedBackend): void {
  /** A backend whose clock stands at START. */
  const create = () => {
    const clock = new ManualClock(START)
    const backend = make(OPTIONS, clock)
    return {
      backend,
      use: (key: Key) => backend.setKey(key, hashKey(key)),
      /** Milliseconds after the start. */
      at: (ms: number) => clock.set(START + ms),
    }
  }

  describe.each(KINDS)(`${name}: time to live of $name state`, (kind) => {
    /** With a state of this kind, at the key 'a'. */
    const open = (ttl?: StateTtlConfig) => {
      const opened = create()
      const state = kind.open(opened.backend, describeState(kind, ttl))
      opened.use('a')
      return { ...opened, state }
    }
    const take = (backend: KeyedBackend) => new TakenTables(backend, OPTIONS.maxParallelism).end()
    /** The next job: what was taken is restored `ms` after the start. */
    const restored = async (taken: TakenTables, ms: number, ttl?: StateTtlConfig, late = false) => {
      const opened = create()
      opened.at(ms)
      const descriptor = describeState(kind, ttl)
      let state = late ? undefined : kind.open(opened.backend, descriptor)
      await opened.backend.restore(taken.restored())
      state ??= kind.open(opened.backend, descriptor)
      opened.use('a')
      return { ...opened, state }
    }

    it('is empty before it is written, at any time', () => {
      const { state, at, backend } = open(ttlOf(onRead))
      expect(state.read()).toEqual([])
      at(TTL)
      expect(state.read()).toEqual([])
      state.clear()
      expect(backend.size).toBe(0)
    })

    it('ends to the millisecond after the write', () => {
      const { state, at } = open(ttlOf())
      state.put(1)
      at(TTL - 1)
      expect(state.read()).toEqual([1])
      at(TTL)
      expect(state.read()).toEqual([])
    })

    it('begins anew with each write', () => {
      const { state, at } = open(ttlOf())
      state.put(1)
      at(60)
      state.put(2)
      at(60 + TTL - 1)
      expect(state.read()).toEqual([2])
      at(60 + TTL)
      expect(state.read()).toEqual([])
    })

    it('does not begin anew with a read, if only writes count', () => {
      const { state, at } = open(ttlOf())
      state.put(1)
      at(60)
      expect(state.read()).toEqual([1])
      at(TTL)
      expect(state.read()).toEqual([])
    })

    it('begins anew with each read, if reads count', () => {
      const { state, at } = open(ttlOf(onRead))
      state.put(1)
      for (let i = 1; i <= 5; i++) {
        at(i * (TTL - 1))
        expect(state.read()).toEqual([1])
      }
      at(5 * (TTL - 1) + TTL)
      expect(state.read()).toEqual([])
      expect(state.read()).toEqual([])
    })

    it('takes no room any more once a reader has found it expired', () => {
      const { state, at, backend } = open(ttlOf())
      state.put(1)
      at(TTL)
      expect(backend.size).toBe(1)
      state.read()
      expect(backend.size).toBe(0)
      state.put(2)
      expect(state.read()).toEqual([2])
      expect(backend.size).toBe(1)
    })

    it.each([
      ['writes', showsExpired],
      ['reads and writes', (b: StateTtlConfigBuilder) => onRead(showsExpired(b))],
    ])('is handed out once after its end, if that is asked for and %s count', (_, set) => {
      const { state, at, backend } = open(ttlOf(set))
      state.put(1)
      at(TTL + 50)
      expect(state.read()).toEqual([1])
      expect(state.read()).toEqual([])
      expect(backend.size).toBe(0)
      state.put(2)
      at(TTL + 50 + TTL - 1)
      expect(state.read()).toEqual([2])
    })

    it.each([Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, Infinity])('lives for %d ms: for ever', (ttlMs) => {
      const { state, at } = open(ttlOf(undefined, ttlMs))
      state.put(1)
      at(8_000_000_000_000)
      expect(state.read()).toEqual([1])
    })

    it('goes on while the clock goes back', () => {
      const { state, at } = open(ttlOf())
      state.put(1)
      at(-1000)
      expect(state.read()).toEqual([1])
      at(TTL - 1)
      expect(state.read()).toEqual([1])
      at(TTL)
      expect(state.read()).toEqual([])
    })

    it('is counted for each key', () => {
      const { state, at, use } = open(ttlOf())
      state.put(1)
      at(60)
      use('b')
      state.put(2)
      at(TTL)
      expect(state.read()).toEqual([2])
      use('a')
      expect(state.read()).toEqual([])
      use('b')
      at(60 + TTL)
      expect(state.read()).toEqual([])
    })

    it('is cleared as ever', () => {
      const { state, backend } = open(ttlOf())
      state.put(1)
      state.clear()
      expect(state.read()).toEqual([])
      expect(backend.size).toBe(0)
    })

    it('is without end, if it is disabled', () => {
      const { state, at, backend } = open(ttlOf((b) => b.setUpdateType('Disabled')))
      state.put(1)
      at(1e12)
      expect(state.read()).toEqual([1])
      expect(take(backend).tables[0]!.settings).toBeUndefined()
    })

    it('leaves what has expired out of snapshots, and where it is', async () => {
      const { state, at, use, backend } = open(ttlOf(showsExpired))
      state.put(1)
      at(60)
      use('b')
      state.put(2)
      at(TTL)
      const rows = await take(backend).rows()
      expect(rows).toHaveLength(1)
      expect(rows[0]).toMatch(/^\["s",\{"k":"b".*,1700000000060\]$/)
      expect(backend.size).toBe(2)
      use('a')
      expect(state.read()).toEqual([1])
    })

    it('keeps its times through a restore, in which what has expired meanwhile stays away', async () => {
      const { state, at, use, backend } = open(ttlOf())
      state.put(1)
      use('b')
      at(60)
      state.put(2)
      const taken = take(backend)
      expect(taken.tables[0]!.settings).toEqual({ ttl: true })
      const without = open()
      without.state.put(1)
      expect(taken.tables[0]!.row).toEqual(take(without.backend).tables[0]!.row)
      for (const late of [false, true]) {
        const next = await restored(taken, TTL, ttlOf(), late)
        if (!late) expect(next.backend.size).toBe(1)
        expect(next.state.read()).toEqual([])
        next.use('b')
        next.at(60 + TTL - 1)
        expect(next.state.read()).toEqual([2])
        next.at(60 + TTL)
        expect(next.state.read()).toEqual([])
      }
    })

    it('lives as long as the next job says', async () => {
      const { state, backend } = open(ttlOf())
      state.put(1)
      const next = await restored(take(backend), 50, ttlOf(undefined, 10 * TTL))
      next.at(10 * TTL - 1)
      expect(next.state.read()).toEqual([1])
      next.at(10 * TTL)
      expect(next.state.read()).toEqual([])
    })

    it('lives for ever when the next job gives it no time', async () => {
      const { state, backend } = open(ttlOf())
      state.put(1)
      for (const late of [false, true]) {
        const next = await restored(take(backend), 50, undefined, late)
        next.at(100 * TTL)
        expect(next.state.read()).toEqual([1])
        next.state.put(2)
        expect(next.state.read()).toEqual([2])
        const again = take(next.backend)
        expect(again.tables[0]!.settings).toBeUndefined()
        expect((await again.rows())[0]).toMatch(/,null\]$/)
      }
    })

    it('lives from the restore on when the next job is the first to give it a time', async () => {
      const { state, backend } = open()
      state.put(1)
      for (const late of [false, true]) {
        const next = await restored(take(backend), 5000, ttlOf(), late)
        next.at(5000 + TTL - 1)
        expect(next.state.read()).toEqual([1])
        next.at(5000 + TTL)
        expect(next.state.read()).toEqual([])
      }
    })

    it('keeps its times through jobs that do not ask for it', async () => {
      const { state, backend } = open(ttlOf())
      state.put(1)
      const without = create()
      await without.backend.restore(take(backend).restored())
      without.at(10 * TTL)
      const next = await restored(take(without.backend), TTL - 1, ttlOf())
      expect(next.state.read()).toEqual([1])
      next.at(TTL)
      expect(next.state.read()).toEqual([])
    })

    it('is visited while it is there', () => {
      const { state, at, use, backend } = open(ttlOf())
      const visited = () => {
        const keys: Key[] = []
        backend.applyToKeys(descriptor, (key) => keys.push(key))
        return keys.sort()
      }
      const descriptor = describeState(kind, ttlOf())
      state.put(1)
      at(60)
      use('b')
      state.put(2)
      expect(visited()).toEqual(['a', 'b'])
      at(TTL)
      expect(visited()).toEqual(['b'])
      at(60 + TTL)
      expect(visited()).toEqual([])
    })

    it('is looked for while another key is used, a few values at a time', () => {
      const { state, at, use, backend } = open(ttlOf((b) => b.cleanupIncrementally(3, false)))
      for (let key = 0; key < 300; key++) {
        use(key)
        state.put(key)
      }
      at(TTL)
      use('b')
      state.put(1)
      const size = backend.size
      expect(size).toBeGreaterThan(300 - 10)
      state.read()
      expect(backend.size).toBeGreaterThanOrEqual(size - 3)
      // Reads of one key clean up all others, which nobody touches.
      for (let i = 0; i < 300 && backend.size > 1; i++) state.read()
      expect(backend.size).toBe(1)
      expect(state.read()).toEqual([1])
    })

    it('is looked for with each record, if that is asked for', () => {
      const { state, at, use, backend } = open(ttlOf((b) => b.cleanupIncrementally(3, true)))
      for (let key = 0; key < 300; key++) {
        use(key)
        state.put(key)
      }
      at(TTL)
      for (let i = 0; i < 300 && backend.size > 0; i++) use('b')
      expect(backend.size).toBe(0)
    })

    it('stays until it is read, if nobody looks for it', () => {
      const { state, at, use, backend } = open(ttlOf())
      for (let key = 0; key < 50; key++) {
        use(key)
        state.put(key)
      }
      at(TTL)
      use('b')
      for (let i = 0; i < 300; i++) state.put(i)
      expect(backend.size).toBe(51)
    })

    it('is refused under a name that has another time to live', () => {
      const { backend } = open(ttlOf())
      expect(() => kind.open(backend, describeState(kind, ttlOf()))).not.toThrow()
      for (const other of [undefined, ttlOf(onRead), ttlOf(undefined, TTL + 1)]) {
        expect(() => kind.open(backend, describeState(kind, other))).toThrow(/"s".*another time to live/)
      }
    })
  })

  describe(`${name}: time to live of parts`, () => {
    it('is counted for each element of a list', () => {
      const { backend, use, at } = create()
      const descriptor = new ListStateDescriptor<number>('s')
      descriptor.enableTimeToLive(ttlOf())
      const state = backend.getListState(descriptor)
      use('a')
      state.add(1)
      at(40)
      state.addAll([2, 3])
      at(80)
      state.add(4)
      at(TTL)
      expect([...state.get()]).toEqual([2, 3, 4])
      at(40 + TTL)
      state.add(5)
      expect([...state.get()]).toEqual([4, 5])
      state.update([6, 7])
      at(40 + TTL + TTL - 1)
      expect([...state.get()]).toEqual([6, 7])
      at(40 + TTL + TTL)
      expect([...state.get()]).toEqual([])
    })

    it('is counted for each entry of a map, by whatever looks at it', () => {
      const { backend, use, at } = create()
      const descriptor = new MapStateDescriptor<string, number>('s')
      descriptor.enableTimeToLive(ttlOf())
      const state = backend.getMapState(descriptor)
      use('a')
      state.put('x', 1)
      state.put('w', 1)
      at(40)
      state.putAll([['y', 2]])
      state.put('w', 3)
      at(TTL)
      expect(state.contains('x')).toBe(false)
      expect(state.contains('y')).toBe(true)
      expect([...state.keys()]).toEqual(['w', 'y'])
      expect([...state.values()]).toEqual([3, 2])
      expect(state.isEmpty()).toBe(false)
      at(40 + TTL)
      expect(state.isEmpty()).toBe(true)
      expect(backend.size).toBe(0)
      expect([...state.entries()]).toEqual([])
    })

    it('is counted from the read of an entry, if reads count: contains() and iterators are reads, isEmpty() is none', () => {
      const { backend, use, at } = create()
      const descriptor = new MapStateDescriptor<string, number>('s')
      descriptor.enableTimeToLive(ttlOf(onRead))
      const state = backend.getMapState(descriptor)
      use('a')
      for (const key of ['got', 'contained', 'keys', 'left']) state.put(key, 1)
      at(50)
      state.get('got')
      state.contains('contained')
      for (const key of state.keys()) {
        if (key === 'keys') break
      }
      state.isEmpty()
      at(TTL)
      expect([...state.keys()]).toEqual(['got', 'contained', 'keys'])
    })

    it('passes while an iterator stands: what has expired meanwhile is not handed out', () => {
      const { backend, use, at } = create()
      const descriptor = new MapStateDescriptor<number, number>('s')
      descriptor.enableTimeToLive(ttlOf())
      const state = backend.getMapState(descriptor)
      use('a')
      for (let i = 0; i < 10; i++) state.put(i, i)
      const seen: number[] = []
      for (const key of state.keys()) {
        seen.push(key)
        if (key === 3) at(TTL)
      }
      expect(seen).toEqual([0, 1, 2, 3])
      // The last ones were dropped on the way, the first ones are found by the next reader.
      expect(backend.size).toBe(1)
      expect(state.isEmpty()).toBe(true)
      expect(backend.size).toBe(0)
    })

    it('lets an iterator of another key read on, and change nothing', () => {
      const { backend, use, at } = create()
      const descriptor = new MapStateDescriptor<number, number>('s')
      descriptor.enableTimeToLive(ttlOf(onRead))
      const state = backend.getMapState(descriptor)
      use('a')
      state.put(1, 1)
      state.put(2, 2)
      state.put(3, 3)
      const kept = state.keys()[Symbol.iterator]()
      expect(kept.next().value).toBe(1)
      use('b')
      at(TTL - 1)
      expect(kept.next().value).toBe(2)
      at(TTL)
      expect(kept.next().done).toBe(true)
      // A clock that goes back shows what is left: 2 as old as it was, 3 not dropped.
      use('a')
      at(TTL - 1)
      expect(backend.size).toBe(1)
      expect([...state.keys()]).toEqual([1, 2, 3])
    })

    it('lets an iterator of another key begin no time anew', () => {
      const { backend, use, at } = create()
      const descriptor = new MapStateDescriptor<number, number>('s')
      descriptor.enableTimeToLive(ttlOf(onRead))
      const state = backend.getMapState(descriptor)
      use('a')
      state.put(1, 1)
      const kept = state.values()[Symbol.iterator]()
      use('b')
      at(TTL - 1)
      expect(kept.next().value).toBe(1)
      use('a')
      at(TTL)
      expect(state.isEmpty()).toBe(true)
    })

    it.each([
      ['not handed out', ttlOf(), 5],
      ['still handed out', ttlOf(showsExpired), 15],
    ])('ends for an accumulator: what is %s is added to or not', (_, ttl, expected) => {
      const { backend, use, at } = create()
      const sum = new ReducingStateDescriptor<number>('sum', (a, b) => a + b)
      const total = new AggregatingStateDescriptor('total', {
        createAccumulator: () => ({ n: 0 }),
        add: (n: number, a) => ({ n: a.n + n }),
        getResult: (a) => a.n,
      })
      for (const descriptor of [sum, total]) descriptor.enableTimeToLive(ttl)
      for (const state of [backend.getReducingState(sum), backend.getAggregatingState(total)]) {
        use('a')
        at(0)
        state.add(4)
        at(60)
        state.add(6)
        at(60 + TTL - 1)
        expect(state.get()).toBe(10)
        at(60 + TTL)
        state.add(5)
        expect(state.get()).toBe(expected)
      }
    })

    it('is no end to what is under one key alone: writes clean it up', () => {
      const { backend, use, at } = create()
      const list = new ListStateDescriptor<number>('list')
      const map = new MapStateDescriptor<number, number>('map')
      for (const descriptor of [list, map]) descriptor.enableTimeToLive(StateTtlConfig.newBuilder(TTL).build())
      const [listState, mapState] = [backend.getListState(list), backend.getMapState(map)]
      use('a')
      for (let ms = 0; ms < 20_000; ms++) {
        at(ms)
        listState.add(ms)
        mapState.put(ms, ms)
      }
      // Times go on for a while, but nobody reads: a snapshot by a clock that was set back shows what is still in memory.
      at(0)
      const taken = new TakenTables(backend, OPTIONS.maxParallelism).end()
      return taken.rows().then((rows) => {
        const kept = (table: string) => rows.filter((row) => row.startsWith(`["${table}"`)).length
        expect(kept('list')).toBeLessThanOrEqual(TTL + 1)
        expect(kept('map')).toBeLessThanOrEqual(2 * TTL)
      })
    })

    it('is looked for in the middle of a large map, and gone on with', () => {
      const { backend, use, at } = create()
      const descriptor = new MapStateDescriptor<number, number>('s')
      descriptor.enableTimeToLive(StateTtlConfig.newBuilder(TTL).cleanupIncrementally(10, false).build())
      const state = backend.getMapState(descriptor)
      for (const key of ['a', 'b']) {
        use(key)
        for (let i = 0; i < 5000; i++) state.put(i, i)
      }
      at(50)
      use('a')
      state.put(4999, -1)
      at(TTL)
      use('c')
      state.put(1, 1)
      for (let i = 0; i < 2000; i++) state.get(1)
      expect(backend.size).toBe(2)
      use('a')
      at(0)
      expect([...state.entries()]).toEqual([[4999, -1]])
    })

    it('ends at any parallelism as it would have before', async () => {
      const { backend, use, at } = create()
      const descriptor = new MapStateDescriptor<number, number>('s')
      descriptor.enableTimeToLive(ttlOf())
      const state = backend.getMapState(descriptor)
      for (let key = 0; key < 60; key++) {
        use(key)
        at(key)
        state.put(key, key)
      }
      const taken = new TakenTables(backend, OPTIONS.maxParallelism).end()
      const found: number[] = []
      for (let subtaskIndex = 0; subtaskIndex < 3; subtaskIndex++) {
        const clock = new ManualClock(START + 60)
        const next = make({ ...OPTIONS, parallelism: 3, subtaskIndex }, clock)
        const restored = next.getMapState(descriptor)
        await next.restore(taken.restored(3, subtaskIndex))
        clock.set(START + 30 + TTL)
        next.applyToKeys(descriptor, (key) => {
          for (const n of restored.values()) {
            expect(n).toBe(key)
            found.push(n)
          }
        })
      }
      expect(found.sort((a, b) => a - b)).toEqual(Array.from({ length: 29 }, (_, i) => i + 31))
    })
  })
}
