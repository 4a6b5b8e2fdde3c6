/** The job under chaos in its next version: with another source, another operator with state, and the state of all that it had before. */
import { type StreamExecutionEnvironment, WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'
import original from '../chaos/job.ts'

export default async function main(env: StreamExecutionEnvironment) {
  env
    .fromSource(dataGenSource({ generate: (i) => i, count: 1000 }), WatermarkStrategy.noWatermarks(), 'more')
    .uid('more')
    .keyBy((n) => n % 3)
    .reduce((a, b) => a + b)
    .uid('more-sums')
    .filter(() => false)
    .uid('nothing')
    .print()
  await original(env)
}
