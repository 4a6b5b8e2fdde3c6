/**
 * What the sender promises, on brokers that fail: order, nothing twice and nothing lost, one request at a time, and an end to tries.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CODE } from '../client/codes.ts'
import type { ProducedPartition, ProduceRequest } from '../client/produce.ts'
import { RecordCursor } from '../records/cursor.ts'
import { BASE_SEQUENCE, PRODUCER_EPOCH, RECORD_COUNT } from '../records/layout.ts'
import { brokenConnection, FakeClient, settled } from '../testing/fake-client.suite.ts'
import { newSession, Sender, type SenderSettings, type Session } from './sender.ts'
import type { Producer } from './transactions.ts'

const SETTINGS: SenderSettings = {
  acks: -1,
  compression: 'none',
  batchBytes: 10_000,
  requestBytesMax: 100_000,
  deliveryTimeoutMs: 5_000,
  requestTimeoutMs: 1_000,
}

const NOT_LEADER = 6
const NOT_COORDINATOR = 16

interface Sent {
  node: number
  transactionalId: string | null
  /** `topic-partition: first sequence: values`. */
  batches: string[]
  answer(errorCodes?: Record<string, number>): Promise<void>
  fail(error?: Error): Promise<void>
}

function valuesOf(bytes: Buffer): string[] {
  const cursor = new RecordCursor('a batch', 0, true)
  // A copy: the sender uses its memory again.
  cursor.open(Buffer.from(bytes), undefined)
  const values: string[] = []
  while (cursor.next()) values.push(cursor.bytes.toString('utf8', cursor.valueStart, cursor.valueEnd))
  return values
}

/** A sender, its ports, and what came of it. */
class Driven {
  readonly client: FakeClient
  readonly sender: Sender
  readonly requests: Sent[] = []
  readonly failures: any[] = []
  readonly drained: Session[] = []
  taken = 0

  /** On a topic "t", whose partitions have these leaders, and they are known. */
  static async on(leaders: number[], settings: Partial<SenderSettings> = {}): Promise<Driven> {
    const client = new FakeClient()
    client.leaders = { t: leaders }
    await client.topic('t')
    return new Driven(client, leaders.length, settings)
  }

  private constructor(client: FakeClient, partitions: number, settings: Partial<SenderSettings>) {
    this.client = client
    this.client.onProduce = (node, request) => this.#requested(node, request)
    this.sender = new Sender(
      this.client,
      { ...SETTINGS, ...settings },
      {
        clock: this.client.clock,
        answered() {},
        fail: (error) => {
          this.failures.push(error)
          // As the writer is closed then.
          this.sender.close()
        },
        taken: (bytes) => (this.taken += bytes),
        drained: (session) => this.drained.push(session),
      },
    )
    this.sender.setPartitions('t', partitions)
  }

  write(session: Session, partition: number, ...values: string[]): void {
    for (const value of values) this.sender.append(session, 't', partition, null, value, undefined, 0)
    this.sender.closeAll()
  }

  /** Of the requests so far, what is in them. */
  get seen(): string[][] {
    return this.requests.map(({ batches }) => batches)
  }

  #requested(node: number, { batches, transactionalId }: ProduceRequest): Promise<ProducedPartition[]> {
    const { promise, resolve, reject } = Promise.withResolvers<ProducedPartition[]>()
    const parts = batches.map(({ topic, partition }) => ({ topic, partition, id: `${topic}-${partition}` }))
    this.requests.push({
      node,
      transactionalId,
      batches: batches.map(
        ({ partition, bytes }) => `${partition}: ${bytes.readInt32BE(BASE_SEQUENCE)}: ${valuesOf(bytes).join(' ')}`,
      ),
      answer: async (codes = {}) => {
        resolve(parts.map(({ id, ...place }) => ({ ...place, errorCode: codes[id] ?? 0, baseOffset: 0 })))
        await settled()
      },
      fail: async (error = brokenConnection()) => {
        reject(error)
        await settled()
      },
    })
    return promise
  }
}

const producerOf = (transactionalId: string | null = null): Producer => ({
  transactionalId,
  producerId: 7n,
  epoch: 3,
  sequences: new Map(),
})
const sessionOf = (transactionalId: string | null = null) => newSession(Promise.resolve(producerOf(transactionalId)))

