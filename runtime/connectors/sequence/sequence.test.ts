import { describe, expect, it } from 'vitest'
import { sourceSuite } from '../source.suite.ts'
import { SourceDriver } from '../source-driver.ts'
import { sequenceSource } from './index.ts'

sourceSuite('sequenceSource()', () => ({
  source: sequenceSource(-10, 89),
  expected: Array.from({ length: 100 }, (_, i) => i - 10),
  ordered: true,
}))

describe('sequenceSource()', () => {
  it('includes both ends, and is empty when they have passed each other', async () => {
    const one = new SourceDriver(sequenceSource(5, 5), { parallelism: 3 })
    await one.untilEnd()
    expect(one.values).toEqual([5])
    const none = new SourceDriver(sequenceSource(5, 4))
    await none.untilEnd()
    expect(none.values).toEqual([])
  })

  it('refuses bounds that are no whole numbers', () => {
    expect(() => sequenceSource(0.5, 2)).toThrow(RangeError)
    expect(() => sequenceSource(0, Infinity)).toThrow(/from 0 to Infinity/)
  })
})
