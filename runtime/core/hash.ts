/**
 * Keys: canonical bytes, their 32-bit murmur3 hash, and equality.
 *
 * Canonical bytes of a key: booleans `01` or `00` and tag 1; numbers 8 bytes little-endian IEEE 754 and tag 2 (-0 is 0, NaN is
 * refused); bigints: their shortest decimal digits in ASCII and tag 3; strings: UTF-8 and tag 4; bytes and tag 5; tuples: for each
 * element its byte length (4 bytes little-endian) and its canonical bytes, then tag 6. The tag comes last, so that the words of a
 * number are aligned. Equal keys have equal bytes on every machine; 1 and 1n differ.
 *
 * Algorithm: MurmurHash3_x86_32 (Austin Appleby, public domain), seed 0, result unsigned.
 */
import './buffer.ts'
import { TailraceError } from './errors.ts'
import type { Key } from './functions.ts'

const TAG_BOOLEAN = 1
const TAG_NUMBER = 2
const TAG_BIGINT = 3
const TAG_STRING = 4
const TAG_BYTES = 5
const TAG_TUPLE = 6

const f64 = new Float64Array(1)
const u32 = new Uint32Array(f64.buffer)

function finish(h: number, length: number): number {
  h ^= length
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b)
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35)
  return (h ^ (h >>> 16)) >>> 0
}

function mixIn(h: number, k: number): number {
  k = Math.imul(k, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  h ^= Math.imul(k, 0x1b873593)
  h = (h << 13) | (h >>> 19)
  return (Math.imul(h, 5) + 0xe6546b64) | 0
}

function tail(h: number, k: number): number {
  k = Math.imul(k, 0xcc9e2d51)
  k = (k << 15) | (k >>> 17)
  return h ^ Math.imul(k, 0x1b873593)
}

/** Hash of a number key; NaN must have been refused. */
export function hashNumber(key: number): number {
  f64[0] = key + 0 // -0 + 0 is 0
  let h = mixIn(0, u32[0]!)
  h = mixIn(h, u32[1]!)
  return finish(tail(h, TAG_NUMBER), 9)
}

/** Hash of a string key; ASCII without leaving JavaScript. */
export function hashString(key: string): number {
  const n = key.length
  let h = 0
  let i = 0
  for (; i + 4 <= n; i += 4) {
    const a = key.charCodeAt(i)
    const b = key.charCodeAt(i + 1)
    const c = key.charCodeAt(i + 2)
    const d = key.charCodeAt(i + 3)
    if ((a | b | c | d) > 127) return murmur3(keyBytes(key))
    h = mixIn(h, a | (b << 8) | (c << 16) | (d << 24))
  }
  let k = 0
  let shift = 0
  for (; i < n; i++, shift += 8) {
    const a = key.charCodeAt(i)
    if (a > 127) return murmur3(keyBytes(key))
    k |= a << shift
  }
  // The tag is the last byte: of the tail, or of a word of its own when the tail has three bytes already.
  k |= TAG_STRING << shift
  if (shift === 24) h = mixIn(h, k)
  else h = tail(h, k)
  return finish(h, n + 1)
}

/** murmur3-32 of bytes, seed 0, unsigned. */
export function murmur3(bytes: Uint8Array): number {
  const n = bytes.length
  let h = 0
  let i = 0
  for (; i + 4 <= n; i += 4)
    h = mixIn(h, bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24))
  let k = 0
  for (let shift = 0; i < n; i++, shift += 8) k |= bytes[i]! << shift
  if ((n & 3) !== 0) h = tail(h, k)
  return finish(h, n)
}

/**
 * Hash of any key, unsigned 32 bits.
 *
 * Throws TR-RECORD-001 for null, undefined, NaN, functions, symbols and objects that are no tuple or bytes.
 */
