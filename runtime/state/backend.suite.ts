/**
 * The contract of keyed state as tests: every backend runs them.
 *
 * @example
 * backendSuite('HeapBackend', (options, clock) => new HeapBackend(options, clock))
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Clock, ManualClock } from '../core/clock.ts'
import { isTailraceError } from '../core/errors.ts'
import type { Key } from '../core/functions.ts'
import { hashKey, lookupKey } from '../core/hash.ts'
import {
  AggregatingStateDescriptor,
  ListStateDescriptor,
  MapStateDescriptor,
  ReducingStateDescriptor,
  ValueStateDescriptor,
} from '../core/state.ts'
import { types } from '../core/types.ts'
import type { BackendOptions, KeyedBackend } from './backend.ts'

const OPTIONS: BackendOptions = { operatorName: 'clicks', maxParallelism: 128, parallelism: 1, subtaskIndex: 0 }

/** Keys that are all different, of every kind. */
const DIFFERENT_KEYS: Key[] = [
  ...[0, 1, -1, 0.5, 2 ** 31, 2 ** 53, Infinity, -Infinity],
  ...[0n, 1n, -1n, 2n ** 70n],
  ...['', '0', '1', 'true', 'a', '\0', 'é', '𝄞', 'x'.repeat(100)],
  ...[true, false],
  ...[new Uint8Array([]), new Uint8Array([1]), new Uint8Array([1, 2])],
  ...[[], [1], [1n], ['1'], [[1]], [1, 2], ['1', '2'], ['12'], [true, new Uint8Array([1])]],
]

