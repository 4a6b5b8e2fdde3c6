/**
 * What the suites of state with a time to live do not see: many keys, and snapshots in the middle of everything.
 */
import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../core/clock.ts'
import type { Key } from '../../core/functions.ts'
import { hashKey } from '../../core/hash.ts'
import { ListStateDescriptor, MapStateDescriptor, ValueStateDescriptor } from '../../core/state.ts'
import { StateTtlConfig, type StateTtlConfigBuilder } from '../../core/state-ttl.ts'
import { describeState, KINDS } from '../kinds.suite.ts'
import { TakenTables } from '../taken-tables.suite.ts'
import { HeapBackend } from './backend.ts'

const TTL = 1000
const MAX_PARALLELISM = 16

function create() {
  const clock = new ManualClock()
  const backend = new HeapBackend(
    { operatorName: 'clicks', maxParallelism: MAX_PARALLELISM, parallelism: 1, subtaskIndex: 0 },
    clock,
  )
  return { clock, backend, use: (key: Key) => backend.setKey(key, hashKey(key)) }
}

const take = (backend: HeapBackend) => new TakenTables(backend, MAX_PARALLELISM)
const ttlOf = (set: (b: StateTtlConfigBuilder) => StateTtlConfigBuilder = (b) => b) =>
  set(StateTtlConfig.newBuilder(TTL)).build()

describe('HeapBackend: values that expire', () => {
  it('are in a snapshot once, as they were, while they are swept, cleared and joined by others under it', async () => {
    const { clock, backend, use } = create()
    const value = new ValueStateDescriptor<number>('value')
    const list = new ListStateDescriptor<number>('list')
    const map = new MapStateDescriptor<number, number>('map')
    const ttl = ttlOf((b) => b.cleanupIncrementally(40, false))
    for (const descriptor of [value, list, map]) descriptor.enableTimeToLive(ttl)
    const states = [backend.getState(value), backend.getListState(list), backend.getMapState(map)] as const
    const set = (key: number, n: number) => {
      use(key)
      if (key % 3 === 0) states[0].update(n)
      else if (key % 3 === 1) states[1].addAll([n, n])
      else states[2].put(n, n)
    }
    const keys = 9000
    for (let key = 0; key < keys; key++) {
      clock.set(key / 10)
      set(key, 1)
    }
    const expected = new Set<string>()
    clock.set(TTL)
    for (let k = 0; k < keys; k++) {
      const t = Math.floor(k / 10)
      if (t + TTL <= clock.now()) continue
      if (k % 3 === 0) expected.add(JSON.stringify(['value', { k, v: 1 }, t]))
      else if (k % 3 === 1) for (const twin of ['', ' ']) expected.add(JSON.stringify(['list', { k, v: 1 }, t]) + twin)
      else expected.add(JSON.stringify(['map', { k, m: 1, v: 1 }, t]))
    }
    const snapshot = take(backend)
    for (let key = keys, done = false; !done; key += 100) {
      // All of the barrier's values expire on the way.
      clock.advance(TTL / 8)
      for (let i = 0; i < 100; i++) {
        set(key + i, 2)
        use((key + i) % keys)
        if (i % 7 === 0) for (const state of states) state.clear()
      }
      done = snapshot.step()
    }
    const rows = (await snapshot.rows()).map((row, i, all) => (row === all[i - 1] ? `${row} ` : row))
    expect(rows).toHaveLength(expected.size)
    expect(new Set(rows)).toEqual(expected)
  })

  it('are swept from a table that others keep growing and leaving', () => {
    const { clock, backend, use } = create()
    const descriptor = new ValueStateDescriptor<number>('value')
    descriptor.enableTimeToLive(ttlOf())
    const state = backend.getState(descriptor)
    for (let key = 0; key < 60_000; key++) {
      clock.set(key / 10)
      use(key)
      state.update(key)
      if (key % 5 === 0) {
        use(key - 1000)
        state.clear()
      }
    }
    // 10,000 keys are written per time to live; five looks per access go round such a table twice in that time.
    expect(backend.size).toBeLessThan(20_000)
    expect(backend.size).toBeGreaterThanOrEqual(8000)
    for (let key = 60_000 - 999; key < 60_000; key++) {
      use(key)
      expect(state.value()).toBe(key)
    }
  })

  it('cost readers of other keys few looks where there is nothing to find', () => {
    const { backend, use } = create()
    const descriptor = new ValueStateDescriptor<number>('value')
    descriptor.enableTimeToLive(ttlOf())
    const state = backend.getState(descriptor)
    for (let key = 0; key < 1000; key++) {
      use(key)
      state.update(key)
    }
    let looks = 0
    for (const segment of backend.segments) {
      const { pairs } = segment
      Object.defineProperty(segment, 'pairs', {
        get() {
          looks++
          return pairs
        },
      })
    }
    for (let i = 0; i < 100; i++) state.value()
    expect(looks).toBeGreaterThan(0)
    expect(looks).toBeLessThanOrEqual(100 * 5 * 8 * 2)
  })
})

describe.each(KINDS)('HeapBackend: $name state that is asked for after a restore', (kind) => {
  const taken = (ttl?: StateTtlConfig) => {
    const { backend, use } = create()
    const state = kind.open(backend, describeState(kind, ttl))
    for (let key = 0; key < 20; key++) {
      use(key)
      state.put(key)
    }
    return take(backend).end()
  }

  it.each([
    ['gets times', undefined, ttlOf()],
    ['loses its times', ttlOf(), undefined],
    ['keeps its times', ttlOf(), ttlOf((b) => b.updateTtlOnReadAndWrite())],
    ['stays as it was', undefined, undefined],
  ])('%s in the middle of a snapshot, which has it as it was', async (_, before, after) => {
    const old = taken(before)
    const { clock, backend, use } = create()
    clock.set(5)
    await backend.restore(old.restored())
    clock.set(10)
    const snapshot = take(backend)
    const state = kind.open(backend, describeState(kind, after))
    use(7)
    expect(state.read()).toEqual([7])
    state.put(70)
    expect(await snapshot.rows()).toEqual(await old.rows())
    expect((await take(backend).rows()).length).toBe(20)
    use(8)
    const t = before === undefined ? 5 : 0
    clock.set(t + TTL - 1)
    expect(state.read()).toEqual([8])
    use(9)
    clock.set(t + TTL)
    expect(state.read()).toEqual(after === undefined ? [9] : [])
  })

  it.each([
    ['first', [ttlOf(), undefined]],
    ['last', [undefined, ttlOf()]],
  ])('has times where one of two subtasks had them, the %s', async (_, ttls) => {
    const parts = ttls.map((ttl, part) => {
      const { clock, backend, use } = create()
      clock.set(50)
      const state = kind.open(backend, describeState(kind, ttl))
      use(part)
      state.put(part)
      return take(backend).end()
    })
    const { clock, backend, use } = create()
    clock.set(100)
    for (const part of parts) await backend.restore(part.restored())
    const state = kind.open(backend, describeState(kind, ttlOf()))
    for (const [part, ttl] of ttls.entries()) {
      use(part)
      const end = (ttl === undefined ? 100 : 50) + TTL
      clock.set(end - 1)
      expect(state.read()).toEqual([part])
      clock.set(end)
      expect(state.read()).toEqual([])
    }
  })
})
