import { expect, it } from 'vitest'
import { hashKey } from '../core/hash.ts'
import { TumblingEventTimeWindows } from '../core/windows.ts'
import { openWindows, windowSuite } from './window.suite.ts'
import { Operator } from './window.ts'

windowSuite('tumbling windows on slices', (options) => new Operator(options))

const count = {
  createAccumulator: () => ({ n: 0 }),
  add: (_value: any, acc: { n: number }) => {
    acc.n++
    return acc
  },
  getResult: (acc: { n: number }) => acc.n,
}

it('Operator uses the memory of slices again, and gives it back when keys become few', async () => {
  const { operator, watermark, out } = await openWindows((options) => new Operator(options), {
    assigner: TumblingEventTimeWindows.of(10),
    keyOf: (key: number) => key,
    kind: 'aggregate',
    aggregate: count,
  })
  const tables = (operator as any).constructor && (() => (operator as any).slice.table)
  const cells = () => tables().segments.reduce((sum: number, s: any) => sum + s.cells.length, 0)
  const round = (window: number, keys: number) => {
    for (let key = 0; key < keys; key++) operator.process(key, window * 10, hashKey(key))
    const size = cells()
    const table = tables()
    watermark(window * 10 + 9)
    return { size, table }
  }
  const first = round(0, 5000)
  const second = round(1, 5000)
  expect(second.table).toBe(first.table)
  expect(second.size).toBe(first.size)
  let last = second.size
  for (let window = 2; window < 12; window++) last = round(window, 10).size
  expect(last).toBeLessThan(first.size / 20)
  expect(out.values.filter((n) => n !== 1)).toEqual([])
  expect(out.values).toHaveLength(10_100)
})

it('Operator looks at the time of few records when they come in order', async () => {
  // The current slice and the one before it are compared; others are looked up.
  const { operator, watermark, out } = await openWindows((options) => new Operator(options), {
    assigner: TumblingEventTimeWindows.of(10),
    keyOf: () => 1,
    kind: 'aggregate',
    aggregate: count,
  })
  for (const at of [5, 15, 6, 16, 25, 7, 17, 26, 5, 15]) operator.process(at, at, hashKey(1))
  watermark(29)
  expect(out.records).toEqual([
    { type: 'record', value: 4, timestamp: 9 },
    { type: 'record', value: 4, timestamp: 19 },
    { type: 'record', value: 2, timestamp: 29 },
  ])
})