describe('requests', () => {
  test('one is under way to each broker, with the oldest batch of each of its partitions; what comes meanwhile is in the next', async () => {
    const driven = await Driven.on([1, 1, 2])
    const session = sessionOf()
    for (const partition of [0, 1, 2]) driven.write(session, partition, `a${partition}`)
    await settled()
    expect(driven.requests.map(({ node }) => node)).toEqual([1, 2])
    // The first went out before the second partition had anything.
    expect(driven.seen).toEqual([['0: 0: a0'], ['2: 0: a2']])
    for (const partition of [0, 1]) driven.write(session, partition, `b${partition}`)
    await settled()
    expect(driven.requests).toHaveLength(2)
    await driven.requests[0]!.answer()
    expect(driven.seen.slice(2)).toEqual([['0: 1: b0', '1: 0: a1']])
    await driven.requests[2]!.answer()
    expect(driven.seen.slice(3)).toEqual([['1: 1: b1']])
  })

  test('are no larger than max.request.size, but for a batch that is larger itself', async () => {
    const driven = await Driven.on([1, 1, 1], { requestBytesMax: 300 })
    const session = sessionOf()
    const large = 'x'.repeat(400)
    driven.write(session, 0, 'first')
    for (const partition of [0, 1, 2]) driven.write(session, partition, partition === 1 ? large : 'small')
    await settled()
    await driven.requests[0]!.answer()
    expect(driven.seen[1]).toEqual(['0: 1: small', '2: 0: small'])
    await driven.requests[1]!.answer()
    expect(driven.seen[2]).toEqual([`1: 0: ${large}`])
  })

  test('an open batch is sent when it is full, or due, and not before', async () => {
    const driven = await Driven.on([1], { batchBytes: 200 })
    const session = sessionOf()
    const append = (value: string) => driven.sender.append(session, 't', 0, null, value, undefined, 0)
    expect(append('a')).toBe('begun')
    expect(append('b')).toBe('goes on')
    await settled()
    expect(driven.requests).toEqual([])
    driven.sender.due()
    await settled()
    expect(driven.seen).toEqual([['0: 0: a b']])
    expect(append('c')).toBe('begun')
    expect(append('x'.repeat(200))).toBe('closed')
    await driven.requests[0]!.answer()
    expect(driven.seen[1]![0]).toMatch(/^0: 2: c x+$/)
  })

  test('hold batches of one session only, the older one first', async () => {
    const driven = await Driven.on([1, 1])
    const [one, two] = [sessionOf('one'), sessionOf('two')]
    driven.client.onCall = async (_node, api) => (api === 'GroupCoordinator' ? 9 : { errors: [] })
    driven.write(one, 0, 'a')
    await settled()
    driven.write(two, 0, 'b')
    await driven.client.pass(1)
    driven.write(one, 1, 'c')
    await driven.requests[0]!.answer()
    await driven.requests[1]!.answer()
    await driven.requests[2]!.answer()
    expect(driven.requests.map(({ transactionalId, batches }) => [transactionalId, ...batches])).toEqual([
      ['one', '0: 0: a'],
      ['two', '0: 0: b'],
      ['one', '1: 0: c'],
    ])
    expect(driven.drained).toEqual([two, one])
  })
})

