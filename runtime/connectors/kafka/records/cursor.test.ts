import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { batchOf, expected, markerOf, readAll, seen, type TestRecord, withChecksum } from './batches.suite.ts'
import { RecordCursor } from './cursor.ts'
import {
  APPEND_TIME,
  ATTRIBUTES,
  BATCH_LENGTH,
  COMPRESSIONS,
  HEAD_BYTES,
  LAST_OFFSET_DELTA,
  LEADER_EPOCH,
  MAGIC_AT,
  MAX_TIMESTAMP,
  RECORD_COUNT,
  writeInt64,
} from './layout.ts'

const load = createRequire(import.meta.url)

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array))
const part = fc.oneof(fc.constant(null), fc.string({ unit: 'binary', maxLength: 80 }), bytes)
const header = fc.tuple(fc.string({ unit: 'binary', maxLength: 12 }), part)
const record: fc.Arbitrary<TestRecord> = fc.record({
  key: part,
  value: part,
  headers: fc.array(header, { maxLength: 4 }),
  // Back and forth, by milliseconds and by centuries.
  timestampMs: fc.oneof(fc.integer({ min: 0, max: 200 }), fc.integer({ min: 0, max: 2 ** 45 })),
})
const records = fc.array(record, { minLength: 1, maxLength: 30 })
const compression = fc.constantFrom(...COMPRESSIONS)
const plain = (n: number): TestRecord => ({ key: `k${n}`, value: `value ${n}`, timestampMs: 1000 + n })
const plains = (count: number) => Array.from({ length: count }, (_, n) => plain(n))
const codeOf = (act: () => unknown): string => {
  try {
    act()
  } catch (error) {
    return (error as { code: string }).code
  }
  return 'none'
}

describe('records come out as they went in', () => {
  test('whatever they hold, in any compression, over many batches with gaps', () => {
    const batches = fc.array(fc.tuple(records, compression, fc.nat({ max: 5 })), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(batches, fc.integer({ min: 0, max: 2 ** 40 }), (all, base) => {
        const parts: Buffer[] = []
        const wanted: unknown[] = []
        let offset = base
        for (const [of, codec, gap] of all) {
          parts.push(batchOf(of, offset, { compression: codec }))
          wanted.push(...of.map((one, i) => expected(one, offset + i)))
          offset += of.length + gap
        }
        const gapAtEnd = all.at(-1)![2]
        expect(readAll(Buffer.concat(parts), base)).toEqual({ records: wanted, position: offset - gapAtEnd })
      }),
      { numRuns: 150 },
    )
  })

  test('those before the position are passed over, and so are whole batches', () => {
    const part = Buffer.concat([batchOf(plains(10), 100), batchOf(plains(10), 110)])
    for (let position = 95; position <= 125; position++) {
      const { records, position: end } = readAll(part, position)
      expect(records.map(({ offset }) => offset)).toEqual(
        Array.from({ length: 20 }, (_, i) => 100 + i).filter((offset) => offset >= position),
      )
      expect(end).toBe(Math.max(position, 120))
    }
  })

  test('a batch that is cut off anywhere is left to the next fetch', () => {
    const first = batchOf(plains(3), 0)
    const second = batchOf(plains(3), 3, { compression: 'gzip' })
    const whole = Buffer.concat([first, second])
    for (let length = 0; length < whole.length; length++) {
      const { records, position } = readAll(whole.subarray(0, length))
      expect([records.length, position]).toEqual(length < first.length ? [0, 0] : [3, 3])
    }
  })

  test('a cursor goes on with the next part where the last has ended, in the middle of a batch too', () => {
    const cursor = new RecordCursor('p', 0)
    cursor.open(batchOf(plains(4), 0))
    expect(cursor.next() && cursor.next()).toBe(true)
    expect(cursor.position).toBe(2)
    cursor.seek(1)
    expect(cursor.next()).toBe(false)
    cursor.open(batchOf(plains(4), 0))
    expect(cursor.next()).toBe(true)
    expect(seen(cursor)).toEqual(expected(plain(1), 1))
  })

  test('the position passes what compaction has taken off the end of a batch, and batches that it has emptied', () => {
    const shrunk = batchOf(plains(2), 10)
    shrunk.writeInt32BE(9, LAST_OFFSET_DELTA)
    expect(readAll(withChecksum(shrunk), 10).position).toBe(20)
    const emptied = batchOf(plains(2), 20).subarray(0, HEAD_BYTES)
    emptied.writeInt32BE(HEAD_BYTES - LEADER_EPOCH, BATCH_LENGTH)
    emptied.writeInt32BE(0, RECORD_COUNT)
    expect(readAll(Buffer.concat([shrunk, withChecksum(emptied)]), 10)).toMatchObject({ position: 22 })
  })

  test('a topic with times of the broker gives all records of a batch that time', () => {
    const batch = batchOf(plains(3), 0)
    batch.writeInt16BE(APPEND_TIME, ATTRIBUTES)
    writeInt64(batch, 99_000, MAX_TIMESTAMP)
    const { records } = readAll(withChecksum(batch))
    expect(records.map(({ timestampMs }) => timestampMs)).toEqual([99_000, 99_000, 99_000])
  })

  test('markers of transactions are not seen, and the position passes them', () => {
    const part = Buffer.concat([
      batchOf(plains(2), 0, { producerId: 9n, transactional: true }),
      markerOf('commit', 9n, 2),
    ])
    expect(readAll(part)).toMatchObject({ position: 3, records: [{ offset: 0 }, { offset: 1 }] })
  })

  test('200,000 tiny records in one batch', () => {
    const tiny = Array.from({ length: 200_000 }, () => ({ key: null, value: 'x', timestampMs: 5 }))
    const cursor = new RecordCursor('p', 0)
    cursor.open(batchOf(tiny, 0, { compression: 'zstd' }))
    let count = 0
    while (cursor.next()) count++
    expect([count, cursor.position]).toEqual([200_000, 200_000])
  })
})

