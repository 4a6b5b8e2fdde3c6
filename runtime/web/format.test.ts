import { expect, test } from 'vitest'
import { ago, bytes, count, duration, percent, perSecond } from './format.ts'

test('count() keeps three digits that count', () => {
  const shown = [0, 0.04, 0.4, 7, 42, 999, 999.6, 1234, 12_345, 999_499, 999_600, 4_560_000, 2.1e9].map(count)
  expect(shown).toEqual([
    '0',
    '0.0',
    '0.4',
    '7',
    '42',
    '999',
    '1.00k',
    '1.23k',
    '12.3k',
    '999k',
    '1.00M',
    '4.56M',
    '2.10B',
  ])
  expect(perSecond(12_345)).toBe('12.3k/s')
})

test('duration() has the two largest units', () => {
  const shown = [-5, 0, 850, 12_000, 185_000, 3_600_000, 8_040_000, 277_000_000].map(duration)
  expect(shown).toEqual(['0 ms', '0 ms', '850 ms', '12 s', '3 min 5 s', '1 h', '2 h 14 min', '3 d 4 h'])
})

test('ago() does not count parts of a second', () => {
  expect([-3, 0, 999, 1000, 61_000].map(ago)).toEqual(['just now', 'just now', 'just now', '1 s ago', '1 min 1 s ago'])
})

test('bytes() and percent() stay short, and a little is not nothing', () => {
  expect([0, 999, 1000, 14_400, 7.94e6, 3e15].map(bytes)).toEqual([
    '0 B',
    '999 B',
    '1.00 KB',
    '14.4 KB',
    '7.94 MB',
    '3000 TB',
  ])
  expect([0, 0.001, 0.005, 0.634, 1].map(percent)).toEqual(['0 %', '<1 %', '1 %', '63 %', '100 %'])
})