describe('a try that fails', () => {
  test.each<[string, (sent: Sent) => Promise<void>]>([
    ['the leader has moved', (sent) => sent.answer({ 't-0': NOT_LEADER })],
    ['the connection broke', (sent) => sent.fail()],
  ])('comes again to the new leader, the same bytes before any other: %s', async (_what, fail) => {
    const driven = await Driven.on([1])
    const session = sessionOf()
    driven.write(session, 0, 'a', 'b')
    await settled()
    driven.write(session, 0, 'c')
    driven.client.leaders = { t: [2] }
    await fail(driven.requests[0]!)
    expect(driven.requests).toHaveLength(1)
    await driven.client.pass(200)
    expect(driven.requests[1]).toMatchObject({ node: 2, batches: ['0: 0: a b'] })
    // It had come, and only its answer was lost.
    await driven.requests[1]!.answer({ 't-0': CODE.DUPLICATE_SEQUENCE_NUMBER })
    expect(driven.requests[2]).toMatchObject({ node: 2, batches: ['0: 2: c'] })
    await driven.requests[2]!.answer()
    expect([driven.drained, driven.failures, driven.sender.bytes]).toEqual([[session], [], 0])
  })

  test('of one partition holds up no other one', async () => {
    const driven = await Driven.on([1, 1])
    const session = sessionOf()
    driven.write(session, 0, 'first')
    for (const partition of [0, 1]) driven.write(session, partition, 'a')
    await settled()
    await driven.requests[0]!.answer()
    await driven.requests[1]!.answer({ 't-0': NOT_LEADER })
    driven.write(session, 1, 'b')
    await settled()
    expect(driven.seen[2]).toEqual(['1: 1: b'])
    await driven.requests[2]!.answer()
    await driven.client.pass(200)
    expect(driven.seen[3]).toEqual(['0: 1: a'])
  })

  test('pauses grow, and end with the first success', async () => {
    const driven = await Driven.on([1])
    const session = sessionOf()
    driven.write(session, 0, 'a')
    const sentAtMs: number[] = []
    for (let i = 0; i < 4; i++) {
      await driven.client.pass(0)
      while (driven.requests.length <= i) await driven.client.pass(10)
      sentAtMs.push(driven.client.clock.monotonic())
      if (i < 3) await driven.requests[i]!.fail()
    }
    expect(sentAtMs).toEqual([0, 100, 300, 700])
    await driven.requests[3]!.answer()
    driven.write(session, 0, 'b')
    await settled()
    await driven.requests[4]!.fail()
    await driven.client.pass(100)
    expect(driven.requests).toHaveLength(6)
  })

  test('ends with delivery.timeout.ms: the partition, the broker and the tries are named', async () => {
    const driven = await Driven.on([1], { deliveryTimeoutMs: 1_000 })
    driven.client.onProduce = async () => {
      throw brokenConnection()
    }
    driven.write(sessionOf(), 0, 'a')
    await driven.client.pass(900)
    expect(driven.failures).toEqual([])
    await driven.client.pass(5_000)
    expect(driven.failures).toEqual([
      expect.objectContaining({
        code: 'TR-KAFKA-003',
        message:
          'Cannot write to partition 0 of topic "t": the broker at kafka:9092 cannot be reached (after 5 tries): connect ECONNREFUSED',
      }),
    ])
  })

  test('also when no leader can be found', async () => {
    const driven = await Driven.on([1], { deliveryTimeoutMs: 1_000 })
    driven.client.leaders = {}
    driven.client.onProduce = async () => {
      throw brokenConnection()
    }
    driven.write(sessionOf(), 0, 'a')
    await driven.client.pass(5_000)
    expect(driven.failures).toMatchObject([{ code: 'TR-KAFKA-006', message: expect.stringContaining('topic "t"') }])
  })

  test.each([
    [CODE.INVALID_PRODUCER_EPOCH, 'TR-KAFKA-010', 'the transaction is not ours any more, INVALID_PRODUCER_EPOCH (47)'],
    [CODE.INVALID_TXN_STATE, 'TR-KAFKA-010', 'INVALID_TXN_STATE (48)'],
    [CODE.TOPIC_AUTHORIZATION_FAILED, 'TR-KAFKA-005', 'does not allow it, TOPIC_AUTHORIZATION_FAILED (29)'],
    [
      CODE.MESSAGE_TOO_LARGE,
      'TR-KAFKA-008',
      'bytes with one record, MESSAGE_TOO_LARGE (10); wanted is a larger max.message.bytes of the topic',
    ],
    [
      CODE.INVALID_TIMESTAMP,
      'TR-KAFKA-008',
      'a record\'s time is too far from the clock of the cluster at kafka:9092, INVALID_TIMESTAMP (32); wanted is another "timestamp" of the sink',
    ],
    [CODE.UNSUPPORTED_COMPRESSION_TYPE, 'TR-KAFKA-008', 'does not take it, UNSUPPORTED_COMPRESSION_TYPE (76)'],
    [45, 'TR-KAFKA-007', 'the cluster at kafka:9092 refuses, OUT_OF_ORDER_SEQUENCE_NUMBER (45)'],
  ])('is the last one when the answer is %i', async (errorCode, code, text) => {
    const driven = await Driven.on([1])
    driven.write(sessionOf(), 0, 'a')
    await settled()
    await driven.requests[0]!.answer({ 't-0': errorCode })
    await driven.client.pass(60_000)
    expect(driven.requests).toHaveLength(1)
    expect(driven.failures).toMatchObject([{ code, message: expect.stringContaining(text) }])
    expect(driven.failures[0].message).toMatch(/^Cannot write to partition 0 of topic "t": /)
  })

  test('nothing is sent, and nothing told, once it is closed', async () => {
    const driven = await Driven.on([1])
    driven.write(sessionOf(), 0, 'a')
    await settled()
    driven.sender.close()
    await driven.requests[0]!.fail()
    driven.write(sessionOf(), 0, 'b')
    await driven.client.pass(60_000)
    expect([driven.requests.length, driven.failures]).toEqual([1, []])
  })
})

