/**
 * A program of two jobs that share a value: each line that a job writes has the value in it, so that lines tell which run of the program has made them. Parameters: `in`, `out`, `rate` (records
 * per second of the second job), `until` (a file without which it does not end).
 */
import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import { type StreamExecutionEnvironment, WatermarkStrategy } from 'tailrace'
import { fileSink, fileSource } from 'tailrace/connectors/files'
import { jsonLines } from 'tailrace/formats/json'
import { textLines } from 'tailrace/formats/text'
import { pacedSource } from '../chaos/ends.ts'
import type { Event } from '../chaos/events.ts'

export default async function main(env: StreamExecutionEnvironment) {
  const { in: input, out, rate, until } = env.parameters
  const seed = await env.once('seed', () => randomUUID())
  const files = () => fileSource({ path: input!, format: jsonLines<Event>(), chunkBytes: 4_096 })
  const write = (name: string, perSecond: number) =>
    env
      .fromSource(pacedSource(files(), perSecond, undefined, 0), WatermarkStrategy.noWatermarks(), 'events')
      .uid(`${name}-events`)
      .map((event) => `${name} ${event.id} ${seed}`)
      .uid(`${name}-lines`)
      .sinkTo(fileSink({ path: `${out}/${name}`, format: textLines() }))
      .uid(`${name}-files`)
  write('first', 1_000_000)
  const first = await env.execute('first')
  write('second', Number(rate))
  const second = await env.execute('second')
  while (!existsSync(until!)) await new Promise((resolve) => setTimeout(resolve, 20))
  console.log(`jobs ${first.jobId} ${second.jobId}`)
}
