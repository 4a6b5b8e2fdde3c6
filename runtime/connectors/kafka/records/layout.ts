/**
 * Where the fields of a record batch lie: Kafka's message format 2, of brokers since 0.11. Numbers are big-endian; lengths and deltas of records are zigzag varints.
 *
 *     batch  = head (61 bytes) · record*       the records may be compressed as one
 *     record = length · attributes (0) · timestamp delta · offset delta · key length (-1: null) · key · value length · value · header count · header*
 *     header = key length · key · value length · value
 *
 * Source: the protocol guide of Apache Kafka, "Record batch".
 */

export const MAGIC = 2
export const BASE_OFFSET = 0
/** Bytes that follow it. */
export const BATCH_LENGTH = 8
export const LEADER_EPOCH = 12
export const MAGIC_AT = 16
/** CRC-32C of all that follows it. */
export const CRC = 17
export const ATTRIBUTES = 21
export const LAST_OFFSET_DELTA = 23
export const BASE_TIMESTAMP = 27
export const MAX_TIMESTAMP = 35
export const PRODUCER_ID = 43
export const PRODUCER_EPOCH = 51
export const BASE_SEQUENCE = 53
export const RECORD_COUNT = 57
export const HEAD_BYTES = 61

/** Bits of the attributes. */
export const COMPRESSION_BITS = 0x07
export const APPEND_TIME = 0x08
export const TRANSACTIONAL = 0x10
export const CONTROL = 0x20

/** By the number in the attributes. */
export const COMPRESSIONS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
export type Compression = (typeof COMPRESSIONS)[number]

/** Of a control record's key: version, then type, 16 bits each. */
export const CONTROL_TYPE_AT = 2
export const ABORT_MARKER = 0

/** An int64 that is a count or a time: exact up to 2^53. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * 0x1_0000_0000 + bytes.readUInt32BE(at + 4)
}

export function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / 0x1_0000_0000), at)
  bytes.writeUInt32BE(value >>> 0, at + 4)
}
