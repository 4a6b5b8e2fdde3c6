import { expect, test } from 'vitest'
import { Histogram } from './histogram.ts'

test('Histogram.quantileMs is at most 3 % above the exact one, and never below', () => {
  const histogram = new Histogram()
  const all: number[] = []
  for (let i = 0, us = 3; i < 5000; i++, us = (us * 48271) % 2147483647) {
    const value = us % 10 ** (1 + (i % 7))
    all.push(value)
    histogram.add(value)
  }
  all.sort((a, b) => a - b)
  expect(histogram.count).toBe(5000)
  for (const q of [0.01, 0.3, 0.5, 0.9, 0.99, 0.999, 1]) {
    const exactMs = all[Math.ceil(q * all.length) - 1] / 1000
    expect(histogram.quantileMs(q)).toBeGreaterThanOrEqual(exactMs)
    expect(histogram.quantileMs(q)).toBeLessThanOrEqual(exactMs * 1.04)
  }
})

test('Histogram travels as accumulators', () => {
  const histogram = new Histogram()
  for (const us of [0, 63, 64, 65, 1_000_000, 2 ** 31 - 1]) histogram.add(us)
  const accumulators: Record<string, number> = { out: 7 }
  histogram.report((name, count) => {
    accumulators[name] = count
  })
  expect(Histogram.from(accumulators).counts).toEqual(histogram.counts)
})

test('Histogram counts a clock that went back as nothing', () => {
  const histogram = new Histogram()
  histogram.add(-3)
  expect(histogram.quantileMs(1)).toBe(0)
})
