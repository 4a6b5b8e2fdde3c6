/** map, filter, flatMap, process and tee, each driven by hand. */
import { describe, expect, test } from 'vitest'
import { NO_TIMESTAMP } from '../core/clock.ts'
import type { ProcessContext, RuntimeContext } from '../core/functions.ts'
import { type Collector, ProcessFunction } from '../core/functions.ts'
import { OutputTag } from '../core/output-tag.ts'
import { CollectingReceiver, fakeContext, openOperator } from '../testing/operator-context.ts'
import { Operator as Filter } from './filter.ts'
import { Operator as FlatMap } from './flat-map.ts'
import { Operator as MapOperator } from './map.ts'
import type { BaseOperator } from './operator.ts'
import { Operator as Process } from './process.ts'
import { UNREAD_SIDE_OUTPUT } from './side-outputs.ts'
import { Tee } from './tee.ts'

describe('a lambda', () => {
  test('map() keeps the timestamp', async () => {
    const { operator, out } = await openOperator(new MapOperator({ fn: (n: number) => n * 2 }))
    operator.process(1, 10)
    operator.process(2, NO_TIMESTAMP)
    expect(out.events).toEqual([
      { type: 'record', value: 2, timestamp: 10 },
      { type: 'record', value: 4, timestamp: NO_TIMESTAMP },
    ])
  })

  test('filter() passes what is true and counts it', async () => {
    const { operator, out, context } = await openOperator(new Filter({ fn: (n: number) => n % 2 === 0 }))
    for (let n = 1; n <= 5; n++) operator.process(n, n)
    expect(out.records).toMatchObject([
      { value: 2, timestamp: 2 },
      { value: 4, timestamp: 4 },
    ])
    operator.publish()
    operator.publish()
    expect(context.metric('numRecordsOut')).toBe(2)
  })

  const flatMaps: [what: string, fn: (n: number, out: Collector<any>) => any, values: unknown[]][] = [
    ['an array', (n) => [n, n + 1], [5, 6]],
    ['an empty array', () => [], []],
    ['an iterable', (n) => new Set([n, n]), [5]],
    [
      'a generator',
      function* (n) {
        yield n
        yield 'b'
      },
      [5, 'b'],
    ],
    ['its collector', (n, out) => void out.collect(n), [5]],
    [
      'its collector first, then what it returns',
      (n, out) => {
        out.collect('first')
        return [n]
      },
      ['first', 5],
    ],
    ['nothing', () => undefined, []],
    ['an arrow whose value is not meant', (n, out) => [1].push(n) && out.collect(n), [5]],
    ['an arrow that gives a number', (n) => [1].push(n), []],
  ]
  test.each(flatMaps)('flatMap() emits %s', async (_, fn, values) => {
    const { operator, out, context } = await openOperator(new FlatMap({ fn }))
    operator.process(5, 7)
    expect(out.records).toEqual(values.map((value) => ({ type: 'record', value, timestamp: 7 })))
    operator.publish()
    expect(context.metric('numRecordsOut')).toBe(values.length)
  })
})

describe('time', () => {
  const operators: [string, BaseOperator][] = [
    ['map()', new MapOperator({ fn: (n: number) => n })],
    ['filter()', new Filter({ fn: () => false })],
    ['flatMap()', new FlatMap({ fn: () => [] })],
    ['process()', new Process({ fn: new (class extends Echo {})() })],
  ]
  test.each(operators)('passes %s', async (_, operator) => {
    const { out } = await openOperator(operator)
    operator.watermark(5)
    operator.status(true)
    operator.status(false)
    operator.watermark(Infinity)
    expect([out.watermarks, out.statuses]).toEqual([
      [5, Infinity],
      [true, false],
    ])
  })
})

/** Writes down its life. */
class Diary {
  readonly pages: string[] = []
  open(context: RuntimeContext): void {
    this.pages.push(`open ${context.task.operatorName} with ${context.parameters.by}`)
  }
  finish(): void {
    this.pages.push('finish')
  }
  close(): void {
    this.pages.push('close')
  }
}

