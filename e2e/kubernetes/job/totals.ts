/**
 * The job of the scenarios: adds up amounts by key, from one topic into another, exactly once. Each record of the input gives one line of the output, `KEY N SUM`, where N counts the records of its key from 1: so what is lost,
 * doubled or begun anew is seen in the output alone. Parameters: `in`, `out` (topics), `prefix` (of transactions).
 */
import { type DataStream, type StreamExecutionEnvironment, WatermarkStrategy } from 'tailrace'
import { kafkaSink, kafkaSource } from 'tailrace/connectors/kafka'
import { json } from 'tailrace/formats/json'
import { rawString } from 'tailrace/formats/raw'

interface Amount {
  key: string
  amount: number
}

interface Total {
  key: string
  n: number
  sum: number
}

type Lines = DataStream<string>

/** @param also what a later version does with each line */
export default async function main(env: StreamExecutionEnvironment, also: (lines: Lines) => Lines = (lines) => lines) {
  const { in: topics, out: topic, prefix = 'totals' } = env.parameters
  if (topics === undefined || topic === undefined) throw new Error('Cannot run: --in and --out are wanted')
  const lines = env
    .fromSource(kafkaSource({ topics, value: json<Amount>() }), WatermarkStrategy.noWatermarks(), 'amounts')
    .uid('amounts')
    .map(({ key, amount }): Total => ({ key, n: 1, sum: amount }))
    .uid('ones')
    .keyBy((total) => total.key)
    .reduce((a, b) => ({ key: a.key, n: a.n + b.n, sum: a.sum + b.sum }))
    .uid('totals')
    .map(({ key, n, sum }) => `${key} ${n} ${sum}`)
    .uid('lines')
  also(lines)
    .sinkTo(
      kafkaSink<string>({
        topic,
        value: rawString(),
        deliveryGuarantee: 'exactly-once',
        transactionalIdPrefix: prefix,
      }),
    )
    .uid('out')
  await env.execute('totals')
}
