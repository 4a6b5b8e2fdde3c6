/**
 * The contract of windows as tests [W-12..W-18, W-22, W-23, E-14]: every window operator runs them over tumbling windows, whatever
 * other assigners it knows.
 *
 * @example
 * windowSuite('window.ts', (options) => new Operator(options))
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { isTailraceError } from '../core/errors.ts'
import type { Collector, Key, RuntimeContext } from '../core/functions.ts'
import { hashKey } from '../core/hash.ts'
import { OutputTag } from '../core/output-tag.ts'
import { type ListState, ListStateDescriptor, type ValueState, ValueStateDescriptor } from '../core/state.ts'
import { type ProcessWindowContext, ProcessWindowFunction } from '../core/window-functions.ts'
import { TumblingEventTimeWindows, TumblingProcessingTimeWindows, windowStart } from '../core/windows.ts'
import { type FakeContextOptions, openOperator } from '../testing/operator-context.ts'
import type { BaseOperator } from './operator.ts'
import type { WindowOptions } from './window.ts'

export interface Sale {
  key: any
  n: number
}

type Options = Partial<WindowOptions>

/** Sums `n`; the key is for reading results. */
const SUM: Options = {
  kind: 'reduce',
  reduce: (a: Sale, b: Sale) => ({ key: a.key, n: a.n + b.n }),
}
const COUNT_AND_SUM: Options = {
  kind: 'aggregate',
  aggregate: {
    createAccumulator: () => ({ count: 0, sum: 0 }),
    add: (sale: Sale, acc: { count: number; sum: number }) => {
      acc.count++
      acc.sum += sale.n
      return acc
    },
    getResult: (acc: { count: number; sum: number }) => acc,
  },
}

/** The accumulator, when it has been changed. */
const changed = <A>(accumulator: A, ..._changes: unknown[]): A => accumulator

export async function openWindows(
  make: (options: WindowOptions) => BaseOperator,
  options: Options,
  context: FakeContextOptions = {},
) {
  const full: WindowOptions = {
    assigner: TumblingEventTimeWindows.of(10),
    keyOf: (sale: Sale) => sale.key,
    allowedLatenessMs: 0,
    kind: 'reduce',
    ...options,
  }
  const opened = await openOperator(make(full), { operatorName: 'sales', ...context })
  const { operator, out } = opened
  const send = (key: Key, n: number, timestamp: number) => operator.process({ key, n }, timestamp, hashKey(key))
  const watermark = (timestamp: number) => {
    operator.watermark(timestamp)
    while (operator.busy) operator.resume()
  }
  /** What came out since the last call: values with their timestamps, sorted between watermarks, and watermarks. */
  const take = () => {
    const events: any[] = []
    let records: [any, number][] = []
    const flush = () => {
      events.push(...records.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)))
      records = []
    }
    for (const event of out.take()) {
      if (event.type === 'record') records.push([event.value, event.timestamp])
      else if (event.type === 'watermark') {
        flush()
        events.push(event.timestamp)
      }
    }
    flush()
    return events
  }
  const metric = (name: Parameters<typeof opened.context.metric>[0]) => {
    operator.publish()
    return opened.context.metric(name)
  }
  return { ...opened, send, watermark, take, metric }
}

