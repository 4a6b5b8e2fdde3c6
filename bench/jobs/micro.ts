/**
 * The jobs that run beside Flink, written with the public API: one program, `--job` picks the shape. Records, keys and shapes are those of the
 * Flink jobs that bench/flink/main.ts drives; docs/benchmarks.md describes both.
 */
import {
  type SingleOutputStreamOperator,
  type StreamExecutionEnvironment,
  TumblingEventTimeWindows,
  WatermarkStrategy,
} from 'tailrace'
import type { Event } from '../event.ts'
import { EventSource } from '../event-source.ts'
import { Count, CountSum, Latency, Stalls, Stateful, withKey } from './functions.ts'

export default async function main(env: StreamExecutionEnvironment) {
  const { job = 'pass', buffer } = env.parameters
  const number = (name: string, otherwise: number) => Number(env.parameters[name] ?? otherwise)
  const records = number('records', 1e7)
  env.setParallelism(number('parallelism', 2))
  if (buffer !== undefined) env.setBufferTimeout(Number(buffer))

  const source = new EventSource({
    records,
    keys: number('keys', 10_000),
    splits: number('splits', 2),
    eventRate: number('eventRate', 1_000_000),
    rate: number('rate', 0),
    unpaced: number('fill', 0),
  })
  const strategy = WatermarkStrategy.forMonotonousTimestamps<Event>().withTimestampAssigner((event) => event.ts)
  const events = env.fromSource(source, strategy, 'events').uid('events')
  const build = JOBS[job]
  if (build === undefined) throw new RangeError(`Cannot build the job "${job}": wanted ${Object.keys(JOBS).join(', ')}`)
  build(events, number)
  await env.execute(job)
}

type Build = (events: SingleOutputStreamOperator<Event>, number: (name: string, otherwise: number) => number) => void

const JOBS: Record<string, Build> = {
  pass(events) {
    events.flatMap(new Count())
  },

  filtermap(events) {
    events
      .map((e) => ({ ts: e.ts, key: e.key, value: e.value + 1, payload: e.payload }))
      .filter((e) => (e.value & 1) === 0)
      .map((e) => ({ ts: e.ts, key: e.key, value: e.value * 3, payload: e.payload }))
      .flatMap(new Count())
  },

  rebalance(events) {
    events.rebalance().flatMap(new Count())
  },

  keyby(events) {
    events.keyBy((e) => e.key).flatMap(new Count())
  },

  tumble(events, number) {
    events
      .keyBy((e) => e.key)
      .window(TumblingEventTimeWindows.of(number('window', 5000)))
      .aggregate(new CountSum(), withKey)
      .flatMap(new Count())
  },

  state(events) {
    events
      .keyBy((e) => e.key)
      .process(new Stateful())
      .uid('state')
      .flatMap(new Count())
  },

  stalls(events) {
    events
      .keyBy((e) => e.key)
      .process(new Stateful())
      .uid('state')
      .flatMap(new Stalls())
  },

  latency(events, number) {
    events
      .keyBy((e) => e.key)
      .process(new Stateful())
      .uid('state')
      .flatMap(new Latency(number('skipMs', 0)))
  },
}
