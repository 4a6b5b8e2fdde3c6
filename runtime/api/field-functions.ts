/**
 * Reduce functions for sum, min, max, minBy and maxBy over a field [T-02].
 *
 * Results are new values: the earlier result is kept in state and may be held downstream, so it is never changed. Functions are
 * generated per field: one function that reads `record[field]` for every field of a job is slow for all of them.
 */
import { TailraceError } from '../core/errors.ts'

type RowField<T, V> = { [F in keyof T]-?: F extends string ? (T[F] extends V ? F : never) : never }[keyof T]
type TuplePosition<T extends readonly unknown[], V> = {
  [F in keyof T]: T[F] extends V ? (F extends `${infer N extends number}` ? N : never) : never
}[number]

/** A field with values of type V: its name, its position in a tuple, or a lambda that reads it. */
type FieldWith<T, V> = ((record: T) => V) | (T extends readonly unknown[] ? TuplePosition<T, V> : RowField<T, V>)

export type Comparable = number | bigint | string | boolean | Date
export type NumericField<T> = FieldWith<T, number> | FieldWith<T, bigint>
export type ComparableField<T> = FieldWith<T, Comparable>

type FieldName = string | number
type AnyField = FieldName | ((record: any) => any)

/** `{ ...a, field: a.field + b.field }`; without a field `a + b`. */
export function sumOf<T>(field: AnyField | undefined): (a: T, b: T) => T {
  return withField(field, 'sum', (a, b) => `${a} + ${b}`)
}

/** The first record's fields with the smallest or largest value of one; a tie keeps the earlier value. */
export function extremeOf<T>(which: 'min' | 'max', field: AnyField | undefined): (a: T, b: T) => T {
  const sign = which === 'min' ? '<' : '>'
  return withField(field, which, (a, b) => `${b} ${sign} ${a} ? ${b} : ${a}`)
}

/** The record that holds the smallest or largest value. */
export function extremeBy<T>(which: 'min' | 'max', field: ComparableField<T>, first: boolean): (a: T, b: T) => T {
  const sign = (which === 'min' ? '<' : '>') + (first ? '' : '=')
  const name = typeof field === 'function' ? fieldReadBy(field) : field
  if (name !== undefined) {
    const at = JSON.stringify(name)
    return generate(`return b[${at}] ${sign} a[${at}] ? b : a`)
  }
  const read = field as (record: T) => any
  if (which === 'min') return first ? (a, b) => (read(b) < read(a) ? b : a) : (a, b) => (read(b) <= read(a) ? b : a)
  return first ? (a, b) => (read(b) > read(a) ? b : a) : (a, b) => (read(b) >= read(a) ? b : a)
}

function withField<T>(
  field: AnyField | undefined,
  verb: string,
  combine: (a: string, b: string) => string,
): (a: T, b: T) => T {
  if (field === undefined) return generate(`return ${combine('a', 'b')}`)
  const name = typeof field === 'function' ? fieldReadBy(field) : field
  if (name === undefined) {
    throw new TailraceError(
      'TR-GRAPH-005',
      `Cannot ${verb} by ${String(field)}: the result replaces one field, so a field's name, a tuple's position or a lambda that only reads a field is wanted; use reduce() for more`,
    )
  }
  const at = JSON.stringify(name)
  const value = combine(`a[${at}]`, `b[${at}]`)
  const row = `return { ...a, [${at}]: ${value} }`
  if (!/^\d+$/.test(String(name))) return generate(row)
  return generate(`if (Array.isArray(a)) { const r = a.slice(); r[${at}] = ${value}; return r } ${row}`)
}

/** `field` is in it as a JSON text only. */
function generate<T>(body: string): (a: T, b: T) => T {
  return new Function('a', 'b', body) as (a: T, b: T) => T
}

/** The field that a lambda such as `(order) => order.amount` reads; undefined when it does anything else. */
function fieldReadBy(read: (record: any) => unknown): string | undefined {
  const tokens = new Map<unknown, string>()
  const probe = new Proxy(
    {},
    {
      get(_, name) {
        const token = Object.freeze(Object.create(null))
        if (typeof name === 'string') tokens.set(token, name)
        return token
      },
    },
  )
  try {
    return tokens.get(read(probe))
  } catch {
    // It computed with what it read; the tokens refuse that.
    return undefined
  }
}
