import { expect, test } from 'vitest'
import { quantile, spread } from './figures.ts'

test.each([
  [[5], 0.99, 5],
  [[4, 1, 3, 2], 0.5, 2],
  [[4, 1, 3, 2], 0.51, 3],
  [Array.from({ length: 300 }, (_, i) => i + 1), 0.99, 297],
  [Array.from({ length: 300 }, (_, i) => i + 1), 1, 300],
] as const)('quantile() of %j at %d', (values, q, wanted) => expect(quantile(values, q)).toBe(wanted))

test('spread() gives the median with the range, of one run the figure alone', () => {
  expect(spread([{ p50: 3, max: 9 }])).toBe('p50 3, max 9')
  expect(spread([{ p50: 3 }, { p50: 5 }, { p50: 4 }])).toBe('p50 4 (3–5)')
})
