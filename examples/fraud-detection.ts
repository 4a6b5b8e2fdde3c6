/**
 * Watches the transactions of each user, from a topic of Kafka. A user who spends more than 10,000, or at more than 5 merchants, without a
 * quiet hour in between raises an alert: those go to a side output, and exactly once to a topic. After a quiet hour what the user has done
 * goes to another topic. Messages that are no transactions go to a third one as they came, with where they came from.
 *
 *   npx tailrace run examples/fraud-detection.ts --kafka.bootstrap localhost:9092
 *   npx tailrace run examples/fraud-detection.ts --checkpoints 5s --bounded
 *
 * docs/kafka-examples.md makes the topics and the transactions: examples/load-transactions.ts.
 */
import { OutputTag, type StreamExecutionEnvironment, types, WatermarkStrategy } from 'tailrace'
import { type BadKafkaRecord, kafkaSink, kafkaSource } from 'tailrace/connectors/kafka'
import { json } from 'tailrace/formats/json'
import { type Activity, type Alert, alerts, FraudDetector, type Transaction } from './fraud/detector.ts'
import { kafkaArguments } from './kafka/arguments.ts'

export const transaction = json<Transaction>({
  schema: types.row({
    id: types.string,
    userId: types.string,
    merchantId: types.string,
    amount: types.number,
    timestamp: types.number,
  }),
})

const unreadable = new OutputTag<BadKafkaRecord>('unreadable')

const inOrder = WatermarkStrategy.forBoundedOutOfOrderness<Transaction>('30s')
  .withTimestampAssigner((transaction) => transaction.timestamp)
  .withIdleness('1 min')

export default async function main(env: StreamExecutionEnvironment) {
  const { checkpoints = '60s', bounded } = env.parameters
  const { properties, ...cluster } = kafkaArguments(env.parameters)
  env.enableCheckpointing(checkpoints)
  env
    .getCheckpointConfig()
    .setCheckpointTimeout('2 min')
    .setTolerableCheckpointFailureNumber(3)
    .setExternalizedCheckpointRetention('RETAIN_ON_CANCELLATION')

  const source = kafkaSource({
    ...cluster,
    topics: 'transactions',
    groupId: 'fraud-detection',
    startingOffsets: { committed: 'earliest' },
    ...(bounded !== undefined && { bounded: 'latest' as const }),
    value: transaction,
    onError: unreadable,
    properties: { 'partition.discovery.interval.ms': 30_000, ...properties },
  })
  const transactions = env.fromSource(source, inOrder, 'transactions').uid('transactions')
  const activity = transactions
    .keyBy((transaction) => transaction.userId)
    .process(new FraudDetector())
    .name('fraud detector')
    .uid('fraud-detector')

  const written = { ...cluster, properties: { 'compression.type': 'lz4', ...properties } }
  activity
    .getSideOutput(alerts)
    .sinkTo(
      kafkaSink({
        ...written,
        topic: 'fraud-alerts',
        key: (alert: Alert) => alert.userId,
        value: json<Alert>(),
        deliveryGuarantee: 'exactly-once',
        transactionalIdPrefix: 'fraud-alerts',
      }),
    )
    .name('alerts')
    .uid('fraud-alerts')
  activity
    .sinkTo(
      kafkaSink({
        ...written,
        topic: 'user-activity',
        key: ({ userId, lastMs }: Activity) => `${userId} ${lastMs}`,
        value: json<Activity>(),
      }),
    )
    .name('activity')
    .uid('user-activity')
  transactions
    .getSideOutput(unreadable)
    .sinkTo(
      kafkaSink({
        ...written,
        topic: 'transactions-dead-letters',
        key: (bad: BadKafkaRecord) => bad.key,
        value: (bad) => bad.value,
        headers: ({ topic, partition, offset, error }) => ({
          topic,
          partition: String(partition),
          offset: String(offset),
          error,
        }),
      }),
    )
    .name('dead letters')
    .uid('dead-letters')

  await env.execute('fraud detection')
}
