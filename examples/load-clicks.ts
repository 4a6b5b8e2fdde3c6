/**
 * Writes clicks for examples/click-aggregation.ts. Most come within 5 s, some as late as the job waits for them, and one in a hundred
 * (`--late 0.01`) too late.
 *
 *   npx tailrace run examples/load-clicks.ts --kafka.bootstrap localhost:9092 --rate 1000
 *   npx tailrace run examples/load-clicks.ts --records 200000 --rate 20000 --speed 60
 *
 * With `--speed 60` a minute of the clicks' own time passes in a second; they begin a day ago then, as Kafka takes no records from the future.
 */
import { type StreamExecutionEnvironment, WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'
import { kafkaSink } from 'tailrace/connectors/kafka'
import { type Click, click } from './click-aggregation.ts'
import { kafkaArguments } from './kafka/arguments.ts'

const DAY_MS = 86_400_000
const PAGES = ['/', '/docs', '/pricing', '/blog', '/login', '/about']
const COUNTRIES = ['NO', 'DE', 'FR', 'JP']

/** A click that is reported at a time, and happened before. */
export function clickAt(atMs: number, random: () => number, late = 0.01): Click {
  const oneOf = (names: string[]) => names[Math.floor(random() ** 2 * names.length)]
  const kind = random()
  const lateMs = kind < late ? 60_000 + random() * 600_000 : random() * (kind < 0.1 ? 29_000 : 5_000)
  return {
    user_id: `u-${Math.floor(random() * 10_000)}`,
    page_id: oneOf(PAGES),
    country: oneOf(COUNTRIES),
    click_ts: new Date(Math.floor(atMs - lateMs)),
  }
}

export default async function main(env: StreamExecutionEnvironment) {
  const { records, rate = '1000', speed = '1', seed = '0', late = '0.01' } = env.parameters
  const startMs = await env.once('start', () => Date.now() - (Number(speed) > 1 ? DAY_MS : 0))
  const stepMs = (1000 / Number(rate)) * Number(speed)
  const source = dataGenSource({
    generate: (index, random) => clickAt(startMs + index * stepMs, random, Number(late)),
    seed: Number(seed),
    recordsPerSecond: Number(rate),
    ...(records !== undefined && { count: Number(records) }),
  })
  const topic = kafkaSink({
    ...kafkaArguments(env.parameters),
    topic: 'click-events',
    key: (click: Click) => click.user_id,
    value: click,
  })
  env.fromSource(source, WatermarkStrategy.noWatermarks(), 'clicks').sinkTo(topic).name('click-events')
  await env.execute('load clicks')
}