export function backendSuite(name: string, make: (options: BackendOptions, clock: Clock) => KeyedBackend): void {
  describe(`${name}: the contract of keyed state`, () => {
    const open = (options: Partial<BackendOptions> = {}) => {
      const backend = make({ ...OPTIONS, ...options }, new ManualClock())
      return { backend, use: (key: Key) => backend.setKey(key, hashKey(key)) }
    }
    const codeOf = (action: () => unknown) => {
      try {
        action()
      } catch (error) {
        return isTailraceError(error) ? error.code : error
      }
      return 'nothing was thrown'
    }

    describe('keys', () => {
      it('keeps keys of all kinds apart', () => {
        const { backend, use } = open()
        const state = backend.getState(new ValueStateDescriptor<number>('n'))
        DIFFERENT_KEYS.forEach((key, i) => {
          use(key)
          expect(state.value(), `${typeof key} ${String(key)}`).toBeUndefined()
          state.update(i)
        })
        expect(backend.size).toBe(DIFFERENT_KEYS.length)
        DIFFERENT_KEYS.forEach((key, i) => {
          use(key)
          expect(state.value(), `${typeof key} ${String(key)}`).toBe(i)
        })
      })

      it('takes equal keys for one, whatever object they are', () => {
        const { backend, use } = open()
        const state = backend.getState(new ValueStateDescriptor<number>('n'))
        const pairs: [Key, Key][] = [
          [-0, 0],
          [new Uint8Array([7, 8]), Buffer.from([7, 8])],
          [
            ['a', [1, -0]],
            ['a', [1, 0]],
          ],
          ['user-of-more-than-13', ['user-of-more', '-than-13'].join('')],
        ]
        pairs.forEach(([one, other], i) => {
          use(one)
          state.update(i)
          use(other)
          expect(state.value()).toBe(i)
        })
        expect(backend.size).toBe(pairs.length)
      })

      it('keeps keys of one hash apart', () => {
        const { backend } = open()
        const state = backend.getState(new ValueStateDescriptor<string>('n'))
        for (const hash of [0, 5, 0xffffffff]) {
          for (let i = 0; i < 50; i++) {
            backend.setKey(`${hash}-${i}`, hash)
            state.update(`value ${i}`)
          }
          for (let i = 0; i < 50; i += 2) {
            backend.setKey(`${hash}-${i}`, hash)
            state.clear()
          }
          for (let i = 0; i < 50; i++) {
            backend.setKey(`${hash}-${i}`, hash)
            expect(state.value()).toBe(i % 2 === 0 ? undefined : `value ${i}`)
          }
        }
      })

      it.each([
        [128, 2, 1],
        [100, 3, 2],
        [1, 1, 0],
        [32768, 7, 3],
      ])(
        'works on the key groups of any subtask: maxParallelism %i, parallelism %i, subtask %i',
        (maxParallelism, parallelism, subtaskIndex) => {
          const { backend, use } = open({ maxParallelism, parallelism, subtaskIndex })
          const state = backend.getState(new ValueStateDescriptor<number>('n'))
          const mine: number[] = []
          for (let key = 0; mine.length < 500; key++) {
            if (Math.floor(((hashKey(key) % maxParallelism) * parallelism) / maxParallelism) === subtaskIndex)
              mine.push(key)
          }
          for (const key of mine) {
            use(key)
            state.update(key * 2)
          }
          expect(backend.size).toBe(500)
          for (const key of mine) {
            use(key)
            expect(state.value()).toBe(key * 2)
          }
        },
      )
    })

    describe('ValueState', () => {
      it('is undefined until set, and again when cleared', () => {
        const { backend, use } = open()
        const state = backend.getState(new ValueStateDescriptor<number>('n'))
        use('a')
        expect(state.value()).toBeUndefined()
        state.clear()
        state.update(1)
        expect(state.value()).toBe(1)
        use('b')
        expect(state.value()).toBeUndefined()
        use('a')
        state.clear()
        expect(state.value()).toBeUndefined()
        state.update(2)
        use('b')
        use('a')
        expect(state.value()).toBe(2)
      })

      it('gives back values of all kinds', () => {
        const { backend, use } = open()
        const state = backend.getState(new ValueStateDescriptor<any>('n'))
        const long = 'a text that is longer than thirteen characters'
        const values = [
          ...[0, -0, Number.NaN, '', long, false, 5n, null, new Date(7), new Uint8Array([1, 2, 3])],
          ...[
            {},
            [],
            { a: 1, b: { c: [long, { d: long }] } },
            [1, [2]],
            new Map([[long, { n: long }]]),
            new Set([long]),
          ],
          ...[Object.freeze({ text: long }), Object.freeze([long]), Object.assign(Object.create(null), { text: long })],
        ]
        values.forEach((value, i) => {
          use(i)
          state.update(value)
        })
        values.forEach((value, i) => {
          use(i)
          expect(state.value()).toEqual(value)
        })
      })

      it('takes undefined for clear()', () => {
        const { backend, use } = open()
        const state = backend.getState(new ValueStateDescriptor<number | undefined>('n'))
        use('a')
        state.update(1)
        state.update(undefined)
        expect(state.value()).toBeUndefined()
        expect(backend.size).toBe(0)
      })

      it('takes values whose shape varies', () => {
        const { backend, use } = open()
        const state = backend.getState(new ValueStateDescriptor<any>('n'))
        const long = 'a text that is longer than thirteen characters'
        const values = [
          { a: 1 },
          { a: long },
          { a: 1, b: long },
          { b: 2 },
          7,
          [long],
          null,
          { a: { deep: long } },
          long,
        ]
        for (let round = 0; round < 3; round++) {
          values.forEach((value, i) => {
            use(i)
            state.update(structuredClone(value))
            expect(state.value()).toEqual(value)
          })
        }
      })

      it.each([
        ['a function', () => 1],
        ['a symbol', Symbol('s')],
        ['an instance of a class', new (class Account {})()],
        ['an instance inside a value', { of: { account: new (class Account {})() } }],
        ['a promise', Promise.resolve()],
      ])('refuses %s', (_, value) => {
        const { backend, use } = open()
        const state = backend.getState(new ValueStateDescriptor<any>('last'))
        use('a')
        expect(codeOf(() => state.update(value))).toBe('TR-STATE-003')
        expect(() => state.update(value)).toThrow(/state "last"/)
        expect(backend.size).toBe(0)
      })
    })

    describe('ListState', () => {
      it('is empty until added to, and again when cleared', () => {
        const { backend, use } = open()
        const state = backend.getListState(new ListStateDescriptor<number>('list'))
        use('a')
        expect([...state.get()]).toEqual([])
        state.add(1)
        state.addAll([2, 3])
        expect([...state.get()]).toEqual([1, 2, 3])
        use('b')
        expect([...state.get()]).toEqual([])
        use('a')
        state.update([9, 8])
        expect([...state.get()]).toEqual([9, 8])
        state.clear()
        expect([...state.get()]).toEqual([])
        expect(backend.size).toBe(0)
      })

      it('takes an empty update for clear(), and adding nothing for nothing', () => {
        const { backend, use } = open()
        const state = backend.getListState(new ListStateDescriptor<number>('list'))
        use('a')
        state.addAll([])
        expect(backend.size).toBe(0)
        state.add(1)
        state.update(new Set<number>())
        expect([...state.get()]).toEqual([])
        expect(backend.size).toBe(0)
      })

      it('shows a reader the list as it was', () => {
        const { backend, use } = open()
        const state = backend.getListState(new ListStateDescriptor<number>('list'))
        use('a')
        state.addAll([1, 2])
        const before = state.get()
        for (const n of state.get()) state.add(n * 10)
        expect([...before]).toEqual([1, 2])
        expect([...state.get()]).toEqual([1, 2, 10, 20])
        state.addAll(state.get())
        expect([...state.get()]).toEqual([1, 2, 10, 20, 1, 2, 10, 20])
        state.update([7])
        expect([...before]).toEqual([1, 2])
      })
    })

    describe('MapState', () => {
      it('keeps entries per key', () => {
        const { backend, use } = open()
        const state = backend.getMapState(new MapStateDescriptor<string, number>('map'))
        use('a')
        expect(state.isEmpty()).toBe(true)
        expect([...state.entries()]).toEqual([])
        expect([...state.keys()]).toEqual([])
        expect([...state.values()]).toEqual([])
        state.put('x', 1)
        state.putAll(new Map([['y', 2]]))
        expect(state.get('x')).toBe(1)
        expect(state.contains('y')).toBe(true)
        expect(new Map(state.entries())).toEqual(
          new Map([
            ['x', 1],
            ['y', 2],
          ]),
        )
        expect([...state.keys()].sort()).toEqual(['x', 'y'])
        expect([...state.values()].sort()).toEqual([1, 2])
        use('b')
        expect(state.get('x')).toBeUndefined()
        expect(state.contains('y')).toBe(false)
        use('a')
        state.put('x', 10)
        expect(state.get('x')).toBe(10)
        expect(state.isEmpty()).toBe(false)
        state.clear()
        expect(state.isEmpty()).toBe(true)
        expect(state.get('x')).toBeUndefined()
      })

      it('holds nothing any more when the last entry is removed', () => {
        const { backend, use } = open()
        const state = backend.getMapState(new MapStateDescriptor<number, string>('map'))
        use('a')
        state.remove(1)
        state.put(1, 'one')
        state.remove(2)
        expect(backend.size).toBe(1)
        state.remove(1)
        expect(state.isEmpty()).toBe(true)
        expect(backend.size).toBe(0)
      })

      it('keeps map keys of different kinds apart', () => {
        const { backend, use } = open()
        const state = backend.getMapState(new MapStateDescriptor<any, string>('map'))
        use('a')
        const keys = [0, 1, 1n, '1', true, false, 'true', 'a key that is longer than thirteen characters']
        for (const key of keys) state.put(key, `${typeof key} ${String(key)}`)
        for (const key of keys) expect(state.get(key)).toBe(`${typeof key} ${String(key)}`)
        expect([...state.keys()]).toHaveLength(keys.length)
        state.put(-0, 'zero')
        expect(state.get(0)).toBe('zero')
      })

      it('lets a reader remove what it has just seen', () => {
        const { backend, use } = open()
        const state = backend.getMapState(new MapStateDescriptor<number, number>('map'))
        use('a')
        for (let i = 0; i < 10; i++) state.put(i, i)
        const seen: number[] = []
        for (const [key] of state.entries()) {
          seen.push(key)
          state.remove(key)
        }
        expect(seen.sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
        expect(state.isEmpty()).toBe(true)
      })
    })

    describe('ReducingState', () => {
      it('holds what was added, reduced in order, per key', () => {
        const { backend, use } = open()
        const state = backend.getReducingState(new ReducingStateDescriptor<string>('text', (a, b) => `${a}, ${b}`))
        use('a')
        expect(state.get()).toBeUndefined()
        state.add('one')
        expect(state.get()).toBe('one')
        state.add('two')
        use('b')
        expect(state.get()).toBeUndefined()
        state.add('three')
        use('a')
        expect(state.get()).toBe('one, two')
        state.clear()
        expect(state.get()).toBeUndefined()
        expect(backend.size).toBe(1)
        state.add('four')
        expect(state.get()).toBe('four')
      })

      it('keeps an argument that the function has changed and given back, also of a declared row', () => {
        const { backend, use } = open()
        const add = (a: { n: number }, b: { n: number }) => {
          a.n += b.n
          return a
        }
        const states = [
          backend.getReducingState(new ReducingStateDescriptor('any', add)),
          backend.getReducingState(
            new ReducingStateDescriptor('declared', { reduce: add }, types.row({ n: types.number })),
          ),
        ]
        for (const state of states) {
          for (let i = 0; i < 100; i++) {
            use(i % 10)
            state.add({ n: i })
          }
          for (let key = 0; key < 10; key++) {
            use(key)
            expect(state.get()).toEqual({ n: 450 + 10 * key })
          }
        }
      })

      it('reduces values that are falsy, too', () => {
        const { backend, use } = open()
        const state = backend.getReducingState(new ReducingStateDescriptor<number>('sum', (a, b) => a + b))
        use('a')
        for (const n of [0, 0, 5, -5]) state.add(n)
        expect(state.get()).toBe(0)
        expect(backend.size).toBe(1)
      })
    })

    describe('AggregatingState', () => {
      const mean = () =>
        new AggregatingStateDescriptor('mean', {
          createAccumulator: () => ({ n: 0, sum: 0 }),
          add: (value: number, a) => {
            a.n++
            a.sum += value
            return a
          },
          getResult: (a) => a.sum / a.n,
        })

      it('gives the result of what was added, per key, from accumulators of their own', () => {
        const { backend, use } = open()
        const state = backend.getAggregatingState(mean())
        for (const [key, value] of [
          ['a', 1],
          ['b', 10],
          ['a', 2],
          ['a', 6],
        ] as const) {
          use(key)
          state.add(value)
        }
        expect(state.get()).toBe(3)
        use('b')
        expect(state.get()).toBe(10)
        use('c')
        expect(state.get()).toBeUndefined()
        use('a')
        state.clear()
        expect(state.get()).toBeUndefined()
        state.add(4)
        expect(state.get()).toBe(4)
      })

      it('calls an aggregate function as the method that it is', () => {
        class Longest {
          readonly limit = 5
          createAccumulator() {
            return ''
          }
          add(text: string, longest: string) {
            return text.length > longest.length && text.length <= this.limit ? text : longest
          }
          getResult(longest: string) {
            return `${longest} of ${this.limit}`
          }
        }
        const { backend, use } = open()
        const state = backend.getAggregatingState(
          new AggregatingStateDescriptor('longest', new Longest(), types.string),
        )
        use('a')
        for (const text of ['a', 'abcd', 'abcdef', 'ab']) state.add(text)
        expect(state.get()).toBe('abcd of 5')
      })
    })

    describe('several states', () => {
      it('keeps states of one key apart, and clears one without the others', () => {
        const { backend, use } = open()
        const a = backend.getState(new ValueStateDescriptor<number>('a'))
        const b = backend.getListState(new ListStateDescriptor<number>('b'))
        const c = backend.getMapState(new MapStateDescriptor<string, number>('c'))
        use('k')
        a.update(1)
        b.add(2)
        c.put('x', 3)
        b.clear()
        expect([a.value(), [...b.get()], c.get('x')]).toEqual([1, [], 3])
        a.clear()
        expect(backend.size).toBe(1)
        c.clear()
        expect(backend.size).toBe(0)
        b.add(4)
        expect([a.value(), [...b.get()], c.get('x')]).toEqual([undefined, [4], undefined])
      })

      it('lets a state be asked for late, and keeps what others hold', () => {
        const { backend, use } = open()
        const a = backend.getState(new ValueStateDescriptor<number>('a'))
        for (let i = 0; i < 1000; i++) {
          use(i)
          a.update(i)
        }
        use(7)
        const b = backend.getState(new ValueStateDescriptor<string>('b'))
        expect(a.value()).toBe(7)
        expect(b.value()).toBeUndefined()
        b.update('seven')
        use(5000)
        const c = backend.getListState(new ListStateDescriptor<number>('c'))
        c.add(1)
        for (let i = 0; i < 1000; i++) {
          use(i)
          expect([a.value(), b.value(), [...c.get()]]).toEqual([i, i === 7 ? 'seven' : undefined, []])
        }
        use(5000)
        expect([...c.get()]).toEqual([1])
      })

      it('gives one handle per name', () => {
        const { backend, use } = open()
        const one = backend.getState(new ValueStateDescriptor<number>('n'))
        const other = backend.getState(new ValueStateDescriptor<number>('n'))
        use('a')
        one.update(5)
        expect(other.value()).toBe(5)
      })

      it('refuses a name for another kind or type', () => {
        const { backend } = open()
        backend.getState(new ValueStateDescriptor<number>('n', types.number))
        expect(codeOf(() => backend.getListState(new ListStateDescriptor<number>('n')))).toBe('TR-STATE-001')
        expect(codeOf(() => backend.getMapState(new MapStateDescriptor<string, number>('n')))).toBe('TR-STATE-001')
        expect(codeOf(() => backend.getState(new ValueStateDescriptor<string>('n', types.string)))).toBe('TR-STATE-001')
        expect(codeOf(() => backend.getReducingState(new ReducingStateDescriptor('n', Math.max, types.number)))).toBe(
          'TR-STATE-001',
        )
        expect(() => backend.getListState(new ListStateDescriptor<number>('n'))).toThrow(/"n".*"clicks".*value state/)
      })
    })

    describe('applyToKeys()', () => {
      const value = new ValueStateDescriptor<number>('value')
      const list = new ListStateDescriptor<string>('list')
      const map = new MapStateDescriptor<string, number>('map')

      /** What it visits: keys as texts that are equal when the keys are, with what the state showed. */
      function visited(backend: KeyedBackend, descriptor: typeof value | typeof list | typeof map) {
        const seen: [key: unknown, value: unknown][] = []
        backend.applyToKeys(descriptor, (key, state) => {
          const shown =
            descriptor === value ? state.value() : [...(descriptor === list ? state.get() : state.entries())]
          seen.push([lookupKey(key), shown])
        })
        return new Map(seen)
      }

      it('visits the keys that have the state, and gives the keys back as they were', () => {
        const { backend, use } = open()
        const states = {
          value: backend.getState(value),
          list: backend.getListState(list),
          map: backend.getMapState(map),
        }
        DIFFERENT_KEYS.forEach((key, i) => {
          use(key)
          if (i % 2 === 0) states.value.update(i)
          if (i % 3 === 0) states.list.add(`item ${i}`)
          if (i % 5 === 0) states.map.put('i', i)
        })
        const wanted = (every: number, shown: (i: number) => unknown) =>
          new Map(DIFFERENT_KEYS.flatMap((key, i) => (i % every === 0 ? [[lookupKey(key), shown(i)] as const] : [])))
        expect(visited(backend, value)).toEqual(wanted(2, (i) => i))
        expect(visited(backend, list)).toEqual(wanted(3, (i) => [`item ${i}`]))
        expect(visited(backend, map)).toEqual(wanted(5, (i) => [['i', i]]))
        backend.applyToKeys(value, (key) => {
          if (Array.isArray(key)) expect(DIFFERENT_KEYS).toContainEqual(key)
        })
      })

      it('lets a visit change, clear and set again whatever its key has (property)', () => {
        const action = fc.constantFrom('keep', 'double', 'clear', 'again', 'other')
        fc.assert(
          fc.property(fc.array(action, { minLength: 1, maxLength: 500 }), (actions) => {
            const { backend, use } = open()
            const state = backend.getState(value)
            const other = backend.getListState(list)
            const model = new Map<number, number>()
            actions.forEach((_, key) => {
              use(key)
              state.update(key)
              model.set(key, key)
            })
            const seen = new Set<Key>()
            backend.applyToKeys(value, (key, visitedState) => {
              expect(seen.has(key)).toBe(false)
              seen.add(key)
              expect(visitedState.value()).toBe(key)
              const what = actions[key as number]
              if (what === 'double') {
                visitedState.update(2 * (key as number))
                model.set(key as number, 2 * (key as number))
              } else if (what === 'clear') {
                visitedState.clear()
                model.delete(key as number)
              } else if (what === 'again') {
                visitedState.clear()
                visitedState.update(key)
              } else if (what === 'other') {
                other.add('seen')
              }
            })
            expect(seen.size).toBe(actions.length)
            expect(visited(backend, value)).toEqual(model)
            expect(visited(backend, list).size).toBe(actions.filter((what) => what === 'other').length)
          }),
          { numRuns: 50 },
        )
      })

      it('visits no one when nobody has the state, and refuses a name for another kind', () => {
        const { backend, use } = open()
        expect(visited(backend, value).size).toBe(0)
        use(1)
        backend.getState(value).update(1)
        backend.getState(value).clear()
        expect(visited(backend, value).size).toBe(0)
        expect(codeOf(() => backend.applyToKeys(new ListStateDescriptor('value'), () => {}))).toBe('TR-STATE-001')
      })
    })

    it('has no state without a key', () => {
      const { backend, use } = open()
      const value = backend.getState(new ValueStateDescriptor<number>('v'))
      const list = backend.getListState(new ListStateDescriptor<number>('l'))
      const map = backend.getMapState(new MapStateDescriptor<string, number>('m'))
      const max = backend.getReducingState(new ReducingStateDescriptor<number>('r', Math.max))
      const first = backend.getAggregatingState(
        new AggregatingStateDescriptor('a', {
          createAccumulator: () => [] as number[],
          add: (n: number, all) => [...all, n],
          getResult: ([n]) => n,
        }),
      )
      const uses: (() => unknown)[] = [
        () => value.value(),
        () => value.update(1),
        () => value.clear(),
        () => list.get(),
        () => list.add(1),
        () => list.update([1]),
        () => list.clear(),
        () => map.get('x'),
        () => map.put('x', 1),
        () => map.remove('x'),
        () => map.contains('x'),
        () => map.entries(),
        () => map.keys(),
        () => map.values(),
        () => map.isEmpty(),
        () => map.clear(),
        () => max.get(),
        () => max.add(1),
        () => max.clear(),
        () => first.get(),
        () => first.add(1),
        () => first.clear(),
      ]
      for (const action of uses) expect(codeOf(action), action.toString()).toBe('TR-STATE-002')
      use('a')
      for (const action of uses) action()
      backend.unsetKey()
      for (const action of uses) expect(codeOf(action), action.toString()).toBe('TR-STATE-002')
    })

    it('does what maps of values, lists and maps would do', () => {
      const key = fc.oneof(
        fc.integer({ min: 0, max: 30 }),
        fc.constantFrom('1', '2', 'a longer key than 13'),
        fc.boolean(),
      )
      const step = fc.record({
        key,
        op: fc.constantFrom(...(['set', 'unset', 'add', 'list', 'unlist', 'put', 'remove', 'unmap'] as const)),
        n: fc.integer({ min: 0, max: 5 }),
      })
      fc.assert(
        fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
          const { backend, use } = open()
          const value = backend.getState(new ValueStateDescriptor<number>('v'))
          const list = backend.getListState(new ListStateDescriptor<number>('l'))
          const map = backend.getMapState(new MapStateDescriptor<number, number>('m'))
          const oracle = new Map<any, { v?: number; l: number[]; m: Map<number, number> }>()
          for (const { key, op, n } of steps) {
            use(key)
            const lookup = lookupKey(key)
            const expected: { v?: number; l: number[]; m: Map<number, number> } = oracle.get(lookup) ?? {
              l: [],
              m: new Map(),
            }
            const actions: Record<typeof op, () => void> = {
              set: () => value.update((expected.v = n)),
              unset: () => {
                value.clear()
                delete expected.v
              },
              add: () => {
                list.add(n)
                expected.l.push(n)
              },
              list: () => list.update((expected.l = Array.from({ length: n }, (_, i) => i))),
              unlist: () => {
                list.clear()
                expected.l = []
              },
              put: () => {
                map.put(n, n * 2)
                expected.m.set(n, n * 2)
              },
              remove: () => {
                map.remove(n)
                expected.m.delete(n)
              },
              unmap: () => {
                map.clear()
                expected.m.clear()
              },
            }
            actions[op]()
            if (expected.v === undefined && expected.l.length === 0 && expected.m.size === 0) oracle.delete(lookup)
            else oracle.set(lookup, expected)
            expect(value.value()).toBe(expected.v)
            expect([...list.get()]).toEqual(expected.l)
            expect([...map.entries()].sort()).toEqual([...expected.m].sort())
            expect(backend.size).toBe(oracle.size)
          }
        }),
      )
    })

    it('holds and forgets many keys', () => {
      const { backend, use } = open()
      const state = backend.getState(new ValueStateDescriptor<number>('n'))
      for (let i = 0; i < 30_000; i++) {
        use(`key-${i}`)
        state.update(i)
      }
      expect(backend.size).toBe(30_000)
      for (let i = 0; i < 30_000; i += 3) {
        use(`key-${i}`)
        state.clear()
      }
      expect(backend.size).toBe(20_000)
      for (let i = 0; i < 30_000; i++) {
        use(`key-${i}`)
        if (state.value() !== (i % 3 === 0 ? undefined : i)) expect.fail(`key-${i} holds ${state.value()}`)
      }
    })
  })
}
