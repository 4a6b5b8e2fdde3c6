import { WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'
import { MiniCluster } from 'tailrace/testing'
import { expect, test } from 'vitest'
import { type View, view } from './page-views.ts'

/** What the program's source gives, without the rest of the program. */
async function generated(count: number): Promise<View[]> {
  const cluster = await MiniCluster.start()
  let views: View[] = []
  await cluster.runProgram(async (env) => {
    const source = dataGenSource({ generate: view, seed: 3, count })
    views = await env.fromSource(source, WatermarkStrategy.noWatermarks(), 'views').executeAndCollect()
  })
  await cluster.stop()
  return views
}

const minuteOf = ({ page, atMs }: View) => `${new Date(atMs).toISOString().slice(0, 16)} ${page}`
const LINE = /^(?:(too late)?(?::?\d)?> )?(\S{16})(?::\d\d)? {2}(\S+) *(\d*)$/

test.each([1, 2])(
  'page views at parallelism %i: what each minute shows last, and the late ones, are all',
  async (p) => {
    const wanted = new Map([...Map.groupBy(await generated(1500), minuteOf)].map(([key, views]) => [key, views.length]))
    const cluster = await MiniCluster.start({ slots: 2, host: 'worker' })
    try {
      const { printed } = await cluster.runProgram(new URL('./page-views.ts', import.meta.url), {
        parameters: { views: '1500', seed: '3', rate: '5000' },
        options: { 'parallelism.default': String(p), 'pipeline.auto-watermark-interval': '5 ms' },
      })
      const shown = new Map<string, number>()
      const late = new Map<string, number>()
      for (const line of printed) {
        const [, isLate, minute, page, count] = LINE.exec(line)!
        const key = `${minute} ${page}`
        if (isLate !== undefined) {
          late.set(key, (late.get(key) ?? 0) + 1)
          continue
        }
        // Each view that a minute takes after its end shows one more.
        if (shown.has(key)) expect(Number(count)).toBe(shown.get(key)! + 1)
        shown.set(key, Number(count))
      }
      const all = [...shown.keys(), ...late.keys()]
      expect(new Map(all.map((key) => [key, (shown.get(key) ?? 0) + (late.get(key) ?? 0)]))).toEqual(wanted)
    } finally {
      await cluster.stop()
    }
  },
)
