/** What the fetcher promises, on brokers that fail: one request at a time to each, and what becomes of a partition that cannot be fetched. */
import { describe, expect, test } from 'vitest'
import { CODE } from '../client/codes.ts'
import type { FetchAnswer, FetchedPartition } from '../client/fetch.ts'
import { newDecoder } from '../client/kafkajs.ts'
import { batchOf } from '../records/batches.suite.ts'
import { brokenConnection, FakeClient, settled } from '../testing/fake-client.suite.ts'
import { Fetcher, type FetchSettings } from './fetcher.ts'
import { Partition } from './partition.ts'

const SETTINGS: FetchSettings = {
  readCommitted: false,
  minBytes: 1,
  maxWaitMs: 500,
  maxBytes: 1_000_000,
  rack: '',
  reset: undefined,
}

interface Asked {
  node: number
  waitMs: number
  /** Partition number to offset. */
  wanted: Record<number, number>
  answer(parts?: Record<number, Partial<FetchedPartition>>, errorCode?: number): Promise<void>
  fail(error?: Error): Promise<void>
}

const answerOf = (partition: number, more: Partial<FetchedPartition>): FetchedPartition => ({
  topic: 't',
  partition,
  errorCode: 0,
  highWatermark: 100,
  lastStableOffset: 100,
  logStartOffset: 0,
  aborted: [],
  preferredReplica: -1,
  records: Buffer.alloc(0),
  ...more,
})
/** A batch of so many records. */
const recordsAt = (offset: number, count: number) => ({
  records: batchOf(
    Array.from({ length: count }, () => ({ key: null, value: 'x', timestampMs: 0 })),
    offset,
  ),
})

class Driven {
  readonly client: FakeClient
  readonly fetcher: Fetcher
  readonly requests: Asked[] = []
  readonly told: string[] = []
  readonly failures: any[] = []

  constructor(leaders: number[], settings: Partial<FetchSettings> = {}) {
    this.client = new FakeClient({ 'default.api.timeout.ms': 20_000 })
    this.client.leaders = { t: leaders }
    this.client.onFetch = async (node, { request }) => {
      const { maxWaitMs, wanted } = decodeRequest((await request.encode()).buffer)
      return this.#requested(node, maxWaitMs, wanted)
    }
    this.fetcher = new Fetcher(
      this.client,
      { ...SETTINGS, ...settings },
      {
        clock: this.client.clock,
        wake: () => {},
        fail: (error) => this.failures.push(error),
        missing: ({ split }) => this.told.push(`missing ${split.id}`),
        reset: ({ split, fetchOffset }, from) => this.told.push(`reset ${split.id} from ${from} to ${fetchOffset}`),
        received: () => {},
      },
    )
  }

  /** Its leader is found, and asked if it can be. */
  async add(partition: number, offset = 0): Promise<Partition<string>> {
    const added = new Partition<string>(
      { id: `t-${partition}`, topic: 't', partition, offset, stop: null },
      1000,
      false,
      true,
    )
    this.fetcher.add(added)
    await settled()
    return added
  }

  get seen(): [node: number, wanted: Record<number, number>][] {
    return this.requests.map(({ node, wanted }) => [node, wanted])
  }

