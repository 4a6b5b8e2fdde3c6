import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../core/clock.ts'
import { sourceSuite } from '../source.suite.ts'
import { SourceDriver } from '../source-driver.ts'
import { dataGenSource, type Random } from './index.ts'

const record = (index: number, random: Random) => ({ index, a: random(), b: random() })

sourceSuite('dataGenSource()', async () => {
  const all = new SourceDriver(dataGenSource({ generate: record, count: 100, seed: 7 }))
  await all.untilEnd()
  return {
    source: dataGenSource({ generate: record, count: 100, seed: 7 }),
    expected: all.values,
    ordered: true,
  }
})

async function generate(options: Parameters<typeof dataGenSource>[0], parallelism = 1) {
  const driver = new SourceDriver(dataGenSource(options), { parallelism })
  await driver.untilEnd()
  return driver
}

describe('dataGenSource()', () => {
  it('makes the same record for the same index and seed at any parallelism, and others for another seed', async () => {
    const one = (await generate({ generate: record, count: 50, seed: 1 })).values as any[]
    const three = (await generate({ generate: record, count: 50, seed: 1 }, 3)).values as any[]
    expect(three.toSorted((a, b) => a.index - b.index)).toEqual(one)
    const other = (await generate({ generate: record, count: 50, seed: 2 })).values as any[]
    expect(other.filter((r, i) => r.a === one[i].a)).toEqual([])
  })

  it('draws numbers that are spread over [0, 1)', async () => {
    const { values } = await generate({ generate: (_i, random) => random(), count: 10_000 })
    const tenths = new Array(10).fill(0)
    for (const n of values as number[]) tenths[Math.floor(n * 10)]++
    for (const count of tenths) expect(Math.abs(count - 1000)).toBeLessThan(150)
    expect(new Set(values).size).toBeGreaterThan(9_990)
  })

  it('gives neighbouring numbers to different subtasks', async () => {
    const driver = await generate({ generate: (i) => i, count: 7 }, 3)
    expect(driver.readers.map((r) => r.output.values)).toEqual([
      [0, 3, 6],
      [1, 4],
      [2, 5],
    ])
  })

  it('keeps its pace exactly, over all subtasks together', () => {
    const clock = new ManualClock()
    const source = dataGenSource({ generate: (i) => i, recordsPerSecond: 1000 })
    const driver = new SourceDriver(source, { parallelism: 2, clock, max: 50 })
    return (async () => {
      await driver.settle()
      const drain = () => {
        while (driver.step());
      }
      drain()
      // The first record of each subtask is due at once.
      expect(driver.values).toHaveLength(2)
      for (const ms of [1, 1, 7, 0.5, 90.5, 900]) {
        clock.advance(ms)
        drain()
      }
      expect(driver.values).toHaveLength(1002)
      clock.advance(60_000)
      drain()
      expect(driver.values).toHaveLength(61_002)
      await driver.close()
    })()
  })

  it('asks for a turn when the next record is due, at most every half millisecond', async () => {
    const slow = new SourceDriver(dataGenSource({ generate: (i) => i, recordsPerSecond: 10 }))
    await slow.settle()
    while (slow.step());
    expect(slow.readers[0]!.wakeAtMs).toBeCloseTo(100)
    const fast = new SourceDriver(dataGenSource({ generate: (i) => i, recordsPerSecond: 1e6 }))
    await fast.settle()
    while (fast.step());
    expect(fast.readers[0]!.wakeAtMs).toBeCloseTo(0.5)
    await slow.close()
    await fast.close()
  })

  it('refuses settings out of their range', () => {
    const generate = (i: number) => i
    expect(() => dataGenSource({ generate, count: -1 })).toThrow(RangeError)
    expect(() => dataGenSource({ generate, recordsPerSecond: 0 })).toThrow(RangeError)
    expect(() => dataGenSource({ generate, seed: Number.NaN })).toThrow(RangeError)
    expect(() => dataGenSource({ generate: 5 as any })).toThrow(TypeError)
  })
})
