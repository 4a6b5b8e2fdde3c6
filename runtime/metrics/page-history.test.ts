import { expect, test } from 'vitest'
import { PageHistory } from './page-history.ts'

function historyOf(doubles: number): { history: PageHistory; page: Float64Array } {
  const buffer = new SharedArrayBuffer(doubles * 8)
  return { history: new PageHistory(buffer), page: new Float64Array(buffer) }
}

test('perSecond() divides the growth by the time since the oldest look in the window', () => {
  const { history, page } = historyOf(2)
  for (let second = 0; second <= 8; second++) {
    page[0] = second * 100
    page[1] = second < 4 ? 0 : (second - 4) * 10
    history.look(second * 1000, 2)
  }
  expect(history.perSecond(0, 60_000, 8000)).toBe(100)
  expect(history.perSecond(1, 60_000, 8000)).toBe(5)
  expect(history.perSecond(1, 4000, 8000)).toBe(10)
})

test('perSecond() is 0 before a first look, right after it, and for a metric that came later', () => {
  const { history, page } = historyOf(2)
  page[0] = 7
  expect(history.perSecond(0, 5000, 0)).toBe(0)
  history.look(0, 1)
  page[0] = 9
  expect(history.perSecond(0, 5000, 10)).toBe(0)
  expect(history.perSecond(0, 5000, 1000)).toBe(2)
  expect(history.perSecond(1, 5000, 1000)).toBe(0)
  history.look(1000, 2)
  page[1] = 3
  expect(history.perSecond(1, 5000, 2000)).toBe(3)
})

test('perSecond() forgets growth that is older than the window', () => {
  const { history, page } = historyOf(1)
  history.look(0, 1)
  page[0] = 1_000_000
  for (let second = 1; second <= 90; second++) history.look(second * 1000, 1)
  expect(history.perSecond(0, 60_000, 90_000)).toBe(0)
})

test('a meter over a minute still sees the whole minute though old looks are thinned', () => {
  const { history, page } = historyOf(1)
  for (let second = 0; second <= 300; second++) {
    page[0] = second * second
    history.look(second * 1000, 1)
  }
  const span = history.span(0, 60_000, 300_000)
  expect(span).toBeGreaterThan(54_000)
  expect(span).toBeLessThanOrEqual(60_500)
  const from = (300_000 - span) / 1000
  expect(history.perSecond(0, 60_000, 300_000)).toBeCloseTo((300 * 300 - from * from) / (span / 1000), 6)
  expect(history.size).toBeLessThan(24)
})
