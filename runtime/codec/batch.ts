/**
 * Batch v1: up to 256 records of one edge, the same bytes in memory, on the wire and in a channel-state file. Little-endian.
 *
 *   0  u8  format version, 1
 *   1  u8  flags: 1 the text is UTF-16, else ASCII · 2 records are msgpack · 4 rows carry a key hash
 *   2  u16 count of records
 *   4  u32 type id of the edge; 0 for msgpack
 *   8  u32 attempt epoch
 *   12 u32 sequence number in the channel
 *   16 u32 bytes of all rows
 *   20 u32 bytes of the text
 *   24 u32 bytes of the extra part
 *   28 u32 0
 *   32 rows, then text, then extra part.
 *
 * A row: f64 timestamp (-Infinity: none), u32 key hash when flag 4 is set, then the fixed part of the type (codec.ts). The text holds the
 * characters of all strings of all rows in order, the extra part the bytes of fields of the kinds bytes and any.
 * A msgpack record: the same timestamp and hash, u32 length, the bytes.
 */
export const BATCH_VERSION = 1
export const HEADER_BYTES = 32
/** Of the key hash in a row. */
export const HASH_AT = 8
export const FLAG_UTF16 = 1
export const FLAG_MSGPACK = 2
export const FLAG_HASH = 4

export const RECORDS_MAX = 256

export function writeHeader(
  view: DataView,
  at: number,
  flags: number,
  count: number,
  typeId: number,
  epoch: number,
  sequence: number,
  rowBytes: number,
  textBytes: number,
  extraBytes: number,
): void {
  view.setUint8(at, BATCH_VERSION)
  view.setUint8(at + 1, flags)
  view.setUint16(at + 2, count, true)
  view.setUint32(at + 4, typeId, true)
  view.setUint32(at + 8, epoch, true)
  view.setUint32(at + 12, sequence, true)
  view.setUint32(at + 16, rowBytes, true)
  view.setUint32(at + 20, textBytes, true)
  view.setUint32(at + 24, extraBytes, true)
  view.setUint32(at + 28, 0, true)
}
