/** Operators with two inputs: their time, and that nothing hangs on how records of the two come between each other. */
import fc from 'fast-check'
import { describe, expect, it, test } from 'vitest'
import { CoProcessFunction, KeyedCoProcessFunction } from '../core/co-functions.ts'
import type {
  Collector,
  KeyedProcessContext,
  OnTimerContext,
  ProcessContext,
  RuntimeContext,
} from '../core/functions.ts'
import { hashKey } from '../core/hash.ts'
import { OutputTag } from '../core/output-tag.ts'
import { type MapState, MapStateDescriptor, type ValueState, ValueStateDescriptor } from '../core/state.ts'
import { type FakeContextOptions, openOperator } from '../testing/operator-context.ts'
import { Operator as CoProcess } from './co-process.ts'
import { Operator as KeyedCoProcess } from './keyed-co-process.ts'
import { openSubtasks, takeSnapshots } from './rescale.suite.ts'
import { INPUT_WATERMARKS, type TwoInputOperator } from './two-input.ts'

const pass = { map1: (value: unknown) => value, map2: (value: unknown) => value }

describe('time of two inputs [E-10]', () => {
  type Event = [input: 0 | 1, what: number | 'idle' | 'active']
  const table: [what: string, steps: [event: Event, out: (number | 'idle' | 'active')[]][]][] = [
    [
      'is the least of both, and rises only',
      [
        [[0, 5], []],
        [[1, 3], [3]],
        [[1, 2], []],
        [[1, 9], [5]],
        [[0, 9], [9]],
      ],
    ],
    [
      'leaves out an idle input',
      [
        [[0, 5], []],
        [[1, 'idle'], [5]],
        [[0, 8], [8]],
      ],
    ],
    [
      'counts an input that wakes up at once, without going back',
      [
        [[0, 5], []],
        [[1, 'idle'], [5]],
        [[1, 'active'], []],
        [[0, 9], []],
        [[1, 4], []],
        [[1, 7], [7]],
      ],
    ],
    [
      'is idle when both are, and flushes what the last one held back',
      [
        [[0, 5], []],
        [[1, 3], [3]],
        [[0, 'idle'], []],
        [
          [1, 'idle'],
          [5, 'idle'],
        ],
        [[0, 'active'], ['active']],
        [[0, 8], [8]],
      ],
    ],
    [
      'is not held back by an input that has ended, and ends when both have',
      [
        [[0, Infinity], []],
        [[1, 4], [4]],
        [[1, Infinity], [Infinity]],
      ],
    ],
    [
      'is idle when one has ended and the other may still go on',
      [
        [[0, Infinity], []],
        [[1, 4], [4]],
        [[1, 'idle'], ['idle']],
        [[1, 'active'], ['active']],
        [[1, 6], [6]],
        [[1, Infinity], [Infinity]],
      ],
    ],
    [
      'is idle before any watermark, too',
      [
        [[0, 'idle'], []],
        [[1, 'idle'], ['idle']],
        [
          [1, 2],
          ['active', 2],
        ],
      ],
    ],
  ]
  test.each(table)('%s', async (_, steps) => {
    const { operator, out } = await openOperator(new CoProcess({ kind: 'map', fn: pass }))
    for (const [[input, what], wanted] of steps) {
      const receiver = operator.input(input)
      if (typeof what === 'number') receiver.watermark(what)
      else receiver.status(what === 'idle')
      const found = out
        .take()
        .map((event) =>
          event.type === 'watermark'
            ? event.timestamp
            : event.type === 'status'
              ? event.idle
                ? 'idle'
                : 'active'
              : 'record',
        )
      expect(found, `after ${what} on input ${input}`).toEqual(wanted)
    }
  })

  it('goes through the task, which shows it, and each input has a gauge of its own', async () => {
    const shown: number[] = []
    const operator = new CoProcess({ kind: 'map', fn: pass })
    operator.combinedTo = (timestampMs) => {
      shown.push(timestampMs)
      operator.watermark(timestampMs)
    }
    const { context, out } = await openOperator(operator)
    const gauges = () => INPUT_WATERMARKS.map((name) => context.metrics.group.gauge(name).value())
    expect(gauges()).toEqual([-Infinity, -Infinity])
    operator.input(0).watermark(7)
    operator.input(1).watermark(5)
    expect([shown, out.watermarks, gauges()]).toEqual([[5], [5], [7, 5]])
  })

  it('lets idleness wait for the timers of the watermark that came with it', async () => {
    class Timers extends KeyedCoProcessFunction<number, number, number, number> {
      processElement1(n: number, context: KeyedProcessContext<number>) {
        context.timerService.registerEventTimeTimer(n)
      }
      processElement2() {}
      override onTimer(timestampMs: number, _: unknown, out: Collector<number>) {
        out.collect(timestampMs)
      }
    }
    const one = () => 1
    const { operator, out } = await openOperator(keyed(new Timers(), one, one))
    const timers = 5000
    for (let n = 1; n <= timers; n++) operator.input(0).process(n, n, hashKey(1))
    operator.input(0).watermark(timers)
    operator.input(1).status(true)
    operator.input(0).status(true)
    expect(operator.busy).toBe(true)
    expect(out.statuses).toEqual([])
    while (operator.busy) operator.resume()
    expect(out.values).toHaveLength(timers)
    expect(out.events.slice(-2)).toEqual([
      { type: 'watermark', timestamp: timers },
      { type: 'status', idle: true },
    ])
  })
})

