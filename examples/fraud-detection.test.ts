import { MiniCluster } from 'tailrace/testing'
import { expect, test } from 'vitest'
import { describeOnKfake } from '../runtime/connectors/kafka/testing/kafka-broker.suite.ts'
import { FRAUD_THRESHOLD, QUIET_MS, type Transaction } from './fraud/detector.ts'

const ofUser = (userId: string, id: string, amount: number, timestamp: number) => {
  const transaction: Transaction = { id, userId, merchantId: 'm', amount, timestamp }
  return { key: userId, value: JSON.stringify(transaction) }
}

for (const p of [1, 2]) {
  describeOnKfake(`fraud detection at parallelism ${p}`, (kafka) => {
    test('alerts, what users have done, and messages that are no transactions, each have a topic', async () => {
      await kafka().createTopic('transactions', 3)
      for (const topic of ['fraud-alerts', 'user-activity', 'transactions-dead-letters'])
        await kafka().createTopic(topic, 1)
      await kafka().produce('transactions', [
        ofUser('ann', 't1', FRAUD_THRESHOLD, 0),
        ofUser('bob', 't2', 5, 0),
        { key: 'ann', value: '{"id":"t3","userId":', partition: 2 },
        { key: null, value: '{"id":"t4"}', partition: 2 },
        ofUser('ann', 't5', 1, 1000),
        ofUser('bob', 't6', 7, 1000 + 2 * QUIET_MS),
      ])
      const cluster = await MiniCluster.start({ slots: p, host: 'worker' })
      try {
        await cluster.runProgram(new URL('./fraud-detection.ts', import.meta.url), {
          parameters: { 'kafka.bootstrap': kafka().bootstrapServers, checkpoints: '100ms', bounded: '' },
          options: { 'parallelism.default': String(p) },
        })
      } finally {
        await cluster.stop()
      }
      const read = async (topic: string) =>
        (await kafka().readCommitted(topic)).map(({ key, value, headers }) => ({
          key: key && String(key),
          value: String(value),
          headers: Object.fromEntries(headers.map((header) => [header.key, String(header.value)])),
        }))
      const values = async (topic: string) => (await read(topic)).map(({ value }) => JSON.parse(value))

      expect(await values('fraud-alerts')).toEqual([{ userId: 'ann', transactionId: 't5', reason: 'total 10001.00' }])
      const activity = await values('user-activity')
      expect(activity).toHaveLength(3)
      for (const one of [
        { userId: 'ann', transactions: 2, total: 10_001, merchants: 1, lastMs: 1000 },
        { userId: 'bob', transactions: 1, total: 5, merchants: 1, lastMs: 0 },
        { userId: 'bob', transactions: 1, total: 7, merchants: 1, lastMs: 1000 + 2 * QUIET_MS },
      ])
        expect(activity).toContainEqual(one)
      const letters = await read('transactions-dead-letters')
      expect(letters.map(({ key, value }) => [key, value])).toEqual([
        ['ann', '{"id":"t3","userId":'],
        [null, '{"id":"t4"}'],
      ])
      const { topic, partition, offset, error } = letters[1]!.headers
      expect({ topic, partition }).toEqual({ topic: 'transactions', partition: '2' })
      expect(Number(offset)).toBe(Number(letters[0]!.headers.offset) + 1)
      expect(error).toMatch(/userId/)
    })
  })
}