describe('a function object', () => {
  const kinds: [string, (diary: Diary) => BaseOperator, unknown[]][] = [
    ['map()', (d) => new MapOperator({ fn: Object.assign(d, { by: 2, map: (n: number) => n + 1 }) }), [2]],
    ['filter()', (d) => new Filter({ fn: Object.assign(d, { filter: () => true }) }), [1]],
    ['flatMap()', (d) => new FlatMap({ fn: Object.assign(d, { flatMap: (n: number) => [n, n] }) }), [1, 1]],
  ]
  test.each(kinds)('of %s is opened, used, finished and closed once', async (_, make, values) => {
    const diary = new Diary()
    const operator = make(diary)
    const { out } = await openOperator(operator, { operatorName: 'it', parameters: { by: 'me' } })
    operator.process(1, 0)
    await operator.finish()
    await operator.close()
    await operator.close()
    expect(out.values).toEqual(values)
    expect(diary.pages).toEqual(['open it with me', 'finish', 'close'])
  })

  test('sees its own fields', async () => {
    const fn = { factor: 3, map: undefined as unknown }
    fn.map = function (this: { factor: number }, n: number) {
      return n * this.factor
    }
    const { operator, out } = await openOperator(new MapOperator({ fn }))
    operator.process(2, 0)
    expect(out.values).toEqual([6])
  })

  test('is not closed when it was never opened, and is when its open failed', async () => {
    const diary = new Diary()
    const fn = Object.assign(diary, {
      map: (n: number) => n,
      open: () => {
        throw new Error('no')
      },
    })
    await new MapOperator({ fn }).close()
    expect(diary.pages).toEqual([])
    const operator = new MapOperator({ fn })
    await expect(openOperator(operator)).rejects.toThrow('no')
    await operator.close()
    expect(diary.pages).toEqual(['close'])
  })

  test('cannot be shared by two subtasks of a thread once it has an open(), until one is closed', async () => {
    const fn = Object.assign(new Diary(), { map: (n: number) => n })
    const first = new MapOperator({ fn })
    await openOperator(first)
    const second = new MapOperator({ fn })
    await expect(openOperator(second, { operatorName: 'twice' })).rejects.toThrow(
      /Cannot open Diary in twice a second time.*parallelism 1/,
    )
    await second.close()
    expect(fn.pages).toHaveLength(1)
    await first.close()
    await openOperator(second)
    expect(fn.pages).toHaveLength(3)
    const stateless = { map: (n: number) => n }
    await openOperator(new MapOperator({ fn: stateless }))
    await openOperator(new MapOperator({ fn: stateless }))
  })

  test('may open asynchronously', async () => {
    const fn = {
      ready: false,
      async open() {
        await Promise.resolve()
        fn.ready = true
      },
      map: () => fn.ready,
    }
    const { operator, out } = await openOperator(new MapOperator({ fn }))
    operator.process(1, 0)
    expect(out.values).toEqual([true])
  })
})

test('what a function throws leaves the operator as it is', async () => {
  const error = new Error('mine')
  const fn = () => {
    throw error
  }
  for (const operator of [new MapOperator({ fn }), new Filter({ fn }), new FlatMap({ fn })]) {
    await openOperator(operator)
    expect(() => operator.process(1, 0)).toThrow(error)
  }
})

const odd = new OutputTag<number>('odd')
const big = new OutputTag<number>('big')

class Echo extends ProcessFunction<number, unknown> {
  processElement(value: number, context: ProcessContext, out: Collector<unknown>): void {
    if (value % 2 === 1) context.output(odd, value)
    if (value > 10) context.output(big, value)
    out.collect([value, context.timestamp(), context.timerService.currentWatermark()])
  }
}

