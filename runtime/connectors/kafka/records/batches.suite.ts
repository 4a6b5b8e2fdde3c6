/**
 * Batches for tests: made by our writer, placed where a broker would place them, and read back.
 */
import { crc32c } from '@node-rs/crc32'
import type { AbortedTransactions } from './aborted.ts'
import { type BatchHead, BatchWriter, type Header, type Part } from './batch-writer.ts'
import { RecordCursor } from './cursor.ts'
import { ATTRIBUTES, BASE_OFFSET, CONTROL, CRC, writeInt64 } from './layout.ts'

export interface TestRecord {
  key: Part
  value: Part
  headers?: readonly Header[]
  timestampMs: number
}

/** As the cursor showed it; bytes as text of one byte a character, so that they compare. */
export interface SeenRecord {
  offset: number
  timestampMs: number
  key: string | null
  value: string | null
  headers: [string, string | null][]
}

const HEAD: BatchHead = {
  producerId: -1n,
  producerEpoch: -1,
  sequence: -1,
  transactional: false,
  compression: 'none',
}

export function batchOf(records: readonly TestRecord[], baseOffset: number, head: Partial<BatchHead> = {}): Buffer {
  const writer = new BatchWriter(Buffer.allocUnsafe(128))
  for (const { key, value, headers, timestampMs } of records) writer.append(key, value, headers, timestampMs)
  const bytes = Buffer.from(writer.finish({ ...HEAD, ...head }))
  writeInt64(bytes, baseOffset, BASE_OFFSET)
  return bytes
}

/** After its bytes were changed. */
export function withChecksum(batch: Buffer): Buffer {
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES)), CRC)
  return batch
}

/** What a coordinator writes at the end of a transaction. */
export function markerOf(kind: 'commit' | 'abort', producerId: bigint, offset: number): Buffer {
  const record = { key: Buffer.from([0, 0, 0, kind === 'commit' ? 1 : 0]), value: Buffer.alloc(6), timestampMs: 7 }
  const batch = batchOf([record], offset, { producerId, producerEpoch: 0, transactional: true })
  batch.writeInt16BE(batch.readInt16BE(ATTRIBUTES) | CONTROL, ATTRIBUTES)
  return withChecksum(batch)
}

export const binary = (part: Part): string | null => (part === null ? null : Buffer.from(part).toString('latin1'))

export const expected = ({ key, value, headers = [], timestampMs }: TestRecord, offset: number): SeenRecord => ({
  offset,
  timestampMs,
  key: binary(key),
  value: binary(value),
  headers: headers.map(([name, content]) => [Buffer.from(name).toString(), binary(content)]),
})

export function seen(cursor: RecordCursor): SeenRecord {
  const part = (start: number, end: number) => (start < 0 ? null : binary(cursor.bytes.subarray(start, end)))
  return {
    offset: cursor.offset,
    timestampMs: cursor.timestampMs,
    key: part(cursor.keyStart, cursor.keyEnd),
    value: part(cursor.valueStart, cursor.valueEnd),
    headers: cursor.headers().map(([name, content]) => [name, binary(content)]),
  }
}

/** All records of a part that are to be seen from `position` on. */
export function readAll(
  part: Buffer,
  position = 0,
  aborted?: AbortedTransactions,
  checkCrc = true,
): { records: SeenRecord[]; position: number } {
  const cursor = new RecordCursor('partition 0 of topic "t"', position, checkCrc)
  cursor.open(part, aborted)
  const records: SeenRecord[] = []
  while (cursor.next()) records.push(seen(cursor))
  return { records, position: cursor.position }
}
