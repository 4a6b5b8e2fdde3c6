/**
 * The totals of the main job against a computation of its own: from the data set's rows, without streams.
 */
import { readFileSync } from 'node:fs'
import type { ReaderContext, ReaderOutput } from 'tailrace'
import { ManualClock, MiniCluster } from 'tailrace/testing'
import { afterAll, describe, expect, test } from 'vitest'
import { delaysPerDay, scheduled, tooLate } from './flight-delays.ts'
import type { AirportDay } from './flights/board.ts'
import { type Flight, replayFlights } from './flights/replay-source.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

interface Row {
  origin: string
  atMs: number
  delay: number
  late: boolean
}

/** The first `records` rows of the replay, each with whether the windows of its day had been closed when it came. */
function replayed(records: number): Row[] {
  const file = new URL('../node_modules/vega-datasets/data/flights-20k.json', import.meta.url)
  const cycle = (JSON.parse(readFileSync(file, 'utf8')) as { date: string; delay: number; origin: string }[])
    .map(({ date, delay, origin }) => {
      const [year, month, day, hour, minute] = date.split(/\D/).map(Number)
      return { origin, delay, atMs: Date.UTC(year, month - 1, day, hour, minute) }
    })
    .sort((a, b) => a.atMs + a.delay * MINUTE_MS - (b.atMs + b.delay * MINUTE_MS))
  let watermark = Number.NEGATIVE_INFINITY
  let stepAt = Number.NEGATIVE_INFINITY
  return Array.from({ length: records }, (_, i) => {
    const { origin, delay, atMs: inCycle } = cycle[i % cycle.length]
    const atMs = inCycle + Math.floor(i / cycle.length) * 90 * DAY_MS
    const late = watermark >= Math.floor(atMs / DAY_MS) * DAY_MS + DAY_MS - 1
    if (atMs >= stepAt) {
      watermark = Math.max(watermark, atMs - 30 * MINUTE_MS - 1)
      stepAt = atMs + 180 * MINUTE_MS
    }
    return { origin, atMs, delay, late }
  })
}

function totalsOf(rows: Row[]): AirportDay[] {
  const byDay = Map.groupBy(rows, ({ origin, atMs }) => `${origin} ${Math.floor(atMs / DAY_MS)}`)
  return [...byDay].map(([key, flights]) => ({
    airport: key.split(' ')[0],
    dayMs: Number(key.split(' ')[1]) * DAY_MS,
    flights: flights.length,
    delayed: flights.filter(({ delay }) => delay > 15).length,
    delayMin: flights.reduce((sum, { delay }) => sum + delay, 0),
  }))
}

const inOrder = (days: AirportDay[]) => days.toSorted((a, b) => a.dayMs - b.dayMs || (a.airport < b.airport ? -1 : 1))

const clusters: MiniCluster[] = []
afterAll(() => Promise.all(clusters.map((cluster) => cluster.stop())))
async function cluster(host: 'inline' | 'worker'): Promise<MiniCluster> {
  const started = await MiniCluster.start({ slots: 2, host })
  clusters.push(started)
  return started
}

describe.each([1, 2])('flight delays at parallelism %i', (parallelism) => {
  test('every flight is in the window of its airport and day, or comes out as too late', async () => {
    const records = 25_000
    const rows = replayed(records)
    let out: { day?: AirportDay; late?: Flight }[] = []
    await (await cluster('inline')).runProgram(async (env) => {
      const source = replayFlights({ records, speed: Number.POSITIVE_INFINITY })
      const days = delaysPerDay(
        env.setParallelism(parallelism).fromSource(source, scheduled, 'flights').setParallelism(1),
      )
      const late = days.getSideOutput(tooLate).map((flight): (typeof out)[0] => ({ late: flight }))
      out = await days
        .map((day): (typeof out)[0] => ({ day }))
        .union(late)
        .executeAndCollect()
    })
    const days = out.flatMap(({ day }) => day ?? [])
    const late = out.flatMap(({ late }) => late ?? [])
    expect(days.reduce((sum, day) => sum + day.flights, 0) + late.length).toBe(records)
    expect(inOrder(days)).toEqual(inOrder(totalsOf(rows.filter((row) => !row.late))))
    const lateOf = (flights: { origin: string; atMs: number }[]) => flights.map((f) => `${f.origin} ${f.atMs}`).sort()
    expect(lateOf(late.map(({ origin, scheduledMs }) => ({ origin, atMs: scheduledMs })))).toEqual(
      lateOf(rows.filter((row) => row.late)),
    )
    expect(late.length).toBeGreaterThan(0)
  })

  test('the program as it is prints a table and its totals', async () => {
    const rows = replayed(4_000)
    const inTime = rows.filter((row) => !row.late)
    const { results, printed } = await (await cluster('worker')).runProgram(
      new URL('./flight-delays.ts', import.meta.url),
      { parameters: { records: '4000' }, options: { 'parallelism.default': String(parallelism) } },
    )
    expect(results[0].accumulators).toEqual({
      flights: inTime.length,
      'airport days': totalsOf(inTime).length,
      'flights too late': rows.length - inTime.length,
    })
    const delays = (flights: Row[]) => flights.reduce((sum, { delay }) => sum + delay, 0) / flights.length
    const [worst] = [...Map.groupBy(inTime, ({ origin }) => origin)]
      .filter(([, flights]) => flights.length >= Math.max(2, inTime.length / 500))
      .sort(([, a], [, b]) => delays(b) - delays(a))
    const [name, flights] = worst
    const first = printed.find((line) => line.startsWith('   1  '))
    expect(first).toMatch(
      new RegExp(`^ +1 +${name} +${flights.length} +\\d+ % +${delays(flights).toFixed(1)} min +█+$`),
    )
    expect(Math.max(...printed.map((line) => line.length))).toBeLessThanOrEqual(110)
  })
})

describe('replayFlights()', () => {
  test('keeps the wanted multiple of event time, and continues in the next cycle', () => {
    const clock = new ManualClock(5_000)
    const waits: number[] = []
    const context = { clock, wakeAt: (atMs: number) => waits.push(atMs) } as unknown as ReaderContext
    const reader = replayFlights({ records: 40_000, speed: 86_400 }).createReader(context)
    const left: number[] = []
    const split = { collect: (flight: Flight) => left.push(flight.scheduledMs + flight.delayMin * MINUTE_MS) }
    const output = { split: () => split } as unknown as ReaderOutput<Flight>
    reader.addSplits([{ id: 'flights', next: 19_500 }])

    expect(reader.poll(output, 1000)).toBe('idle')
    const [first] = left
    expect(waits).toHaveLength(1)
    clock.advance(4_000)
    while (reader.poll(output, 100) === 'more');
    const all = replayed(22_000).slice(19_500)
    const due = all.filter(({ atMs, delay }) => atMs + delay * MINUTE_MS <= first + 4 * DAY_MS)
    expect(left).toHaveLength(due.length)
    expect(reader.snapshot(1)).toEqual([{ id: 'flights', next: 19_500 + due.length }])
    expect(left).toEqual(left.toSorted((a, b) => a - b))
    const next = all[due.length]
    const waitDays = (next.atMs + next.delay * MINUTE_MS - first) / DAY_MS
    expect(waits.at(-1)).toBeCloseTo(5_000 + waitDays * 1000, 3)
  })

  test('refuses numbers that make no sense', () => {
    expect(() => replayFlights({ records: 1.5, speed: 1 })).toThrow('Cannot replay 1.5 flights')
    expect(() => replayFlights({ records: 1, speed: 0 })).toThrow('Cannot replay at 0 times real time')
  })
})
