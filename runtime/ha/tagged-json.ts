/**
 * Values that a program computed, as JSON and back: what structured cloning keeps is kept, so that a JobManager that takes over replays the same.
 *
 * What JSON has no word for is an object with a tag:
 *
 *     undefined                      { "$": "undefined" }
 *     NaN, Infinity, -Infinity, -0   { "$": "number", "v": "NaN" }
 *     12n                            { "$": "bigint", "v": "12" }
 *     Date                           { "$": "date", "v": milliseconds since 1970, or null for an invalid one }
 *     RegExp                         { "$": "regexp", "v": source, "flags": flags }
 *     Map, Set                       { "$": "map", "v": [[key, value], …] }, { "$": "set", "v": [value, …] }
 *     Uint8Array and its likes       { "$": "bytes", "t": "Uint8Array", "v": base64 }; t may be ArrayBuffer or DataView
 *     Error                          { "$": "error", "name", "message", "stack", "cause"? }
 *     an object with a key "$"       { "$": "object", "v": { … } }
 *
 * Refused, with the path to it: functions, symbols, instances of other classes, and values that contain themselves. A value that is in two places is two values afterwards.
 */
import { TailraceError } from '../core/errors.ts'

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** Beyond it the stack would end. */
const DEPTH_MAX = 500

/** @param name what the value is, for messages, such as `env.once("seed")` */
export function toTaggedJson(value: unknown, name: string): Json {
  return encode(value, name, new Set())
}

/** The inverse of {@link toTaggedJson}. Throws TR-HA-003 for a tag that it does not know. */
export function fromTaggedJson(json: Json): unknown {
  if (typeof json !== 'object' || json === null) return json
  if (Array.isArray(json)) return json.map(fromTaggedJson)
  if (!Object.hasOwn(json, '$')) return decodeEntries(json)
  const decode = DECODERS[String(json.$)]
  if (decode !== undefined) return decode(json)
  throw new TailraceError('TR-HA-003', `Cannot read a value with the tag "${json.$}", wanted one of ${TAGS.join(', ')}`)
}

const BYTES: Record<string, new (buffer: ArrayBuffer) => ArrayBufferView> = {
  Uint8Array,
  Uint8ClampedArray,
  Int8Array,
  Uint16Array,
  Int16Array,
  Uint32Array,
  Int32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
}

const DECODERS: Record<string, (json: { [key: string]: any }) => unknown> = {
  undefined: () => undefined,
  number: ({ v }) => Number(v),
  bigint: ({ v }) => BigInt(v),
  date: ({ v }) => new Date(v ?? Number.NaN),
  regexp: ({ v, flags }) => new RegExp(v, flags),
  map: ({ v }) => new Map(v.map((entry: Json[]) => entry.map(fromTaggedJson))),
  set: ({ v }) => new Set(v.map(fromTaggedJson)),
  bytes: ({ v, t }) => {
    const bytes = Uint8Array.from(Buffer.from(v, 'base64'))
    return t === 'ArrayBuffer' ? bytes.buffer : new BYTES[t]!(bytes.buffer)
  },
  error: ({ name, message, stack, cause }) => {
    const error = new Error(message, cause === undefined ? undefined : { cause: fromTaggedJson(cause) })
    return Object.assign(error, { name, stack })
  },
  object: ({ v }) => decodeEntries(v),
}
const TAGS = Object.keys(DECODERS)

function encode(value: unknown, path: string, above: Set<object>): Json {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0)
        ? value
        : { $: 'number', v: Object.is(value, -0) ? '-0' : String(value) }
    case 'bigint':
      return { $: 'bigint', v: String(value) }
    case 'undefined':
      return { $: 'undefined' }
    case 'object':
      break
    default:
      throw refused(path, `it is a ${typeof value}`)
  }
  if (value === null) return null
  if (above.has(value)) throw refused(path, 'it contains itself')
  if (above.size >= DEPTH_MAX) throw refused(path, `it is ${DEPTH_MAX} levels deep`)
  above.add(value)
  const json = encodeObject(value, path, above)
  above.delete(value)
  return json
}

function encodeObject(value: object, path: string, above: Set<object>): Json {
  const inside = (one: unknown, key: string | number) => encode(one, `${path}[${JSON.stringify(key)}]`, above)
  if (Array.isArray(value)) return Array.from(value, inside)
  if (value instanceof Date) return { $: 'date', v: Number.isNaN(value.getTime()) ? null : value.getTime() }
  if (value instanceof RegExp) return { $: 'regexp', v: value.source, flags: value.flags }
  if (value instanceof Map)
    return { $: 'map', v: [...value].map(([key, one], i) => [inside(key, `key ${i}`), inside(one, i)]) }
  if (value instanceof Set) return { $: 'set', v: [...value].map(inside) }
  if (value instanceof ArrayBuffer) return { $: 'bytes', t: 'ArrayBuffer', v: base64(new Uint8Array(value)) }
  if (ArrayBuffer.isView(value)) {
    const t = Object.keys(BYTES).find((name) => value instanceof BYTES[name]!)
    if (t === undefined) throw refused(path, `it is a ${value.constructor.name}`)
    return { $: 'bytes', t, v: base64(new Uint8Array(value.buffer, value.byteOffset, value.byteLength)) }
  }
  if (value instanceof Error) {
    const { name, message, stack = '', cause } = value
    return { $: 'error', name, message, stack, ...(cause === undefined ? {} : { cause: inside(cause, 'cause') }) }
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw refused(path, `it is an instance of ${prototype.constructor?.name ?? 'a class'}`)
  const entries = Object.entries(value).map(([key, one]) => [key, inside(one, key)] as const)
  return Object.hasOwn(value, '$') ? { $: 'object', v: Object.fromEntries(entries) } : Object.fromEntries(entries)
}

function decodeEntries(json: { [key: string]: Json }): Record<string, unknown> {
  return Object.fromEntries(Object.entries(json).map(([key, one]) => [key, fromTaggedJson(one)]))
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function refused(path: string, found: string): TailraceError {
  return new TailraceError(
    'TR-HA-004',
    `Cannot keep ${path}: ${found}, wanted plain data (objects, arrays, numbers, texts, dates, maps, sets, bytes)`,
  )
}
