/**
 * The contract of sources as tests [SRC-01..SRC-05]: every connector runs them over a source whose records are known.
 *
 * @example
 * sourceSuite('sequenceSource()', () => ({ source: sequenceSource(1, 1000), expected: range(1, 1000), replayable: true }))
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { Source, SourceSplit } from '../core/source.ts'
import { type DriverOptions, SourceDriver } from './source-driver.ts'

export interface SourceCase<T> {
  source: Source<T>
  /** All of its records; in the order of reading when one reader reads them, if `ordered`. */
  expected: readonly T[]
  ordered: boolean
  /** Called after each test. */
  dispose?(): void | Promise<void>
}

/** `waived.replay`: why a snapshot of this source cannot resume exactly; the parts that need it are left out and named. */
export function sourceSuite<T>(
  name: string,
  make: () => SourceCase<T> | Promise<SourceCase<T>>,
  waived: { replay?: string } = {},
): void {
  describe(`${name}: the contract of sources`, () => {
    const cleanups: (() => void | Promise<void>)[] = []
    afterEach(async () => {
      for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
    })
    const open = async (options?: DriverOptions) => {
      const one = await make()
      if (one.dispose !== undefined) cleanups.push(one.dispose)
      return { ...one, driver: drive(one.source, options) }
    }
    const drive = (source: Source<T>, options?: DriverOptions) => {
      const driver = new SourceDriver(source, options)
      cleanups.push(() => driver.close())
      return driver
    }
    it('opens and closes without reading, also in the middle of it', async () => {
      const { driver, source } = await open()
      await driver.close()
      const second = drive(source)
      await second.until(() => second.values.length > 0)
      await second.close()
    })

    it('describes itself in a line', async () => {
      const { source } = await open()
      expect(source.describe?.()).toMatch(/^[^\n]{3,200}$/)
    })

    it.each([1, 3])('reads every record once with %i readers and ends', async (parallelism) => {
      const { driver, expected, ordered } = await open({ parallelism })
      await driver.untilEnd()
      if (ordered && parallelism === 1) expect(driver.values).toEqual(expected)
      else expect(sorted(driver.values)).toEqual(sorted(expected))
      for (const { output, reader } of driver.readers) {
        expect([...output.open]).toEqual([])
        expect(reader.snapshot(1)).toEqual([])
        expect(reader.poll(output, 10)).toBe('end')
      }
    })

    it('emits no more than it is asked for at a time', async () => {
      const { driver, expected } = await open({ max: 3 })
      let most = 0
      await driver.until(() => {
        const before = driver.values.length
        driver.step()
        most = Math.max(most, driver.values.length - before)
        return driver.readers.every((r) => r.status === 'end')
      })
      expect(most).toBeLessThanOrEqual(3)
      expect(driver.values).toHaveLength(expected.length)
    })

    it('says idle when it has nothing, and loses nothing by being asked too often', async () => {
      const { driver, expected } = await open({ parallelism: 2 })
      await driver.until(() => {
        for (const { reader, output, status } of driver.readers) if (status !== 'end') reader.poll(output, 1)
        return driver.readers.every((r) => r.status === 'end')
      })
      expect(sorted(driver.values)).toEqual(sorted(expected))
    })

    if (waived.replay !== undefined) {
      console.log(`${name}: the contract of sources without replay, as ${waived.replay}`)
      return
    }

    it('goes on exactly from a snapshot, at another parallelism too', async () => {
      const { source, expected } = await open()
      for (const cut of [0, 1, Math.floor(expected.length / 3), expected.length - 1, expected.length]) {
        for (const [before, after] of [
          [1, 1],
          [2, 3],
          [3, 1],
        ]) {
          const first = drive(source, { parallelism: before, max: 1 })
          await first.until(() => first.values.length >= cut)
          const restore = first.snapshot()
          const emitted = first.values
          await first.close()
          const second = drive(source, { parallelism: after, restore })
          await second.untilEnd()
          expect(sorted([...emitted, ...second.values])).toEqual(sorted(expected))
        }
      }
    })

    // Else the watermark would go past a split of which a restore has given the reader several.
    it('opens every restored split that was begun before it emits a record', async () => {
      const { source, expected } = await open()
      const first = drive(source, { parallelism: 3, max: 1 })
      await first.until(() => first.readers.every((r) => r.status === 'end' || r.output.values.length > 0))
      const restore = first.snapshot()
      const emitted = first.values.length
      await first.close()
      const second = drive(source, { restore, max: 1 })
      if (emitted < expected.length) await second.until(() => second.values.length === 1)
      const { open: opened, released } = second.readers[0]!.output
      const splits = emitted < expected.length ? restore.splits.map(({ id }) => id) : []
      expect(splits.filter((id) => !opened.has(id) && !released.includes(id))).toEqual([])
    })

    it('reads again what a failed reader had, when no checkpoint holds it', async () => {
      const { driver, source, expected } = await open()
      const assigned: SourceSplit[] = []
      const fresh = drive(recordingAssignments(source, assigned))
      await driver.close()
      await fresh.until(() => fresh.values.length > 0)
      const firstAssigned = [...assigned]
      await fresh.failReader(0, firstAssigned)
      await fresh.untilEnd()
      expect(sorted(fresh.values)).toEqual(sorted(expected))
    })
  })
}

/** The source, with splits written down as they are assigned. */
function recordingAssignments<T>(source: Source<T>, assigned: SourceSplit[]): Source<T> {
  return {
    ...source,
    createEnumerator: (context) =>
      source.createEnumerator({
        ...context,
        assign: (split, subtask) => {
          assigned.push(JSON.parse(JSON.stringify(split)))
          context.assign(split, subtask)
        },
      }),
  }
}

const sorted = (values: readonly unknown[]): string[] => values.map((v) => JSON.stringify(v)).sort()