function keyed(fn: any, keyOf1: (value: any) => any, keyOf2: (value: any) => any) {
  return new KeyedCoProcess({ kind: 'process', fn, keyOf1, keyOf2 })
}

describe('functions of two streams without keys', () => {
  it('map and flatMap give each input to its own method, with the record’s timestamp', async () => {
    const map = await openOperator(
      new CoProcess({ kind: 'map', fn: { map1: (n: number) => n + 1, map2: (text: string) => text.length } }),
    )
    map.operator.input(0).process(1, 10)
    map.operator.input(1).process('abc', 20)
    expect(map.out.records).toMatchObject([
      { value: 2, timestamp: 10 },
      { value: 3, timestamp: 20 },
    ])
    const flatMap = await openOperator(
      new CoProcess({
        kind: 'flatMap',
        fn: {
          flatMap1: (n: number, out: Collector<unknown>) => {
            out.collect('first')
            return [n, n]
          },
          flatMap2: (n: number) => (n === 0 ? undefined : new Set([n])),
        },
      }),
    )
    flatMap.operator.input(0).process(1, 10)
    flatMap.operator.input(1).process(0, 20)
    flatMap.operator.input(1).process(5, 30)
    expect(flatMap.out.records).toMatchObject([
      { value: 'first', timestamp: 10 },
      { value: 1, timestamp: 10 },
      { value: 1, timestamp: 10 },
      { value: 5, timestamp: 30 },
    ])
    flatMap.operator.publish()
    expect(flatMap.context.metric('numRecordsOut')).toBe(4)
  })

  it('process has timestamps, event time and side outputs, but no timers and no state', async () => {
    const tag = new OutputTag<number>('side')
    class Fn extends CoProcessFunction<number, number, unknown> {
      runtime!: RuntimeContext
      override open(context: RuntimeContext) {
        this.runtime = context
      }
      processElement1(n: number, context: ProcessContext, out: Collector<unknown>) {
        out.collect([n, context.timestamp(), context.timerService.currentWatermark()])
      }
      processElement2(n: number, context: ProcessContext) {
        context.output(tag, n)
        context.timerService.registerEventTimeTimer(1)
      }
    }
    const fn = new Fn()
    const { operator, out, context } = await openOperator(new CoProcess({ kind: 'process', fn }))
    for (const input of [0, 1]) operator.input(input).watermark(3)
    operator.input(0).process(1, 5)
    operator.input(0).process(2, -Infinity)
    expect(out.values).toEqual([
      [1, 5, 3],
      [2, null, 3],
    ])
    expect(() => operator.input(1).process(9, 6)).toThrow('its stream is not keyed')
    expect(context.sides.get('side')!.records).toMatchObject([{ value: 9, timestamp: 6 }])
    expect(() => fn.runtime.getState(new ValueStateDescriptor('n'))).toThrow('not keyed')
  })
})

