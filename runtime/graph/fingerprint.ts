/**
 * Short texts of an operator's options, for comparing what two runs of a program have built.
 *
 * Functions enter by a hash of their source text (what they close over is out of reach), class instances by the source of their
 * class and their fields, texts by a hash, since an option may be a password and plans are shown. Bounded: what lies deeper or
 * later than the limits is left out, so a difference there goes unseen; it costs no correctness that could be checked otherwise.
 */
import { createHash } from 'node:crypto'

const DEPTH_MAX = 5
const ENTRIES_MAX = 256
const ELEMENTS_MAX = 16

/**
 * Options by path.
 *
 * @example
 * fingerprint({ fn: (n) => n + 1, sizeMs: 5000 }) // { fn: 'function 9c1185a5c5e9', sizeMs: '5000' }
 */
export function fingerprint(options: unknown): Record<string, string> {
  const out: Record<string, string> = {}
  const seen = new Set<object>()
  let left = ENTRIES_MAX
  const put = (path: string, text: string): void => {
    if (left-- > 0) out[path] = text
  }
  const visit = (value: unknown, path: string, depth: number): void => {
    if (left <= 0) return
    if (typeof value !== 'object' || value === null) {
      put(path, leaf(value))
      return
    }
    if (seen.has(value)) return
    seen.add(value)
    const join = (key: string): string => (path === '' ? key : `${path}.${key}`)
    if (value instanceof Date) {
      put(path, `date ${value.getTime()}`)
      return
    }
    if (ArrayBuffer.isView(value)) {
      put(path, `${value.constructor.name} of ${value.byteLength} bytes`)
      return
    }
    if (Array.isArray(value)) {
      put(join('length'), String(value.length))
      if (depth >= DEPTH_MAX) return
      for (const [i, item] of value.slice(0, ELEMENTS_MAX).entries()) visit(item, join(String(i)), depth + 1)
      return
    }
    const prototype = Object.getPrototypeOf(value)
    const make = prototype?.constructor
    if (prototype !== Object.prototype && typeof make === 'function')
      put(join('class'), `${make.name} ${sourceHash(make)}`)
    // Sources and sinks say what they read and write in words that are made to be shown.
    const described = 'describe' in value && typeof value.describe === 'function'
    if (described) put(join('describe'), String((value as { describe(): unknown }).describe()))
    if (depth >= DEPTH_MAX) return
    for (const [key, item] of Object.entries(value)) {
      if (key !== 'describe' || !described) visit(item, join(key), depth + 1)
    }
  }
  visit(options, '', 0)
  return out
}

function leaf(value: unknown): string {
  if (typeof value === 'function') return `function ${sourceHash(value)}`
  if (typeof value === 'string') return `text ${shortHash(value)}`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'symbol') return 'symbol'
  return Object.is(value, -0) ? '-0' : String(value)
}

function sourceHash(fn: Function): string {
  return shortHash(Function.prototype.toString.call(fn))
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12)
}