describe('a transaction', () => {
  test('knows each partition before its first batch, and is told once', async () => {
    const driven = await Driven.on([1, 1])
    const told: string[] = []
    driven.client.onCall = async (_node, api, { topics }) => {
      if (api === 'GroupCoordinator') return 9
      told.push(`${topics[0].partitions} before request ${driven.requests.length}`)
      return { errors: [] }
    }
    const session = sessionOf('tx')
    driven.write(session, 0, 'a')
    await settled()
    for (const partition of [0, 1]) driven.write(session, partition, 'b')
    await driven.requests[0]!.answer()
    await driven.requests[1]!.answer()
    expect(told).toEqual(['0 before request 0', '1 before request 1'])
    expect(driven.requests.map(({ transactionalId }) => transactionalId)).toEqual(['tx', 'tx'])
    expect(driven.drained).toEqual([session])
  })

  test('a coordinator that has moved, or is busy, is asked again, and no batch goes before', async () => {
    const driven = await Driven.on([1])
    const answers = [NOT_COORDINATOR, CODE.CONCURRENT_TRANSACTIONS, 0]
    let looked = 0
    driven.client.onCall = async (_node, api) => {
      if (api === 'GroupCoordinator') return ++looked
      const errorCode = answers.shift()!
      return { errors: [{ topic: 't', partitionErrors: [{ partition: 0, errorCode }] }] }
    }
    driven.write(sessionOf('tx'), 0, 'a')
    await driven.client.pass(100)
    expect([answers.length, driven.requests.length]).toEqual([1, 0])
    await driven.client.pass(10)
    expect([looked, driven.seen]).toEqual([2, [['0: 0: a']]])
  })

  test('that someone else has taken over fails the job', async () => {
    const driven = await Driven.on([1])
    driven.client.onCall = async (_node, api) =>
      api === 'GroupCoordinator'
        ? 9
        : { errors: [{ topic: 't', partitionErrors: [{ partition: 0, errorCode: CODE.INVALID_PRODUCER_EPOCH }] }] }
    driven.write(sessionOf('tx'), 0, 'a')
    await settled()
    expect(driven.requests).toEqual([])
    expect(driven.failures).toMatchObject([
      { code: 'TR-KAFKA-010', message: expect.stringContaining('INVALID_PRODUCER_EPOCH (47)') },
    ])
  })
})

/** Partitions of an idempotent producer as Kafka keeps them: a batch that does not follow the last one is refused, one that is there already is known. */
class Log {
  readonly values: string[] = []
  #next = 0
  readonly #seen = new Set<number>()

  append(bytes: Buffer): number {
    const sequence = bytes.readInt32BE(BASE_SEQUENCE)
    expect(bytes.readInt16BE(PRODUCER_EPOCH)).toBe(3)
    if (this.#seen.has(sequence)) return CODE.DUPLICATE_SEQUENCE_NUMBER
    if (sequence !== this.#next) return 45
    this.#seen.add(sequence)
    this.#next += bytes.readInt32BE(RECORD_COUNT)
    this.values.push(...valuesOf(bytes))
    return 0
  }
}

const FATES = ['well', 'well', 'well', 'lost', 'answer lost', 'leader moved', 'not enough replicas'] as const

test('whatever fails, each partition has its records once, in the order in which they were written', async () => {
  const partitions = 3
  const fate = fc.constantFrom(...FATES)
  const step = fc.record({
    partition: fc.nat(partitions - 1),
    count: fc.integer({ min: 1, max: 3 }),
    passMs: fc.nat(150),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 15 }), fc.array(fate, { maxLength: 30 }), async (steps, planned) => {
      const fates = [...planned]
      const driven = await Driven.on([1, 2, 1], { deliveryTimeoutMs: 1e9 })
      const logs = Array.from({ length: partitions }, () => new Log())
      const underWay = new Set<number>()
      driven.client.onProduce = async (node, { batches }) => {
        expect(underWay.has(node)).toBe(false)
        underWay.add(node)
        await null
        underWay.delete(node)
        const answers: ProducedPartition[] = []
        for (const { topic, partition, bytes } of batches) {
          const what = fates.shift() ?? 'well'
          if (what === 'lost') throw brokenConnection()
          if (what === 'leader moved') driven.client.leaders.t![partition] = 3 - node
          const errorCode =
            what === 'leader moved' ? NOT_LEADER : what === 'not enough replicas' ? 19 : logs[partition]!.append(bytes)
          if (what === 'answer lost') throw brokenConnection()
          answers.push({ topic, partition, errorCode, baseOffset: 0 })
        }
        return answers
      }
      const session = sessionOf()
      const written = logs.map((): string[] => [])
      let n = 0
      for (const { partition, count, passMs } of steps) {
        const values = Array.from({ length: count }, () => `v${n++}`)
        written[partition]!.push(...values)
        driven.write(session, partition, ...values)
        await driven.client.pass(passMs)
      }
      await driven.client.pass(1e6)
      expect(driven.failures).toEqual([])
      expect(logs.map(({ values }) => values)).toEqual(written)
      expect([session.open, driven.sender.bytes]).toEqual([0, 0])
    }),
    { numRuns: 60 },
  )
})