describe('process()', () => {
  test('gives timestamp, watermark and processing time', async () => {
    let processingMs: number | undefined
    class Clocked extends Echo {
      override processElement(value: number, context: ProcessContext, out: Collector<unknown>): void {
        processingMs = context.timerService.currentProcessingTime()
        super.processElement(value, context, out)
      }
    }
    const { operator, out } = await openOperator(new Process({ fn: new Clocked() }), { startMs: 77 })
    operator.process(2, 30)
    operator.watermark(20)
    operator.process(4, NO_TIMESTAMP)
    expect(out.records).toEqual([
      { type: 'record', value: [2, 30, -Infinity], timestamp: 30 },
      { type: 'record', value: [4, null, 20], timestamp: NO_TIMESTAMP },
    ])
    expect(processingMs).toBe(77)
  })

  test('sends to side outputs, and counts what no one reads', async () => {
    const { operator, context } = await openOperator(new Process({ fn: new Echo() }), { sideOutputs: ['odd'] })
    for (const value of [1, 2, 11, 13]) operator.process(value, value)
    expect(context.sides.get('odd')!.records).toMatchObject([
      { value: 1, timestamp: 1 },
      { value: 11, timestamp: 11 },
      { value: 13, timestamp: 13 },
    ])
    operator.publish()
    expect(context.metric('numRecordsOut')).toBe(7)
    expect(context.metric('numRecordsSideOutput')).toBe(3)
    expect(context.metrics.group.counter(UNREAD_SIDE_OUTPUT).value()).toBe(2)
  })

  test('refuses something else than a tag', async () => {
    class Wrong extends Echo {
      override processElement(value: number, context: ProcessContext): void {
        context.output('odd' as unknown as OutputTag<number>, value)
      }
    }
    const { operator } = await openOperator(new Process({ fn: new Wrong() }))
    expect(() => operator.process(1, 0)).toThrow(expect.objectContaining({ code: 'TR-GRAPH-006' }))
  })

  test('refuses timers, naming the operator and the way out', async () => {
    for (const timer of [
      'registerEventTimeTimer',
      'registerProcessingTimeTimer',
      'deleteEventTimeTimer',
      'deleteProcessingTimeTimer',
    ] as const) {
      class Timed extends Echo {
        override processElement(_: number, context: ProcessContext): void {
          context.timerService[timer](5)
        }
      }
      const { operator } = await openOperator(new Process({ fn: new Timed() }), { operatorName: 'alarm' })
      expect(() => operator.process(1, 0)).toThrow(
        expect.objectContaining({ code: 'TR-STATE-002', message: expect.stringMatching(/"alarm".*keyBy\(\)/) }),
      )
    }
  })

  test('opens, finishes and closes its function', async () => {
    const pages: string[] = []
    class Life extends Echo {
      override open(): void {
        pages.push('open')
      }
      override finish(): void {
        pages.push('finish')
      }
      override close(): void {
        pages.push('close')
      }
    }
    const { operator } = await openOperator(new Process({ fn: new Life() }))
    await operator.finish()
    await operator.close()
    expect(pages).toEqual(['open', 'finish', 'close'])
  })
})

test('Tee gives all receivers the same, in order', () => {
  const receivers = [new CollectingReceiver(), new CollectingReceiver(), new CollectingReceiver()]
  const tee = new Tee(receivers)
  tee.process('a', 1)
  tee.watermark(2)
  tee.status(true)
  for (const receiver of receivers) {
    expect(receiver.events).toEqual([
      { type: 'record', value: 'a', timestamp: 1 },
      { type: 'watermark', timestamp: 2 },
      { type: 'status', idle: true },
    ])
  }
})

test('FakeContext fires timers in order, each at its time, also those registered on the way', () => {
  const context = fakeContext({ startMs: 100 })
  const fired: [string, number, number][] = []
  const fire = (name: string) => (timeMs: number) => fired.push([name, timeMs, context.clock.now()])
  context.registerTimer(130, fire('b'))
  context.registerTimer(110, (timeMs) => {
    fire('a')(timeMs)
    context.registerTimer(120, fire('between'))
  })
  context.cancelTimer(context.registerTimer(115, fire('cancelled')))
  context.registerTimer(500, fire('later'))
  context.advance(100)
  expect(fired).toEqual([
    ['a', 110, 110],
    ['between', 120, 120],
    ['b', 130, 130],
  ])
  expect([context.clock.now(), context.timers]).toEqual([200, [500]])
})
