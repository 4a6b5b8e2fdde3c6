import { expect, test } from 'vitest'
import type { FetchedPartition } from '../client/fetch.ts'
import { batchOf, markerOf, withChecksum } from '../records/batches.suite.ts'
import { BATCH_LENGTH, LAST_OFFSET_DELTA, MAGIC_AT } from '../records/layout.ts'
import { Partition } from './partition.ts'

const partitionAt = (offset: number, stop: number | null = null, readCommitted = false) =>
  new Partition<string>({ id: 'clicks-3', topic: 'clicks', partition: 3, offset, stop }, 1000, readCommitted, true)
const answer = (records: Buffer, aborted: FetchedPartition['aborted'] = []): FetchedPartition => ({
  topic: 'clicks',
  partition: 3,
  errorCode: 0,
  highWatermark: 50,
  lastStableOffset: 50,
  logStartOffset: 0,
  aborted,
  preferredReplica: -1,
  records,
})
const batch = (base: number, count: number) =>
  batchOf(
    Array.from({ length: count }, (_, i) => ({ key: null, value: `v${base + i}`, timestampMs: 0 })),
    base,
  )
const shownBy = ({ cursor: { bytes, valueStart, valueEnd } }: Partition<string>) =>
  bytes.toString('utf8', valueStart, valueEnd)

test('the next fetch begins behind the last whole batch, and two parts are enough', () => {
  const partition = partitionAt(12)
  const records = Buffer.concat([batch(10, 5), batch(15, 5), batch(20, 5).subarray(0, 30)])
  expect(partition.add(answer(records))).toBe(records.length)
  expect([partition.fetchOffset, partition.endOffset, partition.hungry]).toEqual([20, 50, true])
  partition.add(answer(batch(20, 5)))
  expect([partition.fetchOffset, partition.hungry]).toEqual([25, false])
  expect(partition.nextPart() && partition.hungry).toBe(true)
  expect(partition.cursor.next() && shownBy(partition)).toBe('v12')
  expect(partition.position).toBe(13)
})

test('a record that waits for its format is the position', () => {
  const partition = partitionAt(10)
  partition.add(answer(batch(10, 5)))
  partition.nextPart()
  partition.cursor.next()
  partition.held = true
  expect(partition.position).toBe(10)
})

test('a partition that is paused or read to its stop wants nothing; markers count', () => {
  const partition = partitionAt(10, 13)
  partition.paused = true
  expect(partition.hungry).toBe(false)
  partition.paused = false
  partition.add(answer(Buffer.concat([batch(10, 2), markerOf('commit', 1n, 12)])))
  expect(partition.hungry).toBe(false)
  partition.nextPart()
  while (partition.cursor.next()) expect(partition.atStop).toBe(false)
  expect(partition.atStop).toBe(true)
})

test('what is aborted is hidden from readers of committed records only', () => {
  const records = batchOf([{ key: null, value: 'x', timestampMs: 0 }], 10, { producerId: 7n, transactional: true })
  for (const readCommitted of [true, false]) {
    const partition = partitionAt(10, null, readCommitted)
    partition.add(answer(records, [{ producerId: 7n, firstOffset: 10 }]))
    partition.nextPart()
    expect(partition.cursor.next()).toBe(!readCommitted)
    expect(partition.position).toBe(11)
  }
})

test('seek() throws away what was fetched', () => {
  const partition = partitionAt(10)
  partition.add(answer(batch(10, 5)))
  partition.seek(40)
  expect([partition.nextPart(), partition.fetchOffset, partition.position]).toEqual([false, 40, 40])
})

test('a batch that does not fit is asked for with more bytes; an empty answer changes nothing', () => {
  const partition = partitionAt(10)
  expect(partition.add(answer(batch(10, 5).subarray(0, 80)))).toBe(0)
  expect([partition.maxBytes, partition.fetchOffset, partition.nextPart()]).toEqual([2000, 10, false])
  expect(partition.add(answer(Buffer.alloc(0)))).toBe(0)
  expect(partition.maxBytes).toBe(2000)
})

test('a batch that never comes whole is an error in the end', () => {
  const partition = partitionAt(10)
  const damaged = batch(10, 5)
  damaged.writeInt32BE(2 ** 31 - 1, BATCH_LENGTH)
  const ask = () => {
    for (let i = 0; i < 40; i++) partition.add(answer(damaged))
  }
  expect(ask).toThrow(
    'Cannot read the batch at offset 10 of partition 3 of topic "clicks": it says that it has more bytes than the broker sends',
  )
  expect(partition.maxBytes).toBe(2 ** 31 - 1)
})

test.each([
  [
    'a length that cannot be',
    (records: Buffer) => records.fill(0xff, BATCH_LENGTH, BATCH_LENGTH + 4),
    'a batch says that it has -1 bytes',
  ],
  ['an old format', (records: Buffer) => records.fill(1, MAGIC_AT, MAGIC_AT + 1), 'its message format is 1, wanted: 2'],
  [
    'an end before its beginning',
    (records: Buffer) => withChecksum(Buffer.from(records).fill(0xff, LAST_OFFSET_DELTA, LAST_OFFSET_DELTA + 4)),
    'a batch ends before it begins',
  ],
])('%s is told at once, and not asked for again', (_what, damage, text) => {
  const partition = partitionAt(10)
  partition.add(answer(damage(batch(10, 1))))
  expect(partition.nextPart()).toBe(true)
  expect(() => partition.cursor.next()).toThrow(
    expect.objectContaining({ code: 'TR-KAFKA-002', message: expect.stringContaining(text) }),
  )
})

test('one short message of an old format is told, too', () => {
  const partition = partitionAt(0)
  const old = Buffer.alloc(40)
  old.writeInt32BE(28, BATCH_LENGTH)
  old[MAGIC_AT] = 1
  partition.add(answer(old))
  partition.nextPart()
  expect(() => partition.cursor.next()).toThrow('its message format is 1')
})
