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
 * MurmurHash2, 32 bits, with the seed of Kafka.
 *
 * Source: Austin Appleby, MurmurHash2 (public domain); seed 0x9747b28c as in Kafka's DefaultPartitioner.
 */
export function murmur2(key: Uint8Array): number {
  const m = 0x5bd1e995
  const { length } = key
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

const scratch = Buffer.allocUnsafe(1024)

/** The partition of a key, as Kafka's producer has it. */
export function partitionOfKey(key: string | Uint8Array, partitions: number): number {
  let bytes: Uint8Array
  if (typeof key !== 'string') bytes = key
  else if (key.length * 3 > scratch.length) bytes = Buffer.from(key)
  else bytes = scratch.subarray(0, scratch.utf8Write(key))
  return (murmur2(bytes) & 0x7fffffff) % partitions
}
