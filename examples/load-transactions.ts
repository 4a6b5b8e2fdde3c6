/**
 * Writes transactions for examples/fraud-detection.ts. Most are small; one user in fifty spends much, and everywhere; one message in a
 * thousand is cut, and so is no transaction.
 *
 *   npx tailrace run examples/load-transactions.ts --kafka.bootstrap localhost:9092 --rate 1000
 *   npx tailrace run examples/load-transactions.ts --records 200000 --rate 20000 --speed 600
 *
 * With `--speed 600` ten minutes of the transactions' own time pass in a second; they begin a day ago then, as Kafka takes no records from the future.
 */
import { type StreamExecutionEnvironment, WatermarkStrategy } from 'tailrace'
import { dataGenSource } from 'tailrace/connectors/datagen'
import { kafkaSink } from 'tailrace/connectors/kafka'
import type { Transaction } from './fraud/detector.ts'
import { kafkaArguments } from './kafka/arguments.ts'

const DAY_MS = 86_400_000
/** Users take turns: so many are there at a time, for so many transactions of all of them together. */
const USERS_AT_A_TIME = 500
const TURN = 20_000
const TURNS = 20

interface Message {
  key: string
  text: string
}

/** Transaction number `index`, in its user's order. */
export function transactionAt(index: number, atMs: number, random: () => number): Transaction {
  const turn = Math.floor(index / TURN) % TURNS
  const user = turn * USERS_AT_A_TIME + Math.floor(random() * USERS_AT_A_TIME)
  const suspect = user % 50 === 0
  return {
    id: `t-${index}`,
    userId: `u-${user}`,
    merchantId: `m-${Math.floor(random() * (suspect ? 100 : 3))}`,
    amount: Math.round(random() ** 3 * (suspect ? 400_000 : 10_000)) / 100,
    timestamp: Math.floor(atMs),
  }
}

function message(transaction: Transaction, random: () => number): Message {
  const text = JSON.stringify(transaction)
  const cut = random() < 0.001
  return { key: transaction.userId, text: cut ? text.slice(0, text.length / 2) : text }
}

export default async function main(env: StreamExecutionEnvironment) {
  const { records, rate = '1000', speed = '1', seed = '0' } = env.parameters
  const startMs = await env.once('start', () => Date.now() - (Number(speed) > 1 ? DAY_MS : 0))
  const stepMs = (1000 / Number(rate)) * Number(speed)
  const source = dataGenSource({
    generate: (index, random) => message(transactionAt(index, startMs + index * stepMs, random), random),
    seed: Number(seed),
    recordsPerSecond: Number(rate),
    ...(records !== undefined && { count: Number(records) }),
  })
  const topic = kafkaSink({
    ...kafkaArguments(env.parameters),
    topic: 'transactions',
    key: (message: Message) => message.key,
    value: (message) => message.text,
  })
  env.fromSource(source, WatermarkStrategy.noWatermarks(), 'transactions').sinkTo(topic).name('transactions')
  await env.execute('load transactions')
}
