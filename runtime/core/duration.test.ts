import { describe, expect, it } from 'vitest'
import { durationMs } from './duration.ts'

describe('durationMs()', () => {
  it.each([
    [250, 250],
    ['250', 250],
    ['10s', 10_000],
    ['5 min', 300_000],
    ['1 h 30 min', 5_400_000],
    ['2 days', 172_800_000],
    ['0.5 s', 500],
    ['-5 s', -5000],
    ['PT1M30S', 90_000],
    ['P1DT2H', 93_600_000],
    ['PT0.5S', 500],
    ['-PT5S', -5000],
    ['1 ms', 1],
    ['500 us', 0.5],
  ])('reads %j', (text, ms) => {
    expect(durationMs(text)).toBe(ms)
  })
  it.each(['', 'soon', '5 parsecs', 'PT', 'P', '5 min 3', '1 2', '--5s', Number.NaN])(
    'refuses %j and says what it wants',
    (text) => {
      expect(() => durationMs(text)).toThrow(RangeError)
    },
  )
})
