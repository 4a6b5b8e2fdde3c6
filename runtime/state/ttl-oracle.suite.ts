/**
 * State with a time to live against an oracle that does the plainest thing: every value with its time, and a look at the clock at each access.
 * Properties for every backend: what a job sees, what a snapshot holds while records go on and time passes, and what is left in the end.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Clock, ManualClock } from '../core/clock.ts'
import { hashKey } from '../core/hash.ts'
import {
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  type StateDescriptor,
  ValueStateDescriptor,
} from '../core/state.ts'
import { StateTtlConfig } from '../core/state-ttl.ts'
import { types } from '../core/types.ts'
import type { BackendOptions, KeyedBackend } from './backend.ts'
import { TakenTables } from './taken-tables.suite.ts'

const OPTIONS: BackendOptions = { operatorName: 'clicks', maxParallelism: 16, parallelism: 1, subtaskIndex: 0 }
const TTL = 20

interface Timed {
  v: number
  t: number
}

/** What one key has. */
class OracleKey {
  value: Timed[] = []
  row: Timed[] = []
  list: Timed[] = []
  sum: Timed[] = []
  map = new Map<number, Timed>()
}

class Oracle {
  readonly keys = new Map<number, OracleKey>()
  readonly #ttl: StateTtlConfig
  readonly #clock: Clock

  constructor(ttl: StateTtlConfig, clock: Clock) {
    this.#ttl = ttl
    this.#clock = clock
  }

  of(key: number): OracleKey {
    let state = this.keys.get(key)
    if (state === undefined) this.keys.set(key, (state = new OracleKey()))
    return state
  }

