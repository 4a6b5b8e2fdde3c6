import type { DataStream } from 'tailrace'
import { MiniCluster, OperatorHarness } from 'tailrace/testing'
import { expect, test } from 'vitest'
import { describeOnKfake } from '../runtime/connectors/kafka/testing/kafka-broker.suite.ts'
import { type Click, lateClicks, type PageViews, viewsPerPage } from './click-aggregation.ts'
import { clickAt } from './load-clicks.ts'

const START_MS = Date.UTC(2026, 0, 1)
const MINUTE = 60_000
/** Half an hour of them. */
const CLICKS = 1800

/** Numbers in [0, 1) that look random, and are the same each time. */
function random(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

const clicks = Array.from({ length: CLICKS }, (_, i) => clickAt(START_MS + i * 1000, random(i)))
const windowOf = ({ page_id, country, click_ts }: Click) =>
  `${page_id} ${country} ${new Date(Math.floor(click_ts.getTime() / MINUTE) * MINUTE).toISOString()}`

test('a window takes clicks for a minute after its end, and shows its new count; later ones are late', async () => {
  const harness = await OperatorHarness.open((stream: DataStream<Click>) => viewsPerPage(stream, '1 min'))
  const clickOn = (page_id: string, atMs: number) => {
    const click = { user_id: 'u-1', page_id, country: 'NO', click_ts: new Date(START_MS + atMs) }
    harness.processElement(click, click.click_ts.getTime())
    return click
  }
  const counts = () => harness.take().map(({ page_id, click_count }) => [page_id, click_count])
  clickOn('/', 0)
  clickOn('/', MINUTE - 1)
  clickOn('/docs', MINUTE)
  harness.processWatermark(START_MS + MINUTE - 1)
  expect(counts()).toEqual([['/', 2]])
  harness.processWatermark(START_MS + 2 * MINUTE - 2)
  clickOn('/', 1)
  expect(counts()).toEqual([['/', 3]])
  harness.processWatermark(START_MS + 2 * MINUTE - 1)
  expect(counts()).toEqual([['/docs', 1]])
  const late = clickOn('/', 2)
  expect(counts()).toEqual([])
  expect(harness.getSideOutput(lateClicks)).toEqual([late])
  await harness.close()
})

for (const p of [1, 2]) {
  describeOnKfake(`click aggregation at parallelism ${p}`, (kafka) => {
    test('the last count of each window and the late clicks are all clicks', async () => {
      await kafka().createTopic('click-events', 2)
      await kafka().createTopic('page-view-counts', 2)
      await kafka().createTopic('late-clicks', 1)
      const messages = clicks.map((click) => ({ key: click.user_id, value: JSON.stringify(click) }))
      await kafka().produce('click-events', [...messages, { value: '{"user_id":"u-1","click_ts":"yesterday"}' }])

      const cluster = await MiniCluster.start({ slots: p, host: 'worker' })
      try {
        await cluster.runProgram(new URL('./click-aggregation.ts', import.meta.url), {
          parameters: {
            'kafka.bootstrap': kafka().bootstrapServers,
            // Small parts, so that the watermark comes along and clicks can be late.
            'kafka.max.partition.fetch.bytes': '2000',
            'kafka.fetch.min.bytes': '1',
            window: '1 min',
            checkpoints: '100ms',
            bounded: '',
          },
          options: { 'parallelism.default': String(p), 'pipeline.auto-watermark-interval': '1 ms' },
        })
      } finally {
        await cluster.stop()
      }
      const counts = new Map<string, number>()
      for (const { key, value } of await kafka().readCommitted('page-view-counts')) {
        const { page_id, country, window_start, window_end, click_count }: PageViews = JSON.parse(String(value))
        const window = `${page_id} ${country} ${window_start}`
        expect(String(key)).toBe(window)
        expect(Date.parse(window_end) - Date.parse(window_start)).toBe(MINUTE)
        // A click that a window takes after its end shows one more.
        if (counts.has(window)) expect(click_count).toBe(counts.get(window)! + 1)
        counts.set(window, click_count)
      }
      for (const { value } of await kafka().readCommitted('late-clicks')) {
        const late = JSON.parse(String(value))
        const window = windowOf({ ...late, click_ts: new Date(late.click_ts) })
        counts.set(window, (counts.get(window) ?? 0) + 1)
      }
      const wanted = new Map([...Map.groupBy(clicks, windowOf)].map(([window, ofIt]) => [window, ofIt.length]))
      expect(counts).toEqual(wanted)
    })
  })
}
