/**
 * Requests and answers of our own, by bytes that are made by hand after Kafka's protocol guide.
 */
import { expect, test } from 'vitest'
import { batchOf, readAll } from '../records/batches.suite.ts'
import { decodeFetch, fetchProtocol } from './fetch.ts'
import { listTransactionsProtocol } from './list-transactions.ts'
import { decodeProduce, produceRequest } from './produce.ts'

/** Numbers are int32, bigints int64; `[n]` is an int16, texts have their length before them. */
function bytesOf(...fields: (number | bigint | [number] | string | Buffer)[]): Buffer {
  return Buffer.concat(
    fields.map((field) => {
      if (Buffer.isBuffer(field)) return field
      if (typeof field === 'string') return Buffer.concat([bytesOf([Buffer.byteLength(field)]), Buffer.from(field)])
      const bytes = Buffer.alloc(typeof field === 'bigint' ? 8 : typeof field === 'number' ? 4 : 2)
      if (typeof field === 'bigint') bytes.writeBigInt64BE(field)
      else if (typeof field === 'number') bytes.writeInt32BE(field)
      else bytes.writeInt16BE(field[0])
      return bytes
    }),
  )
}
const byte = (...values: number[]) => Buffer.from(values)
/** With the length in one byte, and one more, as in Kafka's newer requests. */
const compact = (text: string) => Buffer.concat([byte(text.length + 1), Buffer.from(text)])

const batch = batchOf([{ key: 'k', value: 'v', timestampMs: 1 }], 41)
// throttle, error, session; one topic; partition, error, high watermark, last stable, log start, aborted…, replica, records
const fetched = bytesOf(
  3,
  [0],
  0,
  2,
  'clicks',
  2,
  0,
  [0],
  100n,
  42n,
  5n,
  2,
  9007199254740993n,
  40n,
  7n,
  12n,
  -1,
  batch.length,
  batch,
  1,
  [1],
  -1n,
  -1n,
  -1n,
  -1,
  -1,
  -1,
  'tëst',
  1,
  7,
  [0],
  1n,
  1n,
  0n,
  0,
  4,
  0,
)

test('decodeFetch() of two topics, with what is wrong in one partition', () => {
  const { partitions, ...rest } = decodeFetch(fetched)
  expect(rest).toEqual({ clientSideThrottleTime: 3, errorCode: 0 })
  expect(partitions).toEqual([
    {
      topic: 'clicks',
      partition: 0,
      errorCode: 0,
      highWatermark: 100,
      lastStableOffset: 42,
      logStartOffset: 5,
      aborted: [
        { producerId: 9007199254740993n, firstOffset: 40 },
        { producerId: 7n, firstOffset: 12 },
      ],
      preferredReplica: -1,
      records: batch,
    },
    expect.objectContaining({ partition: 1, errorCode: 1, highWatermark: -1, aborted: [], records: Buffer.alloc(0) }),
    expect.objectContaining({ topic: 'tëst', partition: 7, preferredReplica: 4 }),
  ])
  expect(readAll(partitions[0]!.records, 41).records).toMatchObject([{ offset: 41, key: 'k', value: 'v' }])
})

test('decodeFetch() tells of an error of the whole request', () => {
  expect(decodeFetch(bytesOf(0, [70], 0, 0))).toEqual({ clientSideThrottleTime: 0, errorCode: 70, partitions: [] })
})

test('an answer that is cut off where no records are is an error', () => {
  const heads = fetched.subarray(0, fetched.length - 4)
  expect(() => decodeFetch(heads)).toThrow(RangeError)
})

test('fetchProtocol() asks for the partitions by topic', async () => {
  const at = { offset: 2 ** 33, maxBytes: 1000 }
  const { request, requestTimeout } = fetchProtocol({
    readCommitted: true,
    maxWaitMs: 500,
    requestTimeoutMs: 30_000,
    minBytes: 1,
    maxBytes: 50_000,
    rack: 'r1',
    partitions: [
      { topic: 'a', partition: 0, ...at },
      { topic: 'b', partition: 1, ...at },
      { topic: 'a', partition: 2, ...at },
    ],
  })
  const part = (n: number) => bytesOf(n, -1, 2n ** 33n, -1n, 1000)
  expect((await request.encode()).buffer).toEqual(
    bytesOf(-1, 500, 1, 50_000, byte(1), 0, -1, 2, 'a', 2, part(0), part(2), 'b', 1, part(1), 0, 'r1'),
  )
  expect([request.apiKey, request.apiVersion, requestTimeout]).toEqual([1, 11, 30_500])
})

test('decodeProduce() of two partitions', () => {
  const answer = bytesOf(1, 'out', 2, 0, [0], 12n, -1n, 3n, 5, [10], -1n, -1n, -1n, 9)
  expect(decodeProduce(answer)).toEqual({
    clientSideThrottleTime: 9,
    partitions: [
      { topic: 'out', partition: 0, errorCode: 0, baseOffset: 12 },
      { topic: 'out', partition: 5, errorCode: 10, baseOffset: -1 },
    ],
  })
})

test('produceRequest() sends whole batches by topic, as they are; without acks nobody waits for an answer, and they are copies', () => {
  const batches = [
    { topic: 'a', partition: 0, bytes: batch },
    { topic: 'b', partition: 3, bytes: batch },
    { topic: 'a', partition: 1, bytes: batch },
  ]
  const request = produceRequest({ transactionalId: 'p-0-1', acks: -1, timeoutMs: 900, batches })
  const one = (n: number) => bytesOf(n, batch.length, batch)
  expect(Buffer.concat(request.parts)).toEqual(bytesOf('p-0-1', [-1], 900, 2, 'a', 2, one(0), one(1), 'b', 1, one(3)))
  expect(request.parts.filter((part) => part === batch)).toHaveLength(3)
  expect(request.expectResponse).toBe(true)
  const silent = produceRequest({ transactionalId: null, acks: 0, timeoutMs: 900, batches: batches.slice(0, 1) })
  expect(Buffer.concat(silent.parts)).toEqual(bytesOf([-1], [0], 900, 1, 'a', 1, one(0)))
  expect(silent.parts).not.toContain(batch)
  expect(silent.expectResponse).toBe(false)
  const empty = produceRequest({ transactionalId: null, acks: -1, timeoutMs: 900, batches: [] })
  expect(Buffer.concat(empty.parts)).toEqual(bytesOf([-1], [-1], 900, 0))
})

test('ListTransactions asks for all, and reads the list', async () => {
  const { request, response } = listTransactionsProtocol()
  expect((await request.encode()).buffer).toEqual(byte(0, 1, 1, 0))
  const answer = bytesOf(
    byte(0),
    7,
    [0],
    byte(2),
    compact('Unknown'),
    byte(3),
    compact('p-0-0'),
    9007199254740993n,
    compact('Ongoing'),
    byte(0),
    compact('p-1-0'),
    2n,
    compact('Empty'),
    byte(0),
    byte(0),
  )
  expect(await response.decode(answer)).toEqual({
    clientSideThrottleTime: 7,
    errorCode: 0,
    transactions: [
      { transactionalId: 'p-0-0', producerId: '9007199254740993', state: 'Ongoing' },
      { transactionalId: 'p-1-0', producerId: '2', state: 'Empty' },
    ],
  })
})
