/**
 * A parser generated from one record: it expects the same keys in the same order with the same spacing, compares the bytes between
 * values, and reads the values in place. Whatever does not fit ends its run without a trace, and JSON.parse reads that record. So it
 * is an assumption about speed only: results are those of JSON.parse, always (template.test.ts holds it to that).
 *
 * Measured at 111 ns per 200-byte line against 440 for JSON.parse (docs/benchmarks.md, case json-in).
 *
 * Generated code and not a table of fields: the object is built by one literal, so that all records share a shape; the loop belongs
 * to this decoder alone, so that V8 knows what it calls and inlines the first operators of the chain.
 */
import type { SplitOutput } from '../../core/source.ts'
import { type Cursor, PLAIN, readNumber, readString, readValue, skipSpace, skipString, skipValue } from './scan.ts'

/**
 * Pushes up to `max` records, the first at `p`, while they fit and begin before `limit`. Returns the position after the last one and
 * counts them in `cursor.count`. `text` is d.latin1Slice(base, end), and d[end] is 0.
 */
export type TemplateParser = (
  d: Buffer,
  view: DataView,
  text: string,
  base: number,
  p: number,
  end: number,
  limit: number,
  max: number,
  output: SplitOutput<any>,
  cursor: Cursor,
) => number

export interface Template {
  parse: TemplateParser
  /** Equal for templates that expect the same bytes. */
  signature: string
}

/** `line`: each record is a line. `value`: one record, whatever follows. */
export type TemplateMode = 'line' | 'value'

interface Field {
  /** Bytes before the value: the brace or comma, the key, the colon, spaces. */
  before: number[]
  key: string
  value: Node
}
type Node = { kind: 'number' | 'string' | 'any' } | { kind: 'object'; fields: Field[]; after: number[] }

const FIELDS_MAX = 100
const DEPTH_MAX = 4

let generated = 0

/** A parser for records like d[start, end), which is one JSON value; undefined when it is no object or not worth it. */
export function compileTemplate(d: Buffer, start: number, end: number, mode: TemplateMode): Template | undefined {
  const size = { fields: 0 }
  const p = skipSpace(d, start, end)
  if (p !== start || d[p] !== 123) return undefined
  const node = describe(d, p, end, 0, size)
  if (node === undefined || node.kind !== 'object' || size.fields === 0 || size.fields > FIELDS_MAX) return undefined
  const code = `return function parse(d, view, text, base, p, end, limit, max, output, cursor) {
  let n = 0
  records: while (n < max && p < limit) {
    let q = p, c = 0, a = 0, m = 0
${readCode(node, { next: 0 })}
${mode === 'line' ? lineEndCode : ''}
    p = q
    n++
    output.collect(${literal(node, { next: 0 })}, -Infinity)
  }
  cursor.count = n
  return p
}`
  // The number makes the text unique: V8 gives equal texts one feedback vector.
  const make = new Function('PLAIN', 'readNumber', 'readString', 'readValue', `// ${generated++}\n${code}`)
  return { parse: make(PLAIN, readNumber, readString, readValue), signature: code }
}

const lineEndCode = `    c = d[q]
    if (c === 10) q++
    else if (c === 13 && d[q + 1] === 10) q += 2
    else break`

