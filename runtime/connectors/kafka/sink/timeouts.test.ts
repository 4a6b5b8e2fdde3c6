import { expect, test } from 'vitest'
import { type TransactionTimes, transactionTimeout } from './timeouts.ts'

const MINUTE = 60_000
const times = (givenMs?: number, brokerMaxMs?: number, interval = 10_000, timeout = 10 * MINUTE): TransactionTimes => ({
  givenMs,
  brokerMaxMs,
  checkpoints: { intervalMs: interval, timeoutMs: timeout },
})

test.each<[string, TransactionTimes, number, boolean]>([
  ['interval, time-out and five minutes', times(undefined, 60 * MINUTE, MINUTE), 16 * MINUTE, false],
  ["no more than the brokers' maximum", times(undefined, 15 * MINUTE, MINUTE), 15 * MINUTE, false],
  [
    'their standard maximum, when they do not tell',
    times(undefined, undefined, (30 * MINUTE) / 10, 20 * MINUTE),
    15 * MINUTE,
    true,
  ],
  ['what the user says', times(12 * MINUTE, 15 * MINUTE, MINUTE), 12 * MINUTE, false],
  ['what the user says, too short for a slow checkpoint', times(2 * MINUTE, 15 * MINUTE, MINUTE), 2 * MINUTE, true],
  ['exactly interval and time-out is not enough', times(11 * MINUTE, 15 * MINUTE, MINUTE), 11 * MINUTE, true],
  ['a maximum below what a checkpoint may take', times(undefined, 5 * MINUTE, MINUTE), 5 * MINUTE, true],
  [
    'an hour without checkpoints',
    { givenMs: undefined, brokerMaxMs: 120 * MINUTE, checkpoints: undefined },
    60 * MINUTE,
    false,
  ],
  [
    "without checkpoints, the brokers' maximum",
    { givenMs: undefined, brokerMaxMs: 15 * MINUTE, checkpoints: undefined },
    15 * MINUTE,
    false,
  ],
  [
    'without checkpoints, what the user says',
    { givenMs: 9, brokerMaxMs: 15 * MINUTE, checkpoints: undefined },
    9,
    false,
  ],
])('%s', (_what, given, timeoutMs, warned) => {
  const found = transactionTimeout(given)
  expect([found.timeoutMs, found.warning !== undefined]).toEqual([timeoutMs, warned])
})

test('a warning has the numbers, and what is safe', () => {
  expect(transactionTimeout(times(2 * MINUTE, undefined, MINUTE)).warning).toBe(
    'Transactions of Kafka may be given up before they are committed: a checkpoint may take 60000 ms (execution.checkpointing.interval) and ' +
      '600000 ms (execution.checkpointing.timeout) to complete, and transaction.timeout.ms is 120000. More than 660000 is safe',
  )
})

test.each<[TransactionTimes, string]>([
  [
    times(16 * MINUTE, 15 * MINUTE),
    'Cannot use transaction.timeout.ms 960000: the brokers allow 900000 (transaction.max.timeout.ms)',
  ],
  [
    times(MINUTE, undefined, MINUTE),
    'is open for a checkpoint interval, 60000 ms (execution.checkpointing.interval), but transaction.timeout.ms is 60000',
  ],
  [
    times(undefined, 15 * MINUTE, 20 * MINUTE),
    'but the brokers allow 900000 (transaction.max.timeout.ms); wanted is more than 1800000',
  ],
])('what cannot work is refused: %j', (given, text) => {
  expect(() => transactionTimeout(given)).toThrow(
    expect.objectContaining({ code: 'TR-KAFKA-011', message: expect.stringContaining(text) }),
  )
})
