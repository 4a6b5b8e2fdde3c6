/**
 * Counts the views of each page per minute. Some views come late: a minute waits 5 seconds for them, takes more for another 30 and shows
 * its new count, and what comes later still goes to a side output.
 *
 *   npx tailrace run examples/page-views.ts
 *   npx tailrace run examples/page-views.ts --views 5000 --seed 3
 */
import { OutputTag, type StreamExecutionEnvironment, TumblingEventTimeWindows, WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'

export interface View {
  page: string
  atMs: number
}

const PAGES = ['/', '/docs', '/pricing', '/blog']
const tooLate = new OutputTag<View>('too late')

/** View number `index`, a fifth of a second after the one before; most are reported within 4 seconds, one in ten within a minute. */
export function view(index: number, random: () => number): View {
  const page = PAGES[Math.floor(random() ** 2 * PAGES.length)]
  const delayMs = random() < 0.1 ? random() * 60_000 : random() * 4_000
  return { page, atMs: Date.UTC(2026, 0, 1) + index * 200 - Math.floor(delayMs) }
}

export default async function main(env: StreamExecutionEnvironment) {
  const { views, seed = 0, rate = 500 } = env.parameters
  const source = dataGenSource({
    generate: view,
    seed: Number(seed),
    recordsPerSecond: Number(rate),
    ...(views === undefined ? {} : { count: Number(views) }),
  })
  const timestamps = WatermarkStrategy.forBoundedOutOfOrderness<View>('5s').withTimestampAssigner((view) => view.atMs)

  const perMinute = env
    .fromSource(source, timestamps, 'views')
    .keyBy((view) => view.page)
    .window(TumblingEventTimeWindows.of('1 min'))
    .allowedLateness('30s')
    .sideOutputLateData(tooLate)
    .aggregate(
      { createAccumulator: () => ({ n: 0 }), add: (_, a) => ({ n: a.n + 1 }), getResult: (a) => a.n },
      (page, window, [n]) => [`${time(window.start, 16)}  ${page.padEnd(8)}  ${n}`],
    )
  perMinute.print()
  perMinute
    .getSideOutput(tooLate)
    .map((view) => `${time(view.atMs, 19)}  ${view.page}`)
    .print('too late')

  await env.execute('page views')
}

const time = (ms: number, characters: number) => new Date(ms).toISOString().slice(0, characters)
