/**
 * Holds what is sent to what arrives as it was. Between threads values are cloned as structured clone does; between processes they are msgpack, which knows most of that. What it would
 * change in silence is refused: functions, objects with a toJSON, boxed values, errors, shared memory, texts that are no Unicode, cycles.
 *
 * As with structured clone an instance of a class arrives as a plain object. As in records -0 arrives as 0, and a hole of an array as undefined.
 */
import { TailraceError } from '../../core/errors.ts'

/** Of objects in each other. */
export const DEPTH_MAX = 200
/** Names beside the elements are looked for up to this length. */
const ELEMENTS_LOOKED_AT = 10_000

/** Throws TR-RPC-008 with the place. @param what for the text: `the message "splits"` */
export function checkClonable(value: unknown, what: string): void {
  const path: string[] = []
  const problem = check(value, path, 0)
  if (problem === undefined) return
  const place = path.length === 0 ? '' : ` at ${path.reverse().join('.')}`
  throw new TailraceError('TR-RPC-008', `Cannot send ${what} to another process: ${problem}${place}; ${WANTED}`)
}

const WANTED = 'plain objects, arrays, maps, sets, dates, bigints, bytes, texts and numbers are wanted'

/** What is wrong, with its place in `path`, the innermost first. */
function check(value: unknown, path: string[], depth: number): string | undefined {
  switch (typeof value) {
    case 'function':
    case 'symbol':
      return `there is a ${typeof value}`
    case 'string':
      return value.isWellFormed() ? undefined : 'there is a text that is no Unicode (half of a surrogate pair)'
    case 'object':
      return value === null ? undefined : checkObject(value, path, depth)
    default:
      return undefined
  }
}

function checkObject(value: object, path: string[], depth: number): string | undefined {
  if (depth >= DEPTH_MAX) return `it is nested deeper than ${DEPTH_MAX} levels, or holds itself`
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const problem = check(value[i], path, depth + 1)
      if (problem !== undefined) return found(problem, path, String(i))
    }
    if (value.length <= ELEMENTS_LOOKED_AT)
      for (const name of Object.keys(value))
        if (!/^\d+$/.test(name)) return found('there is a named property of an array', path, name)
    return undefined
  }
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    const buffer = ArrayBuffer.isView(value) ? value.buffer : value
    return buffer instanceof SharedArrayBuffer ? 'there is shared memory' : undefined
  }
  if (value instanceof Map) {
    for (const [key, item] of value) {
      const problem = check(key, path, depth + 1) ?? check(item, path, depth + 1)
      if (problem !== undefined) return found(problem, path, `get(${typeof key === 'object' ? '…' : String(key)})`)
    }
    return undefined
  }
  if (value instanceof Set) {
    for (const item of value) {
      const problem = check(item, path, depth + 1)
      if (problem !== undefined) return found(problem, path, '…')
    }
    return undefined
  }
  if (value instanceof Date || value instanceof RegExp) return undefined
  if (REFUSED.some((type) => value instanceof type)) return `there is a ${nameOf(value)}`
  if (typeof (value as { toJSON?: unknown }).toJSON === 'function') return `there is a ${nameOf(value)} with a toJSON()`
  for (const name of Object.keys(value)) {
    if (name === '__proto__') return found('there is a property of this name', path, name)
    const problem = check(name, path, depth) ?? check((value as Record<string, unknown>)[name], path, depth + 1)
    if (problem !== undefined) return found(problem, path, name)
  }
  return undefined
}

/** Structured clone keeps more of these than msgpack does, or refuses them. */
const REFUSED: readonly (abstract new (...args: any[]) => object)[] = [
  Error,
  Number,
  String,
  Boolean,
  BigInt as never,
  SharedArrayBuffer,
  WeakMap,
  WeakSet,
  WeakRef,
  Promise,
]

const nameOf = (value: object): string => Object.getPrototypeOf(value)?.constructor?.name || 'object'

function found(problem: string, path: string[], name: string): string {
  path.push(name)
  return problem
}