describe('damage', () => {
  const whole = Buffer.concat([
    batchOf(plains(5), 50),
    batchOf(plains(5), 55, { compression: 'snappy' }),
    batchOf(plains(5), 60),
  ])
  const wanted = readAll(whole, 50).records
  /** Not under the checksum: where the batch is, and who led when. */
  const outside = (at: number) => at < BATCH_LENGTH || (at >= LEADER_EPOCH && at < MAGIC_AT)
  const heads = [0, 1, 2].reduce<number[]>(
    (starts) => [...starts, starts.at(-1)! + LEADER_EPOCH + whole.readInt32BE(starts.at(-1)! + BATCH_LENGTH)],
    [0],
  )

  test('of any byte is told by TR-KAFKA-002, or ends the part; no wrong record is seen', () => {
    for (let at = 0; at < whole.length; at++) {
      const start = heads.findLast((head) => head <= at)!
      if (outside(at - start)) continue
      for (const bit of [0x01, 0x80]) {
        const damaged = Buffer.from(whole)
        damaged[at]! ^= bit
        const cursor = new RecordCursor('p', 50)
        cursor.open(damaged)
        let count = 0
        const code = codeOf(() => {
          while (cursor.next()) expect(seen(cursor)).toEqual(wanted[count++])
        })
        expect(count).toBeLessThan(15)
        // A length that is too long looks like a batch that is cut off.
        expect(['TR-KAFKA-002', 'none']).toContain(code)
        if (code === 'none') expect(at - start).toBeLessThan(LEADER_EPOCH)
      }
    }
  })

  test('random bytes, with and without checksums, are TR-KAFKA-002 or nothing', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 12 }),
        fc.boolean(),
        (changes, checkCrc) => {
          const damaged = Buffer.from(whole)
          for (const [at, value] of changes) damaged[at] = value
          expect(['TR-KAFKA-002', 'none']).toContain(codeOf(() => readAll(damaged, 50, undefined, checkCrc)))
        },
      ),
      { numRuns: 3000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (noise) => {
        expect(['TR-KAFKA-002', 'none']).toContain(codeOf(() => readAll(Buffer.from(noise))))
      }),
    )
    // A head that is right, and noise behind it.
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 200 }), fc.integer({ min: 1, max: 50 }), (noise, count) => {
        const batch = Buffer.concat([batchOf([plain(0)], 0).subarray(0, HEAD_BYTES), noise])
        batch.writeInt32BE(batch.length - LEADER_EPOCH, BATCH_LENGTH)
        batch.writeInt32BE(count, RECORD_COUNT)
        expect(['TR-KAFKA-002', 'none']).toContain(codeOf(() => readAll(withChecksum(batch))))
      }),
      { numRuns: 3000 },
    )
  })

  test.each([
    ['fewer records than it says', (batch: Buffer) => batch.writeInt32BE(6, RECORD_COUNT)],
    ['more records than it says', (batch: Buffer) => batch.writeInt32BE(4, RECORD_COUNT)],
    ['an unknown compression', (batch: Buffer) => batch.writeInt16BE(7, ATTRIBUTES)],
    ['another compression than it says', (batch: Buffer) => batch.writeInt16BE(1, ATTRIBUTES)],
    ['an old message format', (batch: Buffer) => batch.writeInt8(1, MAGIC_AT)],
  ])('a batch with %s is told of', (_what, change) => {
    const batch = batchOf(plains(5), 0)
    change(batch)
    expect(codeOf(() => readAll(withChecksum(batch)))).toBe('TR-KAFKA-002')
  })

  test('a number of headers that cannot be is an error at the record, not a loop', () => {
    const batch = batchOf([{ key: null, value: 'v', timestampMs: 0, headers: [['h', 'x']] }], 0)
    // The count lies before the one header: its length, name, length and content.
    batch[batch.length - 5] = 0x7e
    expect(codeOf(() => readAll(withChecksum(batch)))).toBe('TR-KAFKA-002')
  })

  test('a compression that nobody knows is an error with its number', () => {
    const batch = batchOf(plains(5), 7)
    batch.writeInt16BE(5, ATTRIBUTES)
    expect(() => readAll(withChecksum(batch))).toThrow(
      expect.objectContaining({
        code: 'TR-KAFKA-002',
        message:
          'Cannot read the batch before offset 12 of partition 0 of topic "t": its compression has the number 5, wanted: 0 to 4',
      }),
    )
  })

  test('the message names the partition, and what is wrong', () => {
    const damaged = batchOf(plains(5), 7)
    damaged[80]! ^= 1
    expect(() => readAll(damaged)).toThrow(
      'Cannot read the batch before offset 12 of partition 0 of topic "t": its checksum is wrong',
    )
  })
})