describe('functions of two streams with a key', () => {
  interface A {
    k: string
    n: number
  }
  interface B {
    id: string
    m: number
  }
  /** What a commutative function of both streams leaves per key, said by timers at the end. */
  class Totals extends KeyedCoProcessFunction<
    string,
    A,
    B,
    { key: string; sum: number; count: number; largest: number }
  > {
    #sum!: ValueState<number>
    #largest!: ValueState<number>
    #counts!: MapState<string, number>
    override open(context: RuntimeContext) {
      this.#sum = context.getState(new ValueStateDescriptor<number>('sum'))
      this.#largest = context.getState(new ValueStateDescriptor<number>('largest'))
      this.#counts = context.getMapState(new MapStateDescriptor<string, number>('counts'))
    }
    #add(side: string, n: number, context: KeyedProcessContext<string>) {
      this.#sum.update((this.#sum.value() ?? 0) + n)
      this.#largest.update(Math.max(this.#largest.value() ?? -Infinity, n))
      this.#counts.put(side, (this.#counts.get(side) ?? 0) + 1)
      context.timerService.registerEventTimeTimer(1_000_000)
    }
    processElement1({ n }: A, context: KeyedProcessContext<string>) {
      this.#add('a', n, context)
    }
    processElement2({ m }: B, context: KeyedProcessContext<string>) {
      this.#add('b', m, context)
    }
    override onTimer(_: number, context: OnTimerContext<string>, out: Collector<any>) {
      const count = [...this.#counts.values()].reduce((a, b) => a + b)
      out.collect({ key: context.getCurrentKey(), sum: this.#sum.value()!, count, largest: this.#largest.value()! })
    }
  }
  const open = (options?: FakeContextOptions) =>
    openOperator(
      keyed(
        new Totals(),
        (a: A) => a.k,
        (b: B) => b.id,
      ),
      options,
    )

  const key = fc.constantFrom('ann', 'bob', 'ève')
  const number = fc.integer({ min: -9, max: 9 })
  const record = fc.oneof(
    fc.record({ input: fc.constant(0 as const), value: fc.record({ k: key, n: number }) }),
    fc.record({ input: fc.constant(1 as const), value: fc.record({ id: key, m: number }) }),
  )
  type Step = { input: 0 | 1; value: any }
  const feed = (operator: TwoInputOperator, { input, value }: Step, at: number) =>
    operator.input(input).process(value, at, hashKey(value.k ?? value.id))
  const inOrder = (values: any[]) => values.toSorted((a, b) => (a.key < b.key ? -1 : 1))
  /** What maps and sums say of it. */
  function oracle(steps: readonly Step[]) {
    const byKey = Map.groupBy(steps, ({ value }) => value.k ?? value.id)
    return inOrder(
      [...byKey].map(([key, its]) => {
        const numbers = its.map(({ value }) => value.n ?? value.m)
        return { key, sum: numbers.reduce((a, b) => a + b), count: numbers.length, largest: Math.max(...numbers) }
      }),
    )
  }

  it('give the same results however the inputs come between each other (property)', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 60 }),
        fc.array(fc.boolean(), { minLength: 60 }),
        async (steps, first) => {
          // Each input keeps its order; `first` says from which one the next record is taken.
          const queues = [0, 1].map((input) => steps.filter((step) => step.input === input))
          const { operator, out } = await open()
          for (let at = 0; queues[0]!.length + queues[1]!.length > 0; at++) {
            const queue = queues[0]!.length === 0 || (!first[at] && queues[1]!.length > 0) ? queues[1]! : queues[0]!
            feed(operator, queue.shift()!, at)
            if (at % 7 === 0) operator.input(at % 2).watermark(at)
          }
          for (const input of [0, 1]) operator.input(input).watermark(Infinity)
          expect(inOrder(out.values)).toEqual(oracle(steps))
        },
      ),
      { numRuns: 100 },
    )
  })

  it('goes on after a restore at another parallelism as if nothing had been (property)', async () => {
    const make = () =>
      keyed(
        new Totals(),
        (a: A) => a.k,
        (b: B) => b.id,
      )
    await fc.assert(
      fc.asyncProperty(
        fc.array(record, { maxLength: 40 }),
        fc.nat(40),
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 1, max: 4 }),
        async (steps, cut, p, q) => {
          const route = (subtasks: { operator: TwoInputOperator }[], step: Step, at: number) => {
            const group = hashKey(step.value.k ?? step.value.id) % 16
            feed(subtasks[Math.floor((group * subtasks.length) / 16)]!.operator, step, at)
          }
          const before = await openSubtasks(make, p)
          steps.slice(0, cut).forEach((step, at) => route(before, step, at))
          const after = await openSubtasks(make, q, takeSnapshots(before))
          steps.slice(cut).forEach((step, at) => route(after, step, at))
          for (const { operator } of after) for (const input of [0, 1]) operator.input(input).watermark(Infinity)
          expect(inOrder(after.flatMap(({ out }) => out.values))).toEqual(oracle(steps))
        },
      ),
      { numRuns: 50 },
    )
  })

  it('map and flatMap have state of the key, too', async () => {
    class Running {
      #n!: ValueState<number>
      open(context: RuntimeContext) {
        this.#n = context.getState(new ValueStateDescriptor<number>('n'))
      }
      map1(value: A) {
        return this.#add(value.k, value.n)
      }
      map2(value: B) {
        return this.#add(value.id, value.m)
      }
      #add(key: string, n: number) {
        this.#n.update((this.#n.value() ?? 0) + n)
        return `${key} ${this.#n.value()}`
      }
    }
    const keyOf1 = (a: A) => a.k
    const keyOf2 = (b: B) => b.id
    const { operator, out, context } = await openOperator(
      new KeyedCoProcess({ kind: 'map', fn: new Running(), keyOf1, keyOf2 }),
    )
    const steps: Step[] = [
      { input: 0, value: { k: 'a', n: 1 } },
      { input: 1, value: { id: 'a', m: 10 } },
      { input: 1, value: { id: 'b', m: 5 } },
      { input: 0, value: { k: 'a', n: 100 } },
    ]
    steps.forEach((step, at) => feed(operator, step, at))
    expect(out.values).toEqual(['a 1', 'a 11', 'b 5', 'a 111'])
    operator.publish()
    expect(context.metric('numRecordsOut')).toBe(4)
  })

  it('fire timers by the least watermark, with the timer’s key, and count them', async () => {
    const { operator, out, context } = await open()
    feed(operator, { input: 0, value: { k: 'ann', n: 1 } }, 0)
    feed(operator, { input: 1, value: { id: 'ann', m: 2 } }, 0)
    operator.input(0).watermark(2_000_000)
    expect(out.events).toEqual([])
    operator.input(1).watermark(1_000_000)
    expect(out.events).toEqual([
      { type: 'record', value: { key: 'ann', sum: 3, count: 2, largest: 2 }, timestamp: 1_000_000 },
      { type: 'watermark', timestamp: 1_000_000 },
    ])
    operator.publish()
    expect(context.metric('numFiredTimers')).toBe(1)
  })
})