/** Shape of the object at `p`; undefined when it holds a key that a literal cannot. */
function describe(d: Buffer, p: number, end: number, depth: number, size: { fields: number }): Node | undefined {
  const fields: Field[] = []
  const keys = new Set<string>()
  let from = p
  let q = skipSpace(d, p + 1, end)
  if (d[q] === 125) return { kind: 'object', fields, after: [...d.subarray(from, q + 1)] }
  for (;;) {
    const keyEnd = skipString(d, q, end)
    if (keyEnd < 0) return undefined
    const key: string = JSON.parse(d.utf8Slice(q, keyEnd))
    if (keys.has(key) || key === '__proto__') return undefined
    keys.add(key)
    q = skipSpace(d, skipSpace(d, keyEnd, end) + 1, end)
    const before = [...d.subarray(from, q)]
    const valueEnd = skipValue(d, q, end)
    if (valueEnd < 0) return undefined
    size.fields++
    const c = d[q]!
    let value: Node | undefined = { kind: c === 34 ? 'string' : c === 45 || (c >= 48 && c <= 57) ? 'number' : 'any' }
    if (c === 123 && depth < DEPTH_MAX && size.fields < FIELDS_MAX) value = describe(d, q, end, depth + 1, size)
    if (value === undefined) return undefined
    fields.push({ before, key, value })
    from = valueEnd
    q = skipSpace(d, valueEnd, end)
    if (d[q] === 125) return { kind: 'object', fields, after: [...d.subarray(from, q + 1)] }
    q = skipSpace(d, q + 1, end)
  }
}

/** Compares four bytes at once; the last word may overlap the one before. */
function mismatch(bytes: number[]): string {
  const at = (i: number) => (i === 0 ? 'q' : `q + ${i}`)
  if (bytes.length < 4) return bytes.map((byte, i) => `d[${at(i)}] !== ${byte}`).join(' || ')
  const words: string[] = []
  for (let i = 0; i < bytes.length; i += 4) {
    const from = Math.min(i, bytes.length - 4)
    const word = bytes[from]! | (bytes[from + 1]! << 8) | (bytes[from + 2]! << 16) | (bytes[from + 3]! << 24)
    words.push(`view.getInt32(${at(from)}, true) !== ${word}`)
  }
  return words.join(' || ')
}

/** Code that reads the object at q into variables and moves q; leaves the loop on a mismatch. */
function readCode(node: Node & { kind: 'object' }, names: { next: number }): string {
  let code = ''
  for (const { before, value } of node.fields) {
    code += `    if (${mismatch(before)}) break records
    q += ${before.length}
`
    // The first bytes of a nested object are in the `before` of its first field.
    if (value.kind === 'object') {
      code += readCode(value, names)
      continue
    }
    const v = `v${names.next++}`
    code += `    let ${v}\n`
    const any = `{ ${v} = readValue(d, q, end, cursor); q = cursor.at; if (q < 0) break records }`
    if (value.kind === 'string') {
      code += `    if (d[q] === 34) {
      a = ++q
      for (;;) {
        c = view.getInt32(q, true)
        if (((c | (c - 0x20202020) | ((c ^ 0x22222222) - 0x01010101) | ((c ^ 0x5c5c5c5c) - 0x01010101)) & 0x80808080) !== 0) break
        q += 4
      }
      while (PLAIN[d[q]] === 1) q++
      if (d[q] === 34) { ${v} = text.substring(a - base, q - base); q++ }
      else { ${v} = readString(d, a, cursor); q = cursor.at; if (q < 0) break records }
    } else ${any}
`
    } else if (value.kind === 'number') {
      code += `    a = q
    c = d[q]
    if (c === 45) c = d[++q]
    if (c > 48 && c <= 57) {
      m = c - 48
      c = d[++q]
      while (c >= 48 && c <= 57) { m = m * 10 + (c - 48); c = d[++q] }
      if (c === 46 || c === 101 || c === 69 || q - a > 15) { ${v} = readNumber(d, a, cursor); q = cursor.at; if (q < 0) break records }
      else ${v} = d[a] === 45 ? -m : m
    } else { q = a; ${v} = readValue(d, q, end, cursor); q = cursor.at; if (q < 0) break records }
`
    } else code += `    ${any}\n`
  }
  code += `    if (${mismatch(node.after)}) break records
    q += ${node.after.length}
`
  return code
}

/** The object literal over the variables of `readCode`, in the same order. */
function literal(node: Node & { kind: 'object' }, names: { next: number }): string {
  const parts = node.fields.map(({ key, value }) => {
    return `${JSON.stringify(key)}: ${value.kind === 'object' ? literal(value, names) : `v${names.next++}`}`
  })
  return `{ ${parts.join(', ')} }`
}
