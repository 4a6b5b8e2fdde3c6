/** What is asked for again, and what is not: a request that nobody has answered may be executed later than its repetition, and fence that. */
import { expect, test } from 'vitest'
import { CODE } from '../client/codes.ts'
import { brokenConnection, FakeClient } from '../testing/fake-client.suite.ts'
import { initFirstAnswered, initProducer } from './requests.ts'

type Outcome = 'no coordinator' | 'no connection' | 'not answered' | 'busy' | 'moved' | 'refused' | 'answered'

/** A client that meets these, one after the other; what InitProducerId was sent for, and what was. */
function clientThatMeets(...outcomes: Outcome[]) {
  const client = new FakeClient()
  const sent: string[] = []
  const breakAt = (place: Outcome) => {
    if (outcomes[0] !== place) return
    outcomes.shift()
    throw brokenConnection()
  }
  client.onCall = async (_node, api, { transactionalId }) => {
    if (api === 'GroupCoordinator') {
      breakAt('no coordinator')
      return 1
    }
    sent.push(transactionalId)
    const outcome = outcomes.shift()
    if (outcome === 'not answered') throw brokenConnection()
    const codes: Partial<Record<Outcome, number>> = {
      busy: CODE.CONCURRENT_TRANSACTIONS,
      moved: 16, // NOT_COORDINATOR
      refused: CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
    return { errorCode: codes[outcome!] ?? 0, producerId: '7', producerEpoch: 3 }
  }
  client.onConnect = async () => breakAt('no connection')
  return { client, sent }
}

test.each<[outcomes: Outcome[], sent: string[]]>([
  [['answered'], ['id-0']],
  [
    ['busy', 'moved', 'answered'],
    ['id-0', 'id-0', 'id-0'],
  ],
  [['no coordinator', 'no connection', 'answered'], ['id-0']],
  [
    ['not answered', 'answered'],
    ['id-0', 'id-1'],
  ],
  [
    ['busy', 'not answered', 'no connection', 'not answered', 'answered'],
    ['id-0', 'id-0', 'id-1', 'id-2'],
  ],
])('when it meets %j, a transaction is begun with requests for %j', async (outcomes, expected) => {
  const { client, sent } = clientThatMeets(...outcomes)
  let n = 0
  const begun = initFirstAnswered(client, () => `id-${n++}`, 60_000)
  await client.pass(10_000)
  expect(await begun).toMatchObject({ transactionalId: expected.at(-1), producerId: 7n, epoch: 3 })
  expect(sent).toEqual(expected)
})

test('a right that is missing is told of at once, with the id', async () => {
  const { client } = clientThatMeets('refused')
  await expect(initFirstAnswered(client, () => 'id-0', 60_000)).rejects.toMatchObject({
    code: 'TR-KAFKA-005',
    message: expect.stringContaining('"id-0"'),
  })
})

test('an id is taken over by as many requests as it takes, and who asked hears of those without an answer', async () => {
  const { client, sent } = clientThatMeets('no connection', 'not answered', 'busy', 'not answered', 'answered')
  let unanswered = 0
  const taken = initProducer(client, 'theirs', 60_000, () => void unanswered++)
  await client.pass(10_000)
  expect(await taken).toMatchObject({ transactionalId: 'theirs' })
  expect([sent.length, unanswered]).toEqual([4, 2])
})

test('a task that ends takes over nothing more', async () => {
  const { client, sent } = clientThatMeets('not answered', 'answered')
  const closing = new AbortController()
  const taken = initProducer(client, 'theirs', 60_000, () => closing.abort(), closing.signal)
  void taken.catch(() => {})
  await client.pass(10_000)
  expect(sent).toEqual(['theirs'])
  await client.close()
  await expect(taken).rejects.toMatchObject({ code: 'TR-KAFKA-003' })
})
