import { expect, test } from 'vitest'
import { BatchWriter } from './batch-writer.ts'
import { readAll } from './batches.suite.ts'
import { BASE_SEQUENCE, BATCH_LENGTH, HEAD_BYTES, LEADER_EPOCH, PRODUCER_EPOCH, PRODUCER_ID } from './layout.ts'

const head = { producerId: 5n, producerEpoch: 2, sequence: 30, transactional: true, compression: 'none' } as const

test('append() tells the bytes of each record, and size those of all', () => {
  const writer = new BatchWriter(Buffer.alloc(HEAD_BYTES))
  expect(writer.size).toBe(HEAD_BYTES)
  // Length, attributes, two deltas, key, value, number of headers.
  expect(writer.append(null, 'ab', undefined, 5)).toBe(1 + 1 + 1 + 1 + 1 + 3 + 1)
  expect(writer.append('k', null, [['h', null]], 5)).toBe(1 + 1 + 1 + 1 + 2 + 1 + 1 + 3)
  expect([writer.size, writer.count]).toEqual([HEAD_BYTES + 20, 2])
  expect(writer.finish(head).length).toBe(HEAD_BYTES + 20)
})

test('a batch that is sent again is the same bytes, with the producer that it was given', () => {
  const writer = new BatchWriter(Buffer.alloc(64))
  writer.append('key', 'välue', undefined, 7)
  const first = Buffer.from(writer.finish(head))
  expect(writer.finish(head).equals(first)).toBe(true)
  expect(first.readBigInt64BE(PRODUCER_ID)).toBe(5n)
  expect(first.readInt16BE(PRODUCER_EPOCH)).toBe(2)
  expect(first.readInt32BE(BASE_SEQUENCE)).toBe(30)
  expect(first.readInt32BE(BATCH_LENGTH)).toBe(first.length - LEADER_EPOCH)
})

test('memory of a batch serves the next one, whatever was in it', () => {
  const first = new BatchWriter(Buffer.alloc(16))
  first.append('a long key', Buffer.alloc(500, 255), undefined, 9)
  first.finish(head)
  const second = new BatchWriter(first.memory)
  second.append(null, 'x', undefined, 1)
  expect(readAll(Buffer.from(second.finish(head))).records).toEqual([
    { offset: 0, timestampMs: 1, key: null, value: 'x', headers: [] },
  ])
})

test.each([
  ['ASCII', 'x'.repeat(10_000)],
  ['two bytes a letter', 'ü'.repeat(10_000)],
  ['three bytes a letter', '語'.repeat(10_000)],
  ['four bytes a letter', '😀'.repeat(5000)],
  ['half a letter', '\ud83d'.repeat(100)],
])('text of %s is written as UTF-8, where memory has to grow', (_what, text) => {
  const writer = new BatchWriter(Buffer.alloc(1))
  writer.append(text, text, [[text, text]], 0)
  writer.append(null, 'after', undefined, 0)
  const utf8 = Buffer.from(text)
  const [record, after] = readAll(Buffer.from(writer.finish(head))).records
  expect(record!.key).toBe(utf8.toString('latin1'))
  expect(record!.value).toBe(record!.key)
  expect(record!.headers).toEqual([[utf8.toString(), record!.key]])
  expect(after!.value).toBe('after')
})