export function windowSuite(name: string, make: (options: WindowOptions) => BaseOperator): void {
  const open = (options: Options = SUM, context?: FakeContextOptions) => openWindows(make, options, context)

  describe(`${name}: the contract of windows`, () => {
    describe('firing', () => {
      it('fires each key once, when the watermark reaches the last millisecond, before the watermark goes on [W-25, E-14]', async () => {
        const { send, watermark, take } = await open()
        send('a', 1, 3)
        send('b', 10, 0)
        send('a', 2, 9)
        send('a', 5, 10)
        watermark(8)
        expect(take()).toEqual([8])
        watermark(9)
        expect(take()).toEqual([[{ key: 'a', n: 3 }, 9], [{ key: 'b', n: 10 }, 9], 9])
        watermark(18)
        watermark(19)
        expect(take()).toEqual([18, [{ key: 'a', n: 5 }, 19], 19])
        watermark(Infinity)
        expect(take()).toEqual([Infinity])
      })

      it('gives results the last timestamp of their window [W-16]', async () => {
        const { send, watermark, out } = await open({ ...SUM, assigner: TumblingEventTimeWindows.of(1000) })
        send('a', 1, 0)
        watermark(Infinity)
        expect(out.records).toEqual([{ type: 'record', value: { key: 'a', n: 1 }, timestamp: 999 }])
      })

      it('fires windows in the order of their time, all those that a watermark passed', async () => {
        const { send, watermark, out } = await open()
        for (const at of [35, 5, -25, 15]) send('a', 1, at)
        watermark(100)
        expect(out.records.map((r) => r.timestamp)).toEqual([-21, 9, 19, 39])
        expect(out.watermarks).toEqual([100])
      })

      it('says nothing for windows and keys without records', async () => {
        const { send, watermark, take } = await open()
        watermark(50)
        send('a', 1, 55)
        watermark(1000)
        expect(take()).toEqual([50, [{ key: 'a', n: 1 }, 59], 1000])
      })

      it.each([
        [-1, 0, -10],
        [-10, 0, -10],
        [-11, 0, -20],
        [0, 3, -7],
        [2, 3, -7],
        [3, 3, 3],
        [-3, -4, -4],
      ])(
        'puts a record of time %i into the window with offset %i that starts at %i [W-01]',
        async (at, offset, start) => {
          const { send, watermark, out } = await open({ ...SUM, assigner: TumblingEventTimeWindows.of(10, offset) })
          send('a', 1, at)
          watermark(start + 8)
          expect(out.records).toEqual([])
          watermark(start + 9)
          expect(out.records.map((r) => r.timestamp)).toEqual([start + 9])
        },
      )

      it('takes turns in a long fire, rests while the output is blocked, and forwards the watermark behind it', async () => {
        const { operator, context, send, out } = await open(COUNT_AND_SUM)
        for (let key = 0; key < 10_000; key++) send(key, key, 5)
        send(1, 1, 15)
        context.blocked = true
        operator.watermark(19)
        expect(operator.busy).toBe(true)
        expect(out.values.length).toBeLessThan(1000)
        const before = out.values.length
        operator.resume()
        expect(operator.busy).toBe(true)
        expect(out.values).toHaveLength(before)
        expect(out.watermarks).toEqual([])
        context.blocked = false
        let turns = 0
        for (; operator.busy; turns++) operator.resume()
        expect(turns).toBeGreaterThan(1)
        expect(out.watermarks).toEqual([19])
        expect(out.events.at(-1)).toEqual({ type: 'watermark', timestamp: 19 })
        expect(out.values).toHaveLength(10_001)
        expect(
          out.values
            .slice(0, -1)
            .map((v) => v.sum)
            .sort((a, b) => a - b),
        ).toEqual(Array.from({ length: 10_000 }, (_, i) => i))
      })

      it('starts every window empty', async () => {
        const { send, watermark, take } = await open(COUNT_AND_SUM)
        for (let window = 0; window < 6; window++) {
          for (let key = 0; key < 50; key += window + 1) send(key, 1, window * 10)
          watermark(window * 10 + 9)
          expect(take()).toHaveLength(Math.ceil(50 / (window + 1)) + 1)
        }
      })

      it('fires at the end of the input', async () => {
        const { send, watermark, operator, take } = await open()
        send('a', 1, 1e15)
        watermark(Infinity)
        operator.finish()
        await operator.close()
        expect(take()).toEqual([[{ key: 'a', n: 1 }, 1e15 + 9], Infinity])
      })
    })

    describe('late records', () => {
      const late = new OutputTag<Sale>('late')

      it('drops and counts a record of a window that is gone [W-13, W-14]', async () => {
        const { send, watermark, take, metric } = await open()
        watermark(8)
        send('a', 1, 5)
        watermark(9)
        send('a', 2, 9)
        send('a', 4, 10)
        watermark(20)
        send('a', 8, 19)
        expect(take()).toEqual([8, [{ key: 'a', n: 1 }, 9], 9, [{ key: 'a', n: 4 }, 19], 20])
        expect(metric('numLateRecordsDropped')).toBe(2)
      })

      it('is not late because its time is below the watermark: its window counts', async () => {
        const { send, watermark, take, metric } = await open()
        watermark(8)
        send('a', 1, 0)
        watermark(9)
        expect(take()).toEqual([8, [{ key: 'a', n: 1 }, 9], 9])
        expect(metric('numLateRecordsDropped')).toBe(0)
      })

      it('sends late records to the side output, with their own timestamp', async () => {
        const { send, watermark, context, metric } = await open({ ...SUM, lateTag: late.id })
        watermark(9)
        send('a', 1, 4)
        send('a', 1, 12)
        expect(context.sides.get('late')!.records).toEqual([
          { type: 'record', value: { key: 'a', n: 1 }, timestamp: 4 },
        ])
        expect(metric('numLateRecordsDropped')).toBe(0)
        expect(metric('numRecordsSideOutput')).toBe(1)
      })

      it('counts late records when nobody reads their side output', async () => {
        const { send, watermark, metric } = await open({ ...SUM, lateTag: late.id }, { sideOutputs: [] })
        watermark(9)
        send('a', 1, 4)
        expect(metric('numLateRecordsDropped')).toBe(1)
      })

      it.each(['reduce', 'aggregate', 'process'] as const)(
        'fires the updated result at once for each late but allowed record: %s [W-17]',
        async (kind) => {
          const sum = (sales: Iterable<Sale>) => [...sales].reduce((n, sale) => n + sale.n, 0)
          const options: Options = {
            reduce: { ...SUM, windowFn: (key: any, _w: any, results: Iterable<Sale>) => [{ key, n: sum(results) }] },
            aggregate: {
              ...COUNT_AND_SUM,
              windowFn: (key: any, _w: any, results: Iterable<any>) => [...results].map(({ sum }) => ({ key, n: sum })),
            },
            process: {
              kind: 'process' as const,
              windowFn: (key: any, _w: any, sales: Iterable<Sale>) => [{ key, n: sum(sales) }],
            },
          }[kind]
          const { send, watermark, take, metric } = await open({ ...options, allowedLatenessMs: 5 })
          send('a', 1, 5)
          watermark(9)
          send('a', 2, 3)
          send('b', 7, 3)
          watermark(13)
          send('a', 4, 9)
          watermark(14)
          send('a', 8, 9)
          watermark(30)
          expect(take()).toEqual([
            [{ key: 'a', n: 1 }, 9],
            9,
            [{ key: 'a', n: 3 }, 9],
            [{ key: 'b', n: 7 }, 9],
            13,
            [{ key: 'a', n: 7 }, 9],
            14,
            30,
          ])
          expect(metric('numLateRecordsDropped')).toBe(1)
        },
      )

      it('fires and goes at one watermark when it passes both [W-15]', async () => {
        const { send, watermark, take, metric } = await open({ ...SUM, allowedLatenessMs: 5 })
        send('a', 1, 5)
        watermark(14)
        expect(take()).toEqual([[{ key: 'a', n: 1 }, 9], 14])
        send('a', 2, 5)
        expect(metric('numLateRecordsDropped')).toBe(1)
        watermark(100)
        expect(take()).toEqual([100])
      })

      it('opens a window for a late but allowed record that is the first in it', async () => {
        const { send, watermark, take } = await open({ ...SUM, allowedLatenessMs: 100 })
        watermark(50)
        send('a', 1, 5)
        send('a', 2, 6)
        watermark(109)
        send('a', 4, 6)
        watermark(200)
        expect(take()).toEqual([50, [{ key: 'a', n: 1 }, 9], [{ key: 'a', n: 3 }, 9], 109, 200])
      })

      it('keeps windows for ever when lateness has no end', async () => {
        const { send, watermark, take } = await open({ ...SUM, allowedLatenessMs: Infinity })
        send('a', 1, 5)
        watermark(1e15)
        send('a', 2, 5)
        expect(take()).toEqual([[{ key: 'a', n: 1 }, 9], 1e15, [{ key: 'a', n: 3 }, 9]])
      })

      it('does not change a result that was emitted', async () => {
        const { send, watermark, out } = await open({
          kind: 'aggregate',
          allowedLatenessMs: 100,
          aggregate: {
            createAccumulator: () => ({ names: [] as string[], n: 0 }),
            add: (sale: Sale, acc: { names: string[]; n: number }) => {
              acc.n += sale.n
              return acc
            },
            getResult: (acc: { n: number }) => acc,
          },
        })
        send('a', 1, 5)
        watermark(9)
        send('a', 2, 5)
        send('a', 4, 5)
        expect(out.values.map((v) => v.n)).toEqual([1, 3, 7])
      })
    })

    describe('what is kept', () => {
      it.each<[string, (n: number) => any]>([
        ['numbers', (n) => n],
        ['big numbers', (n) => n + 1e12 + 0.5],
        ['texts', (n) => `key number ${n} of the test`],
        ['bigints', (n) => BigInt(n)],
        ['booleans', (n) => n % 2 === 0],
        ['tuples', (n) => [n, `${n}`]],
        ['bytes', (n) => new Uint8Array([n & 255, n >> 8])],
        ['mixed', (n) => [n, `${n}`, BigInt(n), [n], n % 2 === 0][n % 5]],
        ['numbers at first', (n) => (n < 300 ? n : `${n}`)],
      ])('tells keys apart: %s', async (_, keyOf) => {
        const { send, watermark, out } = await open({
          ...COUNT_AND_SUM,
          windowFn: (key: any, _w: any, [result]: any) => [{ key, ...result }],
        })
        const oracle = new Map<string, { key: any; count: number; sum: number }>()
        const id = (key: any) =>
          `${typeof key}${key instanceof Uint8Array ? key.join() : JSON.stringify(key, (_k, v) => (typeof v === 'bigint' ? `${v}n` : v))}`
        for (let i = 0; i < 1500; i++) {
          const key = keyOf((i * 7) % 500)
          send(key, i, 5)
          const entry = oracle.get(id(key)) ?? { key, count: 0, sum: 0 }
          oracle.set(id(key), { key, count: entry.count + 1, sum: entry.sum + i })
        }
        watermark(9)
        expect(out.values).toHaveLength(oracle.size)
        for (const value of out.values) expect(value).toEqual(oracle.get(id(value.key)))
      })

      it.each<[string, any, (sale: Sale, acc: any) => any, (total: number, count: number) => any]>([
        ['a number', () => 0, (s, a) => a + s.n, (total) => total],
        ['-0 and fractions', () => -0, (s, a) => a + s.n / 2, (total) => total / 2],
        [
          'NaN',
          () => ({ n: Number.NaN }),
          (s, a) => ({ n: Number.isNaN(a.n) ? s.n : a.n + s.n }),
          (total) => ({ n: total }),
        ],
        ['a row changed in place', () => ({ n: 0 }), (s, a) => changed(a, (a.n += s.n)), (total) => ({ n: total })],
        ['a new row each time', () => ({ c: 0, n: 0 }), (s, a) => ({ n: a.n + s.n, c: a.c + 1 }), (n, c) => ({ c, n })],
        ['a frozen row', () => Object.freeze({ n: 0 }), (s, a) => Object.freeze({ n: a.n + s.n }), (n) => ({ n })],
        ['a tuple', () => [0, 0], (s, a) => changed(a, a[0]++, (a[1] += s.n)), (total, count) => [count, total]],
        ['a bigint', () => 0n, (s, a) => a + BigInt(s.n), (total) => BigInt(total)],
        ['a text', () => '', (s, a) => `${Number(a) + s.n}`, (total) => `${total}`],
        ['a flag', () => true, (_s, a) => a, () => true],
        [
          'a row with texts',
          () => ({ n: 0, who: '' }),
          (s, a) => changed(a, (a.n += s.n), (a.who = `all of the sales of ${s.key}`)),
          (n) => ({ n, who: expect.stringMatching(/^all of the sales/) }),
        ],
        ['a map', () => new Map(), (s, a) => a.set('n', (a.get('n') ?? 0) + s.n), (n) => new Map([['n', n]])],
        [
          'a list',
          () => [],
          (s, a) => changed(a, a.push(s.n)),
          (_n, count) => expect.toSatisfy((l) => l.length === count),
        ],
        [
          'a class',
          () =>
            new (class Box {
              n = 0
            })(),
          (s, a) => changed(a, (a.n += s.n)),
          (n) => expect.objectContaining({ n }),
        ],
        ['null at first', () => null, (s, a) => ({ n: (a?.n ?? 0) + s.n }), (n) => ({ n })],
        [
          'a field of numbers that becomes a text',
          () => ({ n: 0, x: 0 }),
          (s, a) => changed(a, (a.n += s.n), a.n > 20 && (a.x = 'many')),
          (n) => ({ n, x: n > 20 ? 'many' : 0 }),
        ],
        [
          'a field that comes later',
          () => ({ n: 0 }),
          (s, a) => changed(a, (a.n += s.n), a.n > 20 && (a.many = true)),
          (n) => (n > 20 ? { n, many: true } : { n }),
        ],
        [
          'a field that comes later, in a new row',
          () => ({ n: 0 }),
          (s, a) => ({ n: a.n + s.n, ...(a.n + s.n > 20 ? { many: 1 } : {}) }),
          (n) => (n > 20 ? { n, many: 1 } : { n }),
        ],
        [
          'a field that goes',
          () => ({ n: 0, few: 1 }),
          (s, a) => changed(a, (a.n += s.n), a.n > 20 && delete a.few),
          (n) => (n > 20 ? { n } : { n, few: 1 }),
        ],
        [
          'a tuple that grows',
          () => [0],
          (s, a) => changed(a, (a[0] += s.n), a[0] > 20 && a.length < 2 && a.push(1)),
          (n) => (n > 20 ? [n, 1] : [n]),
        ],
        [
          'a number that becomes a text',
          () => 0,
          (s, a) => (Number(a) + s.n > 20 ? `${Number(a) + s.n}` : a + s.n),
          (n) => (n > 20 ? `${n}` : n),
        ],
        [
          'an accumulator that is frozen in place',
          () => ({ n: 0 }),
          (s, a) => Object.freeze({ ...Object.freeze(a), n: a.n + s.n }),
          (n) => ({ n }),
        ],
      ])('holds accumulators of any kind: %s', async (_, createAccumulator, add, expected) => {
        const { send, watermark, out } = await open({
          kind: 'aggregate',
          aggregate: { createAccumulator, add, getResult: (acc) => acc },
          windowFn: (key: any, window: any, [result]: any) => [[key, window.start, result]],
        })
        const totals = new Map<string, [number, number]>()
        for (let i = 0; i < 600; i++) {
          const key = i % 41
          const at = i % 3 === 0 ? 5 : 15
          send(key, i % 4, at)
          const id = `${key} ${at - 5}`
          const [total, count] = totals.get(id) ?? [0, 0]
          totals.set(id, [total + (i % 4), count + 1])
        }
        watermark(100)
        expect(out.values).toHaveLength(totals.size)
        for (const [key, start, result] of out.values) {
          const [total, count] = totals.get(`${key} ${start}`)!
          expect(result).toEqual(expected(total, count))
        }
      })

      it('makes an accumulator for each key and window', async () => {
        let made = 0
        const { send, watermark, out } = await open({
          kind: 'aggregate',
          aggregate: {
            createAccumulator: () => ({ id: made++ }),
            add: (_sale: Sale, acc: { id: number }) => acc,
            getResult: (acc: { id: number }) => acc.id,
          },
        })
        for (let i = 0; i < 100; i++) send(i % 10, 1, i % 20 < 10 ? 5 : 15)
        watermark(100)
        expect(new Set(out.values).size).toBe(20)
      })

      it('reduces numbers, and records of nothing but numbers', async () => {
        const numbers = await open({
          kind: 'reduce',
          reduce: (a: number, b: number) => a + b,
          keyOf: (n: number) => n % 2,
        })
        for (const n of [1, 2, 3, 4]) numbers.operator.process(n, 5, hashKey(n % 2))
        numbers.watermark(9)
        expect(numbers.out.values.sort()).toEqual([4, 6])
        const rows = await open({
          kind: 'reduce',
          reduce: (a: Sale, b: Sale) => {
            a.n += b.n
            return a
          },
        })
        for (const key of [7, 8, 7, 8, 7]) rows.send(key, 1, 5)
        rows.watermark(9)
        expect(rows.take().slice(0, 2)).toEqual([
          [{ key: 7, n: 3 }, 9],
          [{ key: 8, n: 2 }, 9],
        ])
      })

      it('gives a result of its own to each key', async () => {
        const { send, watermark, out } = await open(COUNT_AND_SUM)
        for (const key of [1, 2, 3]) send(key, key, 5)
        watermark(9)
        expect(new Set(out.values).size).toBe(3)
        expect(out.values.map((v) => v.sum).sort()).toEqual([1, 2, 3])
        expect(out.values.map((v) => Object.getPrototypeOf(v))).toEqual([
          Object.prototype,
          Object.prototype,
          Object.prototype,
        ])
      })
    })

    describe('window functions', () => {
      it('passes key, window and all records to a lambda, which may give back results or collect them [W-22]', async () => {
        const { send, watermark, out, metric } = await open({
          kind: 'process',
          windowFn: (key: any, window: any, sales: Iterable<Sale>, collector: Collector<any>) => {
            collector.collect([key, window.start, window.end, window.maxTimestamp])
            if (key === 'b') return undefined
            return [[...sales].map((s) => s.n)]
          },
        })
        send('a', 1, 3)
        send('a', 2, 1)
        send('b', 3, 3)
        watermark(9)
        expect(out.values.filter((v) => v[0] === 'b')).toEqual([['b', 0, 10, 9]])
        expect(out.values.filter((v) => v[0] !== 'b')).toEqual([
          ['a', 0, 10, 9],
          [1, 2],
        ])
        expect(metric('numRecordsOut')).toBe(3)
      })

      it('passes the one result of reduce or aggregate', async () => {
        const { send, watermark, out } = await open({
          ...COUNT_AND_SUM,
          windowFn: (key: any, _window: any, results: Iterable<any>) => [[key, [...results]]],
        })
        send('a', 1, 3)
        send('a', 2, 3)
        watermark(9)
        expect(out.values).toEqual([['a', [{ count: 2, sum: 3 }]]])
      })

      it('gives an object its context and state, per window and per key [W-23]', async () => {
        const calls: any[] = []
        const side = new OutputTag<string>('side')
        class Fn extends ProcessWindowFunction<Sale, any, string> {
          all!: ValueState<number>
          override open(context: RuntimeContext) {
            this.all = context.getState(new ValueStateDescriptor<number>('all'))
            calls.push('open')
          }
          override process(key: string, context: ProcessWindowContext, sales: Iterable<Sale>, out: Collector<any>) {
            const n = [...sales].reduce((sum, s) => sum + s.n, 0)
            const fires = context.windowState().getState(new ValueStateDescriptor<number>('fires'))
            const global: ListState<number> = context.globalState().getListState(new ListStateDescriptor<number>('log'))
            fires.update((fires.value() ?? 0) + 1)
            this.all.update((this.all.value() ?? 0) + n)
            global.add(n)
            out.collect({
              key,
              start: context.window().start,
              n,
              fires: fires.value(),
              all: this.all.value(),
              log: [...global.get()],
            })
            context.output(side, `${key} at ${context.currentProcessingTime()} after ${context.currentWatermark()}`)
          }
          override clear(context: ProcessWindowContext) {
            const fires = context.windowState().getState(new ValueStateDescriptor<number>('fires'))
            calls.push(['clear', context.window().start, fires.value()])
            fires.clear()
          }
          override close() {
            calls.push('close')
          }
        }
        const { send, watermark, take, context, operator } = await open(
          { kind: 'process', windowFn: new Fn(), allowedLatenessMs: 5 },
          { startMs: 1234 },
        )
        send('a', 1, 5)
        send('b', 2, 5)
        watermark(9)
        send('a', 3, 6)
        watermark(14)
        send('a', 7, 15)
        watermark(100)
        expect(take()).toEqual([
          [{ key: 'a', start: 0, n: 1, fires: 1, all: 1, log: [1] }, 9],
          [{ key: 'b', start: 0, n: 2, fires: 1, all: 2, log: [2] }, 9],
          9,
          [{ key: 'a', start: 0, n: 4, fires: 2, all: 5, log: [1, 4] }, 9],
          14,
          [{ key: 'a', start: 10, n: 7, fires: 1, all: 12, log: [1, 4, 7] }, 19],
          100,
        ])
        expect(context.sides.get('side')!.records.map((r) => r.timestamp)).toEqual([9, 9, 9, 19])
        expect(context.sides.get('side')!.values).toContain('b at 1234 after 9')
        operator.finish()
        await operator.close()
        expect(calls[0]).toBe('open')
        expect(calls.slice(1, 3).sort()).toEqual([
          ['clear', 0, 1],
          ['clear', 0, 2],
        ])
        expect(calls.slice(3)).toEqual([['clear', 10, 1], 'close'])
      })
    })

    describe('processing time', () => {
      const assigner = TumblingProcessingTimeWindows.of(10)

      it('takes the clock for the time of records, and fires when the window is over', async () => {
        const { send, operator, context, take } = await open({ ...SUM, assigner }, { startMs: 103 })
        send('a', 1, -Infinity)
        context.advanceTo(109)
        send('a', 2, 5)
        operator.watermark(1000)
        expect(take()).toEqual([1000])
        context.advanceTo(110)
        send('a', 4, -Infinity)
        expect(take()).toEqual([[{ key: 'a', n: 3 }, 109]])
        context.advanceTo(200)
        expect(take()).toEqual([[{ key: 'a', n: 4 }, 119]])
        expect(context.timers).toEqual([])
      })

      it('knows no late records, and no lateness', async () => {
        const { send, operator, context, take, metric } = await open(
          { ...SUM, assigner, allowedLatenessMs: 1000, lateTag: 'late' },
          { startMs: 103 },
        )
        operator.watermark(5000)
        send('a', 1, 5)
        context.advanceTo(110)
        send('a', 2, 5)
        context.advanceTo(120)
        expect(take()).toEqual([5000, [{ key: 'a', n: 1 }, 109], [{ key: 'a', n: 2 }, 119]])
        expect(metric('numLateRecordsDropped')).toBe(0)
      })

      it('does not fire at the end of the input, and says how much was left [PF-07]', async () => {
        const { send, watermark, operator, context, take } = await open({ ...SUM, assigner }, { startMs: 103 })
        for (const key of ['a', 'b', 'a']) send(key, 1, -Infinity)
        watermark(Infinity)
        operator.finish()
        await operator.close()
        expect(take()).toEqual([Infinity])
        expect(context.timers).toEqual([])
        expect(context.metrics.group.counter('numWindowsNotFired').value()).toBe(2)
      })

      it('takes turns in a long fire', async () => {
        const { send, operator, context, out } = await open({ ...SUM, assigner }, { startMs: 100 })
        for (let i = 0; i < 9000; i++) send(i, 1, -Infinity)
        context.advanceTo(110)
        expect(operator.busy).toBe(true)
        while (operator.busy) operator.resume()
        expect(out.values).toHaveLength(9000)
        send('later', 1, -Infinity)
        context.advanceTo(120)
        expect(out.values).toHaveLength(9001)
      })
    })

    describe('where windows begin [W-02]', () => {
      it('ALIGNED: at multiples of the size', async () => {
        const { send, watermark, out } = await open(
          { ...SUM, assigner: TumblingEventTimeWindows.of(10, 2, 'ALIGNED') },
          { startMs: 7 },
        )
        send('a', 1, 5)
        watermark(100)
        expect(out.records[0]!.timestamp).toBe(11)
      })

      it('NATURAL: at the clock of the first record', async () => {
        const { send, watermark, out } = await open(
          { ...SUM, assigner: TumblingEventTimeWindows.of(10, 0, 'NATURAL') },
          { startMs: 1003 },
        )
        send('a', 1, 5)
        send('a', 1, 2)
        watermark(100)
        expect(out.records.map((r) => r.timestamp)).toEqual([2, 12])
      })

      it('RANDOM: anywhere, the same for an instance each time it starts', async () => {
        const startOf = async (subtask: number) => {
          const assigner = TumblingEventTimeWindows.of(1000, 0, 'RANDOM')
          const { send, watermark, out } = await open({ ...SUM, assigner }, { subtask, parallelism: 4 })
          send('a', 1, 5000)
          watermark(100_000)
          return out.records[0]!.timestamp
        }
        const starts = [await startOf(0), await startOf(1), await startOf(2)]
        expect(new Set(starts).size).toBeGreaterThan(1)
        expect([await startOf(0), await startOf(1), await startOf(2)]).toEqual(starts)
        for (const start of starts) expect(Math.abs(start - 5000)).toBeLessThanOrEqual(1000)
      })
    })

    it('refuses a record without a timestamp, and says what to do [E-01]', async () => {
      const { send } = await open()
      let error: unknown
      try {
        send('a', 1, -Infinity)
      } catch (e) {
        error = e
      }
      expect(isTailraceError(error) && error.code).toBe('TR-RECORD-003')
      expect(String(error)).toMatch(/operator "sales".*"key":"a".*timestamp assigner/)
    })

    describe('in any order of records and watermarks', () => {
      const step = fc.oneof(
        {
          weight: 8,
          arbitrary: fc.record({
            key: fc.integer({ min: 0, max: 6 }),
            n: fc.integer({ min: 0, max: 9 }),
            at: fc.integer({ min: -60, max: 60 }),
          }),
        },
        { weight: 1, arbitrary: fc.record({ by: fc.integer({ min: 0, max: 25 }) }) },
      )
      const settings = fc.record({
        size: fc.integer({ min: 1, max: 20 }),
        offset: fc.integer({ min: -30, max: 30 }),
        lateness: fc.constantFrom(0, 1, 7, 1000),
        tag: fc.boolean(),
        texts: fc.boolean(),
        kind: fc.constantFrom('columns', 'objects', 'lists'),
      })

      it('gives what counting by hand gives', async () => {
        await fc.assert(
          fc.asyncProperty(settings, fc.array(step, { maxLength: 150 }), async (setting, steps) => {
            const offset = setting.offset % setting.size
            const folds: Record<string, Options> = {
              columns: { ...COUNT_AND_SUM, windowFn: (key: any, w: any, [r]: any) => [[key, w.start, r.count, r.sum]] },
              objects: {
                kind: 'reduce',
                reduce: (a: any, b: any) => ({ key: a.key, n: a.n + b.n, count: (a.count ?? 1) + 1 }),
                windowFn: (key: any, w: any, [r]: any) => [[key, w.start, r.count ?? 1, r.n]],
              },
              lists: {
                kind: 'process',
                windowFn: (key: any, w: any, sales: Iterable<Sale>) => {
                  const all = [...sales]
                  return [[key, w.start, all.length, all.reduce((n, s) => n + s.n, 0)]]
                },
              },
            }
            const { operator, watermark, take, context, metric } = await open({
              ...folds[setting.kind],
              assigner: TumblingEventTimeWindows.of(setting.size, offset),
              allowedLatenessMs: setting.lateness,
              ...(setting.tag ? { lateTag: 'late' } : {}),
            })
            // By hand: a map of windows, and a set of those that have fired.
            const windows = new Map<string, { key: any; start: number; count: number; sum: number; fired: boolean }>()
            const late: any[] = []
            let now = -Infinity
            const lastOf = (start: number) => start + setting.size - 1
            const resultOf = (w: { key: any; start: number; count: number; sum: number }) => [
              [w.key, w.start, w.count, w.sum],
              lastOf(w.start),
            ]
            const sorted = (list: any[]) => list.map((x) => JSON.stringify(x)).sort()
            for (const one of steps) {
              let expected: any[] = []
              if ('by' in one) {
                now = now === -Infinity ? -50 + one.by : now + one.by
                for (const w of windows.values()) {
                  if (w.fired || lastOf(w.start) > now) continue
                  w.fired = true
                  expected.push(resultOf(w))
                }
                for (const [id, w] of windows) if (lastOf(w.start) + setting.lateness <= now) windows.delete(id)
                watermark(now)
                const got = take()
                expect(got.pop()).toBe(now)
                expect(sorted(got)).toEqual(sorted(expected))
              } else {
                const key = setting.texts ? `the key with number ${one.key}` : one.key
                const value = { key, n: one.n }
                operator.process(value, one.at, hashKey(key))
                const start = windowStart(one.at, offset, setting.size)
                expect(start).toBeLessThanOrEqual(one.at)
                expect(start + setting.size).toBeGreaterThan(one.at)
                if (lastOf(start) + setting.lateness <= now) {
                  late.push([{ key, n: one.n }, one.at])
                } else {
                  const id = `${key} ${start}`
                  const w = windows.get(id) ?? { key, start, count: 0, sum: 0, fired: lastOf(start) <= now }
                  w.count++
                  w.sum += one.n
                  windows.set(id, w)
                  if (w.fired || lastOf(start) <= now) expected = [resultOf(w)]
                }
                expect(take()).toEqual(expected)
              }
            }
            const lateOut = context.sides.get('late')?.records.map((r) => [r.value, r.timestamp]) ?? []
            expect(lateOut).toEqual(setting.tag ? late : [])
            expect(metric('numLateRecordsDropped')).toBe(setting.tag ? 0 : late.length)
            const rest = [...windows.values()].filter((w) => !w.fired).map(resultOf)
            watermark(Infinity)
            expect(sorted(take())).toEqual(sorted([...rest, Infinity]))
          }),
          { numRuns: 150 },
        )
      })
    })
  })
}
