/**
 * Adds up numbers by key, for as long as it is let. Parameters: `rate` (numbers per second), `hog` (megabytes that each number leaves behind, outside of the heap), `fails` (throws at this number, each
 * time).
 */
import { type StreamExecutionEnvironment, WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'

const KEYS = 10

export default async function main(env: StreamExecutionEnvironment) {
  const { rate = '1000', hog, fails } = env.parameters
  const held: Buffer[] = []
  env
    .fromSource(
      dataGenSource({ generate: (index) => index, recordsPerSecond: Number(rate) }),
      WatermarkStrategy.noWatermarks(),
      'numbers',
    )
    .uid('numbers')
    .keyBy((n) => n % KEYS)
    .reduce((a, b) => a + b)
    .uid('sums')
    .filter((sum) => {
      if (hog !== undefined) held.push(Buffer.alloc(Number(hog) * 2 ** 20, 1))
      if (fails !== undefined && sum >= Number(fails)) throw new Error(`the sum is ${sum}`)
      return false
    })
    .uid('held')
    .print()
  await env.execute('counting')
}
