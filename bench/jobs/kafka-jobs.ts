/** The jobs that read and write Kafka, written with the public API: one program, `--job` picks the shape. */
import { type StreamExecutionEnvironment, TumblingEventTimeWindows, WatermarkStrategy } from 'tailrace'
import { type KafkaSinkOptions, kafkaSink, kafkaSource, type StoppingOffsets } from 'tailrace/connectors/kafka'
import { json } from 'tailrace/formats/json'
import type { Event } from '../event.ts'
import { EventSource } from '../event-source.ts'
import { Count, CountSum, CountTotals, type KeyTotals, Latency, withKey } from './functions.ts'

/** So that a record is 100 bytes of JSON. */
const PAYLOAD_CHARS = 42

export default async function main(env: StreamExecutionEnvironment) {
  const { job, servers, input, output, records, ...paces } = env.parameters as Record<string, string>
  const { rate = '0', eventRate = '1000000', splits = '2', skipMs = '0' } = paces
  env.setParallelism(2)
  const strategy = WatermarkStrategy.forMonotonousTimestamps<Event>().withTimestampAssigner((event) => event.ts)
  const generated = () => {
    const numbers = {
      records: Number(records),
      eventRate: Number(eventRate),
      splits: Number(splits),
      rate: Number(rate),
    }
    return env
      .fromSource(new EventSource({ keys: 10_000, ...numbers }), strategy, 'events')
      .map(({ ts, key, value, payload }) => ({ ts, key, value, payload: payload.slice(0, PAYLOAD_CHARS) }))
  }
  const read = (topics: string, bounded: StoppingOffsets) =>
    env.fromSource(
      kafkaSource<Event>({ bootstrapServers: servers!, topics, value: json<Event>(), bounded }),
      strategy,
      topics,
    )
  const readAll = <T>(topics: string) => {
    const properties = { 'isolation.level': 'read_committed' }
    const options = { bootstrapServers: servers!, topics, value: json<T>(), bounded: 'latest' as const, properties }
    return env.fromSource(kafkaSource<T>(options), WatermarkStrategy.noWatermarks(), topics)
  }
  const write = <T>(topic: string, more: Partial<KafkaSinkOptions<T>>) =>
    kafkaSink<T>({ bootstrapServers: servers!, topic, value: json<T>(), ...more })
  const keyed = { key: ({ key }: { key: number }) => key }
  const end = { offsets: Object.fromEntries([input, output].map((topic) => [topic, { 0: Number(records) }])) }
  switch (job) {
    case 'out':
      generated().sinkTo(write<Event>(output!, keyed))
      break
    case 'in':
      readAll<unknown>(input!).flatMap(new Count())
      break
    case 'totals':
      readAll<KeyTotals>(input!).flatMap(new CountTotals())
      break
    case 'exactly-once':
      read(input!, 'latest')
        .keyBy((event) => event.key)
        .window(TumblingEventTimeWindows.of('5 s'))
        .aggregate(new CountSum(), withKey)
        .sinkTo(
          write<KeyTotals>(output!, { ...keyed, deliveryGuarantee: 'exactly-once', transactionalIdPrefix: output! }),
        )
      break
    case 'latency':
      // Each topic has one partition, and ends with the last record.
      generated().sinkTo(write<Event>(input!, {}))
      read(input!, end).sinkTo(write<Event>(output!, {}))
      read(output!, end).flatMap(new Latency(Number(skipMs)))
      break
    default:
      throw new RangeError(`Cannot build the job "${job}"`)
  }
  await env.execute(job)
}
