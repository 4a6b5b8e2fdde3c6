/**
 * Which partition a record goes to.
 *
 * Standard: as Kafka's own producer, so that other writers of a topic put a key where we do: by the hash of the key; without a key, one partition
 * after the other, a batch each.
 */

/** `fixed`: each writer has one partition, that of its number. */
export type KafkaPartitioner<T> =
  | 'default'
  | 'fixed'
  | 'round-robin'
  | ((value: T, key: string | Uint8Array | null, partitions: number) => number)

/**
 * MurmurHash2, 32 bits, with the seed of Kafka, of the first `length` bytes.
 *
 * Source: Austin Appleby, MurmurHash2 (public domain); seed 0x9747b28c as in Kafka's DefaultPartitioner.
 */
export function murmur2(key: Uint8Array, length = key.length): number {
  const m = 0x5bd1e995
  let h = 0x9747b28c ^ length
  let i = 0
  for (; i + 4 <= length; i += 4) {
    let k = key[i]! | (key[i + 1]! << 8) | (key[i + 2]! << 16) | (key[i + 3]! << 24)
    k = Math.imul(k, m)
    k ^= k >>> 24
    k = Math.imul(k, m)
    h = Math.imul(h, m) ^ k
  }
  const rest = length - i
  if (rest > 0) {
    if (rest === 3) h ^= key[i + 2]! << 16
    if (rest >= 2) h ^= key[i + 1]! << 8
    h = Math.imul(h ^ key[i]!, m)
  }
  h ^= h >>> 13
  h = Math.imul(h, m)
  return h ^ (h >>> 15)
}

/** Units of a key that are written one by one. */
const SHORT = 24
/** Most bytes that a UTF-16 unit takes. */
const UTF8_MAX = 3
const scratch = Buffer.allocUnsafe(1024)

/** The partition of a key, as Kafka's producer has it. */
export function partitionOfKey(key: string | Uint8Array, partitions: number): number {
  let hash: number
  if (typeof key !== 'string') hash = murmur2(key)
  else if (key.length * UTF8_MAX > scratch.length) hash = murmur2(Buffer.from(key))
  else hash = murmur2(scratch, writeShort(key))
  return (hash & 0x7fffffff) % partitions
}

/** Into the scratch; returns its bytes. A call into the engine costs more than a short key. */
function writeShort(key: string): number {
  const { length } = key
  if (length > SHORT) return scratch.utf8Write(key)
  for (let i = 0; i < length; i++) {
    const unit = key.charCodeAt(i)
    if (unit > 0x7f) return scratch.utf8Write(key)
    scratch[i] = unit
  }
  return length
}