export function hashKey(key: Key): number {
  if (typeof key === 'number') {
    if (Number.isNaN(key)) throw badKey(key)
    return hashNumber(key)
  }
  if (typeof key === 'string') return hashString(key)
  return murmur3(keyBytes(key))
}

function badKey(key: unknown): TailraceError {
  const found = typeof key === 'object' && key !== null ? (key.constructor?.name ?? 'object') : String(key)
  return new TailraceError(
    'TR-RECORD-001',
    `Cannot use ${found} as a key: keys are booleans, numbers other than NaN, bigints, strings, Uint8Arrays, and arrays of these`,
  )
}

/** The canonical bytes of a key. */
export function keyBytes(key: Key): Uint8Array {
  switch (typeof key) {
    case 'boolean':
      return Uint8Array.of(key ? 1 : 0, TAG_BOOLEAN)
    case 'number': {
      if (Number.isNaN(key)) throw badKey(key)
      const bytes = new Uint8Array(9)
      new DataView(bytes.buffer).setFloat64(0, key + 0, true)
      bytes[8] = TAG_NUMBER
      return bytes
    }
    case 'bigint':
      return tagged(Buffer.from(key.toString(), 'latin1'), TAG_BIGINT)
    case 'string':
      return tagged(Buffer.from(key, 'utf8'), TAG_STRING)
    case 'object': {
      if (key === null) throw badKey(key)
      if (key instanceof Uint8Array) return tagged(key, TAG_BYTES)
      if (!Array.isArray(key)) throw badKey(key)
      const parts = key.map(keyBytes)
      const bytes = new Uint8Array(parts.reduce((n, p) => n + 4 + p.length, 1))
      const view = new DataView(bytes.buffer)
      let at = 0
      for (const part of parts) {
        view.setUint32(at, part.length, true)
        bytes.set(part, at + 4)
        at += 4 + part.length
      }
      bytes[at] = TAG_TUPLE
      return bytes
    }
    default:
      throw badKey(key)
  }
}

function tagged(bytes: Uint8Array, tag: number): Uint8Array {
  const out = new Uint8Array(bytes.length + 1)
  out.set(bytes)
  out[bytes.length] = tag
  return out
}

/**
 * A primitive that is equal (===) exactly when the keys are: the key itself, or the canonical bytes of a tuple or bytes as a
 * string. The NUL prefix keeps it apart from ordinary strings.
 */
export function lookupKey(key: Key): string | number | boolean | bigint {
  if (typeof key !== 'object') return key
  return `\0${Buffer.from(keyBytes(key)).latin1Slice()}`
}

/** The key that {@link lookupKey} was given; tuples and bytes are made anew. */
export function keyOfLookup(lookup: string | number | boolean | bigint): Key {
  if (typeof lookup !== 'string' || lookup.charCodeAt(0) !== 0) return lookup
  return keyOfBytes(Buffer.from(lookup, 'latin1').subarray(1)) ?? lookup
}

/** Inverse of {@link keyBytes}; undefined for bytes that are none of it. */
function keyOfBytes(bytes: Buffer): Key | undefined {
  const body = bytes.subarray(0, -1)
  switch (bytes.at(-1)) {
    case TAG_BOOLEAN:
      return body[0] === 1
    case TAG_NUMBER:
      return body.length === 8 ? body.readDoubleLE() : undefined
    case TAG_BIGINT:
      return BigInt(body.latin1Slice())
    case TAG_STRING:
      return body.utf8Slice()
    case TAG_BYTES:
      return new Uint8Array(body)
    case TAG_TUPLE: {
      const parts: Key[] = []
      for (let at = 0; at < body.length; ) {
        const length = at + 4 <= body.length ? body.readUInt32LE(at) : -1
        const part = length < 0 ? undefined : keyOfBytes(body.subarray(at + 4, at + 4 + length))
        if (part === undefined) return undefined
        parts.push(part)
        at += 4 + length
      }
      return parts
    }
    default:
      return undefined
  }
}
