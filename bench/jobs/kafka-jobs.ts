/** The jobs that read and write Kafka, written with the public API: one program, `--job` picks the shape. */
import { type StreamExecutionEnvironment, TumblingEventTimeWindows, WatermarkStrategy } from 'tailrace'
import { type KafkaSinkOptions, kafkaSink, kafkaSource, type StoppingOffsets } from 'tailrace/connectors/kafka'
import { json } from 'tailrace/formats/json'
import type { Event } from '../event.ts'
import { EventSource } from '../event-source.ts'
import { Count, CountSum, type KeyTotals, Latency, withKey } from './functions.ts'

/** So that a record is 100 bytes of JSON. */
const PAYLOAD_CHARS = 42

export default async function main(env: StreamExecutionEnvironment) {
  const { job, servers, input, output, records, rate = '0', skipMs = '0' } = env.parameters as Record<string, string>
  env.setParallelism(2)
  const strategy = WatermarkStrategy.forMonotonousTimestamps<Event>().withTimestampAssigner((event) => event.ts)
  const generated = () => {
    const options = { records: Number(records), keys: 10_000, splits: 2, eventRate: 1_000_000, rate: Number(rate) }
    return env
      .fromSource(new EventSource(options), strategy, 'events')
      .map(({ ts, key, value, payload }) => ({ ts, key, value, payload: payload.slice(0, PAYLOAD_CHARS) }))
  }
  const read = (topics: string, bounded: StoppingOffsets) =>
    env.fromSource(
      kafkaSource<Event>({ bootstrapServers: servers!, topics, value: json<Event>(), bounded }),
      strategy,
      topics,
    )
  const write = <T>(topic: string, more: Partial<KafkaSinkOptions<T>>) =>
    kafkaSink<T>({ bootstrapServers: servers!, topic, value: json<T>(), ...more })
  const keyed = { key: ({ key }: { key: number }) => key }
  const end = { offsets: Object.fromEntries([input, output].map((topic) => [topic, { 0: Number(records) }])) }
  switch (job) {
    case 'out':
      generated().sinkTo(write<Event>(output!, keyed))
      break
    case 'in':
      env
        .fromSource(
          kafkaSource<unknown>({
            bootstrapServers: servers!,
            topics: input!,
            value: json<unknown>(),
            bounded: 'latest',
          }),
          WatermarkStrategy.noWatermarks(),
          input!,
        )
        .flatMap(new Count())
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