  stamp(v: number): Timed {
    return { v, t: this.#clock.now() }
  }

  /** What a reader sees of these; what has expired is gone from `stays`. */
  read(values: Timed[]): { seen: number[]; stays: Timed[] } {
    const live = values.filter((one) => this.isLive(one))
    const seen = (this.#ttl.stateVisibility === 'NeverReturnExpired' ? live : values).map(({ v }) => v)
    if (this.#ttl.updateType === 'OnReadAndWrite') for (const one of live) one.t = this.#clock.now()
    return { seen, stays: live }
  }

  isLive({ t }: Timed): boolean {
    return this.#clock.now() - t < TTL
  }

  /** Rows that a snapshot would have now. */
  rows(): string[] {
    return [...this.keys].flatMap(([k, { value, row, list, sum, map }]) => [
      ...this.#rowsOf('value', value, (v) => ({ k, v })),
      ...this.#rowsOf('row', row, (v) => ({ k, v: rowOf(v) })),
      ...this.#rowsOf('list', list, (v) => ({ k, v })),
      ...this.#rowsOf('sum', sum, (v) => ({ k, v })),
      ...[...map].flatMap(([m, one]) => this.#rowsOf('map', [one], (v) => ({ k, m, v }))),
    ])
  }
  #rowsOf(table: string, values: Timed[], rowOf: (v: number) => object): string[] {
    return values.filter((one) => this.isLive(one)).map(({ v, t }) => JSON.stringify([table, rowOf(v), t]))
  }

  /** Keys that have something that has not expired. */
  get live(): number {
    const has = ({ value, row, list, sum, map }: OracleKey) =>
      [value, row, list, sum, [...map.values()]].some((values) => values.some((one) => this.isLive(one)))
    return [...this.keys.values()].filter(has).length
  }
}

const rowOf = (n: number) => ({ n, text: `text of ${n}` })

/** The same states in a backend and in the oracle. */
class Both {
  readonly clock = new ManualClock(1_700_000_000_000)
  readonly backend: KeyedBackend
  readonly oracle: Oracle
  readonly #value
  readonly #row
  readonly #list
  readonly #sum
  readonly #map

  constructor(make: (options: BackendOptions, clock: Clock) => KeyedBackend, ttl: StateTtlConfig) {
    const backend = make(OPTIONS, this.clock)
    this.backend = backend
    this.oracle = new Oracle(ttl, this.clock)
    const living = <D extends StateDescriptor>(descriptor: D) => {
      descriptor.enableTimeToLive(ttl)
      return descriptor
    }
    this.#value = backend.getState(living(new ValueStateDescriptor<number>('value')))
    this.#row = backend.getState(
      living(new ValueStateDescriptor('row', types.row({ n: types.number, text: types.string }))),
    )
    this.#list = backend.getListState(living(new ListStateDescriptor<number>('list')))
    this.#sum = backend.getReducingState(living(new ReducingStateDescriptor<number>('sum', (a, b) => a + b)))
    this.#map = backend.getMapState(living(new MapStateDescriptor<number, number>('map')))
  }

  /** Does an action to both; what is read must be the same. */
  act({ key, what, n }: Action): void {
    if (what === 'step') return
    if (what === 'advance') {
      this.clock.advance(n)
      return
    }
    this.backend.setKey(key, hashKey(key))
    const oracle = this.oracle
    const expected = oracle.of(key)
    const [value, row, list, sum, map] = [this.#value, this.#row, this.#list, this.#sum, this.#map]
    const actions: Record<Exclude<Action['what'], 'advance' | 'step'>, () => void> = {
      update: () => {
        value.update(n)
        expected.value = [oracle.stamp(n)]
      },
      value: () => this.#compare(value.value(), expected, 'value'),
      updateRow: () => {
        row.update(rowOf(n))
        expected.row = [oracle.stamp(n)]
      },
      row: () => this.#compare(row.value()?.n, expected, 'row'),
      add: () => {
        list.add(n)
        expected.list.push(oracle.stamp(n))
      },
      updateList: () => {
        const values = Array.from({ length: n % 4 }, (_, i) => n + i)
        list.update(values)
        expected.list = values.map((v) => oracle.stamp(v))
      },
      list: () => {
        const { seen, stays } = oracle.read(expected.list)
        expect([...list.get()]).toEqual(seen)
        expected.list = stays
      },
      addSum: () => {
        sum.add(n)
        const [before] = oracle.read(expected.sum).seen
        expected.sum = [oracle.stamp((before ?? 0) + n)]
      },
      sum: () => this.#compare(sum.get(), expected, 'sum'),
      put: () => {
        map.put(n, n * 2)
        expected.map.set(n, oracle.stamp(n * 2))
      },
      get: () => {
        expect(map.get(n)).toBe(this.#readEntry(expected, n))
      },
      contains: () => {
        expect(map.contains(n)).toBe(this.#readEntry(expected, n) !== undefined)
      },
      remove: () => {
        map.remove(n)
        expected.map.delete(n)
      },
      entries: () => {
        const seen: [number, number][] = []
        for (const m of [...expected.map.keys()]) {
          const v = this.#readEntry(expected, m)
          if (v !== undefined) seen.push([m, v])
        }
        expect([...map.entries()].sort()).toEqual(seen.sort())
      },
      isEmpty: () => {
        const visible = [...expected.map.values()].some((one) => oracle.read([{ ...one }]).seen.length > 0)
        expect(map.isEmpty()).toBe(!visible)
      },
      clear: () => {
        for (const state of [value, row, list, sum, map]) state.clear()
        oracle.keys.delete(key)
      },
    }
    actions[what]()
  }

  #compare(found: number | undefined, expected: OracleKey, state: 'value' | 'row' | 'sum'): void {
    const { seen, stays } = this.oracle.read(expected[state])
    expect(found).toBe(seen[0])
    expected[state] = stays
  }

  #readEntry({ map }: OracleKey, m: number): number | undefined {
    const one = map.get(m)
    if (one === undefined) return undefined
    const { seen, stays } = this.oracle.read([one])
    if (stays.length === 0) map.delete(m)
    return seen[0]
  }
}

const action = fc.record({
  key: fc.oneof({ weight: 2, arbitrary: fc.integer({ min: 0, max: 3 }) }, fc.integer({ min: 0, max: 60 })),
  what: fc.constantFrom(
    ...(['update', 'value', 'updateRow', 'row', 'add', 'updateList', 'list', 'addSum', 'sum'] as const),
    ...(['put', 'put', 'get', 'contains', 'remove', 'entries', 'isEmpty'] as const),
    ...(['clear', 'advance', 'advance', 'step'] as const),
  ),
  n: fc.integer({ min: 0, max: 9 }),
})
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

const actions = fc.array(action, { maxLength: 250 })

/** With expired values shown nothing may be cleaned up, or the oracle would have to know when. */
const config = fc
  .record({
    reads: fc.boolean(),
    shows: fc.boolean(),
    // 100: the whole table at each access.
    cleanup: fc.oneof(fc.integer({ min: 0, max: 8 }), fc.constant(100)),
    everyRecord: fc.boolean(),
  })
  .map(({ reads, shows, cleanup, everyRecord }) => {
    const builder = StateTtlConfig.newBuilder(TTL).disableCleanupInBackground()
    if (reads) builder.updateTtlOnReadAndWrite()
    if (shows) builder.returnExpiredIfNotCleanedUp()
    else if (cleanup > 0) builder.cleanupIncrementally(cleanup, everyRecord)
    return builder.build()
  })

export function ttlOracleSuite(name: string, make: (options: BackendOptions, clock: Clock) => KeyedBackend): void {
  describe(`${name}: state with a time to live, against values with their times (property)`, () => {
    it('shows the same, and leaves nothing behind', () => {
      fc.assert(
        fc.property(config, actions, (ttl, steps) => {
          const both = new Both(make, ttl)
          const { backend, oracle, clock } = both
          for (const step of steps) {
            both.act(step)
            expect(backend.size).toBeGreaterThanOrEqual(oracle.live)
          }
          expect(backend.size).toBeLessThanOrEqual(oracle.keys.size)
          if (ttl.incrementalCleanup === undefined) return
          clock.advance(TTL)
          for (let i = 0; i < 2000 && backend.size > 0; i++) both.act({ key: -1, what: 'value', n: 0 })
          expect(backend.size).toBe(0)
        }),
        { numRuns: 150 },
      )
    })

    it('is in a snapshot as it was at the barrier, though records go on and time passes', async () => {
      await fc.assert(
        fc.asyncProperty(config, actions, actions, async (ttl, before, after) => {
          const both = new Both(make, ttl)
          for (const step of before) both.act(step)
          const expected = both.oracle.rows().sort()
          const taken = new TakenTables(both.backend, OPTIONS.maxParallelism)
          for (const step of after) {
            if (step.what === 'step') taken.step()
            else both.act(step)
          }
          expect(await taken.rows()).toEqual(expected)
        }),
        { numRuns: 100 },
      )
    })

    it('is restored with its times', async () => {
      await fc.assert(
        fc.asyncProperty(config, actions, fc.nat(2 * TTL), actions, async (ttl, before, pause, after) => {
          const both = new Both(make, ttl)
          for (const step of before) both.act(step)
          const taken = new TakenTables(both.backend, OPTIONS.maxParallelism).end()
          // What had expired at the barrier is not there any more, even where expired values are shown.
          const next = new Both(make, ttl)
          for (const [key, { value, row, list, sum, map }] of both.oracle.keys) {
            const live = (values: Timed[]) => values.filter((one) => both.oracle.isLive(one))
            const keyOf = next.oracle.of(key)
            Object.assign(keyOf, { value: live(value), row: live(row), list: live(list), sum: live(sum) })
            for (const [m, one] of map) if (both.oracle.isLive(one)) keyOf.map.set(m, one)
          }
          next.clock.set(both.clock.now() + pause)
          await next.backend.restore(taken.restored())
          for (const step of after) next.act(step)
        }),
        { numRuns: 100 },
      )
    })
  })
}
