/** Tries that fail: how long they go on, what is forgotten between them, and what the user is told. */
import { expect, test } from 'vitest'
import { brokenConnection, FakeClient } from '../testing/fake-client.suite.ts'
import { CODE, KafkaProtocolError } from './codes.ts'

/** Fails so often, then gives its number. */
function failing(times: number, error: () => unknown): { attempt(): Promise<number>; tries: number } {
  const counted = {
    tries: 0,
    async attempt() {
      if (++counted.tries <= times) throw error()
      return counted.tries
    },
  }
  return counted
}

test('a try that fails in a way that may pass comes again after a pause that grows, and what was known is forgotten', async () => {
  const client = new FakeClient({ 'retry.backoff.ms': 100, 'retry.backoff.max.ms': 350 })
  const { clock } = client
  const triedAtMs: number[] = []
  let stale = 0
  const counted = failing(5, brokenConnection)
  const found = client.retrying(
    'do it',
    () => {
      triedAtMs.push(clock.monotonic())
      return counted.attempt()
    },
    () => stale++,
  )
  await client.pass(10_000)
  expect(await found).toBe(6)
  expect(triedAtMs).toEqual([0, 100, 300, 650, 1000, 1350])
  expect(stale).toBe(5)
})

test('tries end after default.api.timeout.ms, with what was said last', async () => {
  const client = new FakeClient({ 'default.api.timeout.ms': 1000 })
  const failed = client.retrying('do it', failing(99, brokenConnection).attempt).catch((error) => error)
  await client.pass(5_000)
  expect(await failed).toMatchObject({
    code: 'TR-KAFKA-003',
    message: 'Cannot do it: the broker at kafka:9092 cannot be reached (after 5 tries): connect ECONNREFUSED',
  })
})

test('a refusal that no other try changes ends them at once', async () => {
  const client = new FakeClient()
  const refused = failing(99, () => new KafkaProtocolError(CODE.TOPIC_AUTHORIZATION_FAILED, 'topic "t"'))
  await expect(client.retrying('do it', refused.attempt)).rejects.toMatchObject({ code: 'TR-KAFKA-005' })
  expect(refused.tries).toBe(1)
})

test('a transaction that is just being ended is a matter of milliseconds, and makes nothing stale', async () => {
  const client = new FakeClient()
  let stale = 0
  const busy = failing(3, () => new KafkaProtocolError(CODE.CONCURRENT_TRANSACTIONS, 'it'))
  const found = client.retrying('do it', busy.attempt, () => stale++)
  await client.pass(30)
  expect(await found).toBe(4)
  expect(stale).toBe(0)
})

test('tries that go on for seconds are told of, once', async () => {
  const client = new FakeClient({ 'retry.backoff.max.ms': 500 })
  const found = client.retrying('find topic "clicks"', failing(30, brokenConnection).attempt)
  await client.pass(4_900)
  expect(client.warnings).toEqual([])
  await client.pass(30_000)
  await found
  expect(client.warnings).toEqual([
    expect.stringMatching(
      /^Cannot find topic "clicks": the broker at kafka:9092 cannot be reached \(after \d+ tries\): connect ECONNREFUSED\. Trying on, for 55 s at most$/,
    ),
  ])
})

test('a client that is closed tries no more', async () => {
  const client = new FakeClient()
  const counted = failing(99, brokenConnection)
  const failed = client.retrying('do it', counted.attempt).catch((error) => error)
  await client.pass(50)
  await client.close()
  expect(await failed).toMatchObject({ code: 'TR-KAFKA-003' })
  expect(counted.tries).toBe(1)
})
