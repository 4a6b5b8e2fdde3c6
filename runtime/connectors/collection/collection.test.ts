import { describe, expect, it } from 'vitest'
import { sourceSuite } from '../source.suite.ts'
import { SourceDriver } from '../source-driver.ts'
import { collectionSource } from './index.ts'

const words = Array.from({ length: 100 }, (_, i) => `word ${i}`)

sourceSuite('collectionSource()', () => ({
  source: collectionSource(words),
  expected: words,
  ordered: true,
}))

describe('collectionSource()', () => {
  it('gives each subtask one run of the values, in order', async () => {
    const driver = new SourceDriver(collectionSource(words), { parallelism: 3 })
    await driver.untilEnd()
    const parts = driver.readers.map((r) => r.output.values)
    expect(parts.map((p) => p.length)).toEqual([33, 33, 34])
    expect(parts.flat()).toEqual(words)
  })

  it('takes any iterable, and ends at once when it is empty', async () => {
    const some = new SourceDriver(collectionSource(new Set([1, 2])))
    await some.untilEnd()
    expect(some.values).toEqual([1, 2])
    const none = new SourceDriver(collectionSource([]), { parallelism: 2 })
    await none.untilEnd()
    expect(none.values).toEqual([])
  })

  it('refuses values that are nothing', () => {
    expect(() => collectionSource([1, null])).toThrow('value 1 is null')
    expect(() => collectionSource([undefined])).toThrow(TypeError)
  })
})
