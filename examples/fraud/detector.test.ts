import type { DataStream } from 'tailrace'
import { OperatorHarness } from 'tailrace/testing'
import { expect, test } from 'vitest'
import { alerts, FRAUD_THRESHOLD, FraudDetector, MAX_MERCHANTS, QUIET_MS, type Transaction } from './detector.ts'

/** As the job has it. */
const detector = (transactions: DataStream<Transaction>) =>
  transactions.keyBy((transaction) => transaction.userId).process(new FraudDetector())

async function open() {
  const harness = await OperatorHarness.open(detector)
  let n = 0
  const spend = (userId: string, amount: number, timestamp: number, merchantId = 'm') => {
    harness.processElement({ id: `t${++n}`, userId, merchantId, amount, timestamp }, timestamp)
  }
  return { harness, spend }
}

test('the transaction that takes the total above the threshold raises an alert, the next ones none', async () => {
  const { harness, spend } = await open()
  spend('ann', FRAUD_THRESHOLD, 1)
  spend('bob', 1, 1)
  expect(harness.take(alerts)).toEqual([])
  spend('ann', 0.5, 2)
  spend('ann', 5000, 3)
  expect(harness.take(alerts)).toEqual([{ userId: 'ann', transactionId: 't3', reason: 'total 10000.50' }])
  await harness.close()
})

test('so does the merchant that is one too many', async () => {
  const { harness, spend } = await open()
  for (let i = 0; i < MAX_MERCHANTS; i++) spend('ann', 1, i, `m${i}`)
  spend('ann', 1, 5, 'm0')
  expect(harness.take(alerts)).toEqual([])
  spend('ann', 1, 6, 'another')
  spend('ann', 1, 7, 'another')
  spend('ann', 1, 8, 'one more')
  expect(harness.take(alerts)).toEqual([{ userId: 'ann', transactionId: 't7', reason: '6 merchants' }])
  await harness.close()
})

test('after a quiet hour comes what the user has done, and everything begins anew', async () => {
  const { harness, spend } = await open()
  spend('ann', 9000, 0, 'a')
  spend('ann', 900, 1000, 'b')
  // Out of order: the hour is that after the latest.
  spend('ann', 50, 500, 'b')
  harness.processWatermark(1000 + QUIET_MS - 1)
  expect(harness.values).toEqual([])
  harness.processWatermark(1000 + QUIET_MS)
  expect(harness.take()).toEqual([{ userId: 'ann', transactions: 3, total: 9950, merchants: 2, lastMs: 1000 }])
  spend('ann', 9000, 2 * QUIET_MS, 'a')
  expect(harness.take(alerts)).toEqual([])
  await harness.endInput()
  expect(harness.values).toEqual([{ userId: 'ann', transactions: 1, total: 9000, merchants: 1, lastMs: 2 * QUIET_MS }])
  await harness.close()
})

test('a transaction after the hour begins anew, also before the watermark has come so far', async () => {
  const { harness, spend } = await open()
  spend('ann', 9000, 0)
  spend('ann', 9000, QUIET_MS + 1)
  expect(harness.take()).toEqual([{ userId: 'ann', transactions: 1, total: 9000, merchants: 1, lastMs: 0 }])
  expect(harness.take(alerts)).toEqual([])
  harness.processWatermark(QUIET_MS + 1)
  expect(harness.values).toEqual([])
  await harness.close()
})

test('what nobody asks for is forgotten after a day of the clock', async () => {
  const { harness, spend } = await open()
  spend('ann', 9000, 0)
  harness.advance(23 * QUIET_MS)
  spend('ann', 500, 1)
  harness.advance(23 * QUIET_MS)
  spend('ann', 501, 2)
  expect(harness.take(alerts)).toHaveLength(1)
  harness.advance(24 * QUIET_MS)
  spend('ann', 9000, 3)
  expect(harness.take(alerts)).toEqual([])
  await harness.close()
})

test('a restored detector knows what it knew', async () => {
  const { harness, spend } = await open()
  for (let i = 0; i < MAX_MERCHANTS; i++) spend('ann', 2000, i, `m${i}`)
  const restore = await harness.snapshot()
  await harness.close()
  const after = await OperatorHarness.open(detector, { parallelism: 2, restore })
  after.processElement({ id: 'next', userId: 'ann', merchantId: 'another', amount: 1, timestamp: 9 }, 9)
  expect(after.getSideOutput(alerts).map(({ reason }) => reason)).toEqual(['total 10001.00', '6 merchants'])
  after.processWatermark(9 + QUIET_MS)
  expect(after.values).toHaveLength(1)
  await after.close()
})