describe('kafkajs', () => {
  const { RecordBatch } = load('kafkajs/src/protocol/recordBatch/v0')
  const Record = load('kafkajs/src/protocol/recordBatch/record/v0')
  const decodeBatch = load('kafkajs/src/protocol/recordBatch/v0/decoder')
  const Decoder = load('kafkajs/src/protocol/decoder')
  const some: TestRecord[] = [
    { key: 'a', value: 'ünï', timestampMs: 5000, headers: [['h', 'x']] },
    { key: null, value: null, timestampMs: 4000 },
    { key: Buffer.alloc(4), value: Buffer.alloc(300, 7), timestampMs: 2 ** 41 },
  ]

  test.each([
    ['none', 0],
    ['gzip', 1],
  ] as const)('its batches are read, %s', async (_name, codec) => {
    const { buffer } = await RecordBatch({
      compression: codec,
      firstOffset: 40,
      firstTimestamp: 5000,
      maxTimestamp: 2 ** 41,
      lastOffsetDelta: 2,
      records: some.map(({ key, value, headers, timestampMs }, offsetDelta) =>
        Record({
          offsetDelta,
          timestampDelta: timestampMs - 5000,
          key,
          value,
          headers: Object.fromEntries(headers ?? []),
        }),
      ),
    })
    expect(readAll(buffer, 40)).toEqual({ records: some.map((one, i) => expected(one, 40 + i)), position: 43 })
  })

  test.each(['none', 'gzip'] as const)('it reads ours, %s', async (codec) => {
    const batch = batchOf(some, 40, {
      compression: codec,
      producerId: 77n,
      producerEpoch: 3,
      sequence: 12,
      transactional: true,
    })
    const decoded = await decodeBatch(new Decoder(batch))
    expect(decoded).toMatchObject({
      firstOffset: '40',
      lastOffsetDelta: 2,
      producerId: '77',
      producerEpoch: 3,
      firstSequence: 12,
      inTransaction: true,
      isControlBatch: false,
      maxTimestamp: String(2 ** 41),
    })
    const text = (part: Buffer | null) => part?.toString('latin1') ?? null
    expect(
      decoded.records.map((one: any) => [one.offset, one.timestamp, text(one.key), text(one.value), one.headers]),
    ).toEqual(
      some.map((one, i) => {
        const { key, value } = expected(one, i)
        const headers = Object.fromEntries((one.headers ?? []).map(([name, content]) => [name, Buffer.from(content!)]))
        return [String(40 + i), String(one.timestampMs), key, value, headers]
      }),
    )
  })
})
