/** What the committer makes of a coordinator's answers, and of none. */
import { expect, test } from 'vitest'
import type { CommitRequest } from '../../../core/sink.ts'
import { CODE } from '../client/codes.ts'
import { brokenConnection, FakeClient } from '../testing/fake-client.suite.ts'
import { KafkaCommitter } from './committer.ts'
import { type Producer, type TransactionHandle, Transactions } from './transactions.ts'

const handleOf = (transactionalId: string): TransactionHandle => ({ transactionalId, producerId: '7', epoch: 3 })

interface Asked extends CommitRequest<TransactionHandle> {
  signals: [name: string, reason: any][]
}

function requestOf(transactionalId: string, checkpointId = 1): Asked {
  const signals: Asked['signals'] = []
  const signal = (name: string) => (reason?: unknown) => void signals.push([name, reason])
  return {
    committable: handleOf(transactionalId),
    checkpointId,
    retries: 0,
    signals,
    alreadyCommitted: signal('already'),
    retryLater: signal('later'),
    updateAndRetryLater: signal('updated'),
    failedWithKnownReason: signal('lost'),
  }
}

/** A committer whose coordinator answers EndTxn by the id: a code, or an error of the connection. */
function committerOn(answers: Record<string, number | Error>, transactions?: Transactions) {
  const client = new FakeClient()
  const asked: any[] = []
  let looked = 0
  client.onCall = async (node, api, args) => {
    if (api === 'GroupCoordinator') return ++looked
    asked.push({ node, ...args })
    const answer = answers[args.transactionalId] ?? 0
    if (typeof answer === 'number') return { errorCode: answer }
    throw answer
  }
  return { client, committer: new KafkaCommitter(client, () => transactions), asked, looked: () => looked }
}

test('each transaction is committed as its handle says', async () => {
  const { committer, asked } = committerOn({})
  const requests = [requestOf('p-0-0'), requestOf('p-0-1')]
  await committer.commit(requests)
  expect(asked).toEqual(
    ['p-0-0', 'p-0-1'].map((transactionalId) => ({
      node: expect.any(Number),
      transactionalId,
      producerId: '7',
      producerEpoch: 3,
      transactionResult: true,
    })),
  )
  expect(requests.flatMap(({ signals }) => signals)).toEqual([])
})

test.each([47, 49, 59, 90, CODE.INVALID_TXN_STATE])(
  'what can never be committed any more (%i) is told as lost, with its id, and not thrown',
  async (code) => {
    const { committer } = committerOn({ 'p-0-0': code })
    const [lost, fine] = [requestOf('p-0-0'), requestOf('p-0-1')]
    await committer.commit([lost, fine])
    expect(lost.signals).toEqual([
      [
        'lost',
        expect.stringMatching(
          new RegExp(`^the transaction of "p-0-0" \\(producer 7, epoch 3\\) was taken over.*\\(${code}\\)$`),
        ),
      ],
    ])
    expect(fine.signals).toEqual([])
  },
)

test.each<[string, number | Error, string, RegExp]>([
  ['a coordinator that has moved', 16, 'TR-KAFKA-007', /NOT_COORDINATOR.*\(16\)/],
  ['a connection that broke', brokenConnection(), 'TR-KAFKA-003', /the broker at kafka:9092 cannot be reached/],
])('%s is asked again later, where it is by then', async (_what, answer, code, text) => {
  const answers: Record<string, number | Error> = { 'p-0-0': answer }
  const { committer, asked, looked } = committerOn(answers)
  const request = requestOf('p-0-0')
  await committer.commit([request])
  expect(request.signals).toEqual([
    [
      'later',
      expect.objectContaining({
        code,
        message: expect.stringMatching(/^Cannot commit the transaction of "p-0-0" \(producer 7, epoch 3\): /),
      }),
    ],
  ])
  expect(request.signals[0]![1].message).toMatch(text)
  answers['p-0-0'] = 0
  const again = requestOf('p-0-0')
  await committer.commit([again])
  expect([again.signals, looked(), asked.map(({ node }) => node)]).toEqual([[], 2, [1, 2]])
})

test('a coordinator that is just ending it is asked again within milliseconds, and in the end later', async () => {
  const answers: Record<string, number> = { 'p-0-0': CODE.CONCURRENT_TRANSACTIONS }
  const { client, committer } = committerOn(answers)
  const request = requestOf('p-0-0')
  const committed = committer.commit([request])
  await client.pass(50)
  answers['p-0-0'] = 0
  await client.pass(10)
  await committed
  expect(request.signals).toEqual([])
  answers['p-0-0'] = CODE.CONCURRENT_TRANSACTIONS
  const later = committer.commit([request])
  await client.pass(10_000)
  await later
  expect(request.signals).toMatchObject([
    ['later', { message: expect.stringContaining('CONCURRENT_TRANSACTIONS (51)') }],
  ])
})

test('a right that is missing fails the job at once', async () => {
  const { committer } = committerOn({ 'p-0-0': CODE.TRANSACTIONAL_ID_AUTHORIZATION_FAILED })
  await expect(committer.commit([requestOf('p-0-0')])).rejects.toMatchObject({
    code: 'TR-KAFKA-005',
    message: expect.stringContaining('"p-0-0"'),
  })
})

test('an id is used again only when its transaction was committed, and a later checkpoint is complete', async () => {
  const made: string[] = []
  const begin = async (nextId: () => string): Promise<Producer> => {
    const transactionalId = nextId()
    made.push(transactionalId)
    return { transactionalId, producerId: 7n, epoch: 3, sequences: new Map() }
  }
  const transactions = new Transactions({ prefix: 'p', generation: undefined, subtask: 0, parallelism: 1, begin })
  const answers: Record<string, number | Error> = { 'p-0-0': brokenConnection() }
  const { committer } = committerOn(answers, transactions)
  const prepare = async (checkpointId: number) => {
    transactions.prepare(transactions.begin().then(({ transactionalId }) => handleOf(transactionalId!)))
    const { handles } = await transactions.snapshot(checkpointId)
    return handles.map(({ transactionalId }) => transactionalId)
  }
  expect(await prepare(1)).toEqual(['p-0-0'])
  await committer.commit([requestOf('p-0-0', 1)])
  // It was not committed: the next checkpoint has it still.
  expect(await prepare(2)).toEqual(['p-0-0', 'p-0-1'])
  answers['p-0-0'] = 0
  await committer.commit([requestOf('p-0-0', 1)])
  await committer.commit([requestOf('p-0-1', 2)])
  expect(await prepare(3)).toEqual(['p-0-2'])
  await committer.commit([requestOf('p-0-2', 3)])
  expect(made).toEqual(['p-0-0', 'p-0-1', 'p-0-2'])
  await prepare(4)
  expect(made.at(-1)).toBe('p-0-0')
})
