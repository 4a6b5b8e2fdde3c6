import { expect, test } from 'vitest'
import { costOf, type Turn } from './turns.ts'

/** A turn on a machine of this speed, with this cost in percent. */
const turn = (speed: number, percent = 0, seconds = 1): Turn => {
  const recordsPerSecond = speed * (1 - percent / 100)
  return { recordsPerSecond, records: recordsPerSecond * seconds, cpuNsPerRecord: (1000 / speed) * (1 + percent / 100) }
}

test.each<[string, Turn[], number]>([
  ['equal turns', [turn(10), turn(10), turn(10)], 0],
  ['a cost', [turn(10), turn(10, 7), turn(10)], 7],
  ['short turns, that hold all of it', [turn(10, 0, 0.25), turn(10, 28, 0.25), turn(10, 0, 0.25)], 7],
  ['a turn that was longer than the others', [turn(10, 0, 0.25), turn(10, 14, 0.5), turn(10, 0, 0.25)], 7],
  ['a machine that gets faster bit by bit', [turn(10), turn(10.1, 5), turn(10.2), turn(10.3, 5), turn(10.4)], 5],
  ['a turn that the host took away', [turn(10), turn(10, 5), turn(10), turn(4, 5), turn(10), turn(10, 5), turn(10)], 5],
])('costOf() of %s', (_, turns, percent) => {
  const { cpu, rate } = costOf(turns)
  expect([cpu.median, rate.median]).toEqual([percent, percent])
})

test('costOf() gives the middle half of the comparisons', () => {
  const costs = [3, 9, 1, 5, 40, 7, -20]
  const { cpu } = costOf([turn(10), ...costs.flatMap((percent) => [turn(10, percent), turn(10)])])
  expect(cpu).toEqual({ median: 5, low: 1, high: 9 })
})

test.each([0, 1, 2, 4])('costOf() refuses %i turns', (n) => {
  const turns = Array.from({ length: n }, () => turn(1))
  expect(() => costOf(turns)).toThrow(`Cannot compare ${n} turns: an odd number is wanted, 3 at least`)
})