  #requested(node: number, waitMs: number, wanted: Record<number, number>): Promise<FetchAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<FetchAnswer>()
    this.requests.push({
      node,
      waitMs,
      wanted,
      answer: async (parts = {}, errorCode = 0) => {
        const partitions = Object.keys(wanted).map((number) => answerOf(Number(number), parts[Number(number)] ?? {}))
        resolve({ clientSideThrottleTime: 0, errorCode, partitions: errorCode === 0 ? partitions : [] })
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

/** Of a topic with a name of one letter. */
function decodeRequest(bytes: Buffer): { maxWaitMs: number; wanted: Record<number, number> } {
  const from = newDecoder(bytes)
  from.readInt32()
  const maxWaitMs = from.readInt32()
  for (let i = 0; i < 2; i++) from.readInt32()
  from.readInt8()
  for (let i = 0; i < 3; i++) from.readInt32()
  from.readInt16()
  from.readInt8()
  const wanted: Record<number, number> = {}
  for (let left = from.readInt32(); left > 0; left--) {
    const partition = from.readInt32()
    from.readInt32()
    wanted[partition] = Number(from.readInt64().toString())
    from.readInt64()
    from.readInt32()
  }
  return { maxWaitMs, wanted }
}

describe('requests', () => {
  test('one is under way to each broker, with all of its partitions that want more; the next goes out while the answer is read', async () => {
    const driven = new Driven([1, 2, 1])
    await driven.add(0)
    await driven.add(1, 7)
    await driven.add(2)
    expect(driven.seen).toEqual([
      [1, { 0: 0 }],
      [2, { 1: 7 }],
    ])
    await driven.requests[0]!.answer({ 0: recordsAt(0, 5) })
    // Nothing of the answer was taken yet.
    expect(driven.seen.slice(2)).toEqual([[1, { 0: 5, 2: 0 }]])
  })

  test('a partition with two parts that wait is not asked for; the others of its broker wait no longer than 10 ms for more', async () => {
    const driven = new Driven([1, 1])
    const full = await driven.add(0)
    await driven.add(1)
    await driven.requests[0]!.answer({ 0: recordsAt(0, 5) })
    await driven.requests[1]!.answer({ 0: recordsAt(5, 5) })
    expect(driven.requests[2]).toMatchObject({ wanted: { 1: 0 }, waitMs: 10 })
    expect(driven.requests[1]).toMatchObject({ waitMs: 500 })
    full.nextPart()
    await driven.requests[2]!.answer()
    expect(driven.requests[3]).toMatchObject({ wanted: { 0: 10, 1: 0 }, waitMs: 500 })
  })

  test('one that is paused is left out until it goes on', async () => {
    const driven = new Driven([1, 1])
    const paused = await driven.add(0)
    paused.paused = true
    await driven.add(1)
    await driven.requests[0]!.answer()
    paused.paused = false
    await driven.requests[1]!.answer()
    expect(driven.seen.map(([, wanted]) => Object.keys(wanted).join())).toEqual(['0', '1', '0,1'])
  })

  test('a replica that the leader prefers is asked next time, and the leader again when that fails', async () => {
    const driven = new Driven([1])
    await driven.add(0)
    await driven.requests[0]!.answer({ 0: { preferredReplica: 3 } })
    await driven.requests[1]!.fail()
    await driven.client.pass(100)
    expect(driven.requests.map(({ node }) => node)).toEqual([1, 3, 1])
  })

  test('a partition that was removed gets nothing of an answer', async () => {
    const driven = new Driven([1])
    const removed = await driven.add(0)
    driven.fetcher.remove(removed)
    await driven.requests[0]!.answer({ 0: recordsAt(0, 5) })
    expect([removed.fetchOffset, driven.requests.length]).toEqual([0, 1])
  })

  test('nothing is asked for, and nothing told, once it is closed', async () => {
    const driven = new Driven([1])
    await driven.add(0)
    await driven.fetcher.close()
    await driven.requests[0]!.fail()
    await driven.client.pass(60_000)
    expect([driven.requests.length, driven.failures, driven.told]).toEqual([1, [], []])
  })
})

describe('a partition that cannot be fetched', () => {
  test.each<[string, (asked: Asked) => Promise<void>]>([
    ['its leader has moved', (asked) => asked.answer({ 0: { errorCode: 6 } })],
    ['the broker answers for none', (asked) => asked.answer({}, 8)],
    ['the connection broke', (asked) => asked.fail()],
  ])('is asked for again after a pause, from its new leader, where it was: %s', async (_what, fail) => {
    const driven = new Driven([1])
    await driven.add(0, 3)
    driven.client.leaders = { t: [2] }
    await fail(driven.requests[0]!)
    await driven.client.pass(99)
    expect(driven.requests).toHaveLength(1)
    await driven.client.pass(1)
    expect(driven.seen[1]).toEqual([2, { 0: 3 }])
    await driven.requests[1]!.answer({ 0: recordsAt(3, 1) })
    await driven.requests[2]!.fail()
    // The pause is the first one again.
    await driven.client.pass(100)
    expect(driven.seen[3]).toEqual([2, { 0: 4 }])
    expect(driven.failures).toEqual([])
  })

  test('holds up no other one of its broker', async () => {
    const driven = new Driven([1, 1])
    await driven.add(0)
    await driven.add(1)
    await driven.requests[0]!.answer({ 0: { errorCode: 6 } })
    await driven.requests[1]!.answer({ 1: recordsAt(0, 2) })
    expect(driven.seen.slice(1)).toEqual([
      [1, { 1: 0 }],
      [1, { 1: 2 }],
    ])
    await driven.client.pass(100)
    await driven.requests[2]!.answer()
    expect(driven.seen[3]).toEqual([1, { 0: 0, 1: 2 }])
  })

  test('fails the job when nothing helps within default.api.timeout.ms, with its name and the broker', async () => {
    const driven = new Driven([1])
    driven.client.onFetch = async () => {
      throw brokenConnection()
    }
    await driven.add(0)
    await driven.client.pass(19_000)
    expect(driven.failures).toEqual([])
    await driven.client.pass(2_000)
    expect(driven.failures[0]).toMatchObject({
      code: 'TR-KAFKA-003',
      message: expect.stringMatching(
        /^Cannot read partition 0 of topic "t": the broker at kafka:9092 cannot be reached \(after \d+ tries\): connect ECONNREFUSED$/,
      ),
    })
  })

  test('fails it at once when no other try would help', async () => {
    const driven = new Driven([1])
    await driven.add(0)
    await driven.requests[0]!.answer({ 0: { errorCode: CODE.TOPIC_AUTHORIZATION_FAILED } })
    expect(driven.failures).toMatchObject([
      { code: 'TR-KAFKA-005', message: expect.stringMatching(/^Cannot read partition 0 of topic "t": the cluster at/) },
    ])
  })

  test('fails it when a batch is damaged', async () => {
    const driven = new Driven([1])
    const partition = await driven.add(0)
    partition.maxBytes = 2 ** 31 - 1
    await settled()
    await driven.requests[0]!.answer({ 0: { records: recordsAt(0, 5).records.subarray(0, 70) } })
    expect(driven.failures).toMatchObject([
      { code: 'TR-KAFKA-002', message: expect.stringContaining('partition 0 of topic "t"') },
    ])
  })

  test('may have been deleted when the brokers have not known it for 5 s: that is told, again and again, and no failure', async () => {
    const driven = new Driven([1])
    await driven.add(0)
    driven.client.leaders = {}
    await driven.requests[0]!.answer({ 0: { errorCode: CODE.UNKNOWN_TOPIC_OR_PARTITION } })
    await driven.client.pass(4_900)
    expect(driven.told).toEqual([])
    await driven.client.pass(1_000)
    expect(driven.told).toEqual(['missing t-0'])
    await driven.client.pass(30_000)
    expect(driven.told.length).toBeGreaterThan(2)
    expect(driven.failures).toEqual([])
  })

  test('is read on when it is there after all', async () => {
    const driven = new Driven([1])
    const partition = await driven.add(0, 3)
    driven.client.leaders = {}
    await driven.requests[0]!.answer({ 0: { errorCode: CODE.UNKNOWN_TOPIC_OR_PARTITION } })
    await driven.client.pass(6_000)
    driven.client.leaders = { t: [2] }
    driven.fetcher.isThere(partition)
    await driven.client.pass(1_000)
    expect(driven.seen.at(-1)).toEqual([2, { 0: 3 }])
    await driven.requests.at(-1)!.answer({ 0: recordsAt(3, 1) })
    expect(driven.seen.at(-1)).toEqual([2, { 0: 4 }])
  })
})

describe('an offset that is not there', () => {
  const outOfRange = { 0: { errorCode: CODE.OFFSET_OUT_OF_RANGE, logStartOffset: -1 } }
  /** Brokers that have offsets 20 to 30. */
  const drivenAt = async (offset: number, reset?: string) => {
    const driven = new Driven([1], { reset })
    driven.client.onCall = async (_node, _api, { topics }) => ({
      responses: [
        {
          topic: 't',
          partitions: [{ partition: 0, errorCode: 0, offset: topics[0].partitions[0].timestamp === -2 ? '20' : '30' }],
        },
      ],
    })
    const partition = await driven.add(0, offset)
    return { driven, partition }
  }

  test.each([
    [5, 'what was before is deleted'],
    [44, 'it was made anew, or has lost records'],
  ])('fails the job without auto.offset.reset, with those that are: %i', async (offset, why) => {
    const { driven } = await drivenAt(offset)
    await driven.requests[0]!.answer(outOfRange)
    await driven.client.pass(60_000)
    expect(driven.failures).toMatchObject([
      {
        code: 'TR-KAFKA-009',
        message: `Cannot read partition 0 of topic "t" at offset ${offset}: the cluster at kafka:9092 has offsets 20 to 30 (exclusive), ${why}; to go on without, set the property auto.offset.reset to earliest or latest`,
      },
    ])
    expect(driven.requests).toHaveLength(1)
  })

  test.each([
    ['earliest', 20],
    ['latest', 30],
  ])('goes on at the end that auto.offset.reset names, and says so: %s', async (reset, offset) => {
    const { driven, partition } = await drivenAt(5, reset)
    await driven.requests[0]!.answer(outOfRange)
    expect(driven.told).toEqual([`reset t-0 from 5 to ${offset}`])
    expect([driven.seen[1], partition.position]).toEqual([[1, { 0: offset }], offset])
  })

  test.each(['earliest', undefined])('is nothing to a partition that was taken away meanwhile: %s', async (reset) => {
    const { driven, partition } = await drivenAt(5, reset)
    const { promise, resolve } = Promise.withResolvers<void>()
    const { onCall } = driven.client
    driven.client.onCall = async (...request) => {
      await promise
      return onCall(...request)
    }
    await driven.requests[0]!.answer(outOfRange)
    driven.fetcher.remove(partition)
    resolve()
    await settled()
    expect([driven.told, driven.failures, driven.requests.length]).toEqual([[], [], 1])
  })

  test('that cannot be asked for fails the job in the end', async () => {
    const { driven } = await drivenAt(5, 'earliest')
    driven.client.onCall = async () => {
      throw brokenConnection()
    }
    await driven.requests[0]!.answer(outOfRange)
    await driven.client.pass(60_000)
    expect(driven.failures).toMatchObject([
      { code: 'TR-KAFKA-003', message: expect.stringContaining('Cannot read the offsets of topic "t"') },
    ])
  })
})
