import { describe, expect, test } from 'vitest'
import { extremeBy, extremeOf, sumOf } from './field-functions.ts'

interface Row {
  user: string
  n: number
}
const row = (user: string, n: number): Row => ({ user, n })

describe('sumOf()', () => {
  test('adds one field and keeps the others of the first record, in a new object', () => {
    const sum = sumOf<Row>('n')
    const a = row('first', 1)
    const result = sum(a, row('second', 2))
    expect(result).toEqual({ user: 'first', n: 3 })
    expect(a).toEqual(row('first', 1))
  })
  test('adds positions of tuples', () => {
    const a: [string, number] = ['a', 1]
    expect(sumOf<[string, number]>(1)(a, ['b', 2])).toEqual(['a', 3])
    expect(a).toEqual(['a', 1])
    expect(sumOf<[string, number]>((t: [string, number]) => t[1])(a, ['b', 2])).toEqual(['a', 3])
  })
  test('adds records that are numbers', () => {
    expect(sumOf<number>(undefined)(1, 2)).toBe(3)
    expect(sumOf<bigint>(undefined)(1n, 2n)).toBe(3n)
  })
  test('takes a lambda that reads one field', () => {
    expect(sumOf<Row>((r: Row) => r.n)(row('a', 1), row('b', 2))).toEqual(row('a', 3))
    expect(sumOf<Row>(({ n }: Row) => n)(row('a', 1), row('b', 2))).toEqual(row('a', 3))
  })
  test('takes names of every kind', () => {
    for (const name of ['a b', 'a"b', '1', '__proto__', 'line\nbreak', '${x}']) {
      const record = (n: number) => Object.fromEntries([[name, n]])
      const result = sumOf<any>(name)(record(1), record(2))
      expect(Object.entries(result)).toEqual([[name, 3]])
      expect(Object.getPrototypeOf(result)).toBe(Object.prototype)
    }
  })
  const computing: [string, (r: any) => any][] = [
    ['adds', (r) => r.n + 1],
    ['goes deeper', (r) => r.a.b],
    ['takes two fields', (r) => [r.a, r.b]],
    ['gives something else', () => 5],
    ['gives the record', (r) => r],
  ]
  test.each(computing)('refuses a lambda that %s', (_, read) => {
    expect(() => sumOf(read)).toThrow(
      expect.objectContaining({ code: 'TR-GRAPH-005', message: expect.stringContaining('reduce()') }),
    )
  })
})

describe('extremeOf()', () => {
  test('keeps the first record with the extreme value put in', () => {
    const min = extremeOf<Row>('min', 'n')
    expect(min(row('a', 2), row('b', 1))).toEqual(row('a', 1))
    expect(min(row('a', 1), row('b', 2))).toEqual(row('a', 1))
    const max = extremeOf<Row>('max', 'n')
    expect(max(row('a', 2), row('b', 3))).toEqual(row('a', 3))
    expect(max(row('a', 3), row('b', 2))).toEqual(row('a', 3))
  })
  test('compares texts, dates and records themselves', () => {
    expect(extremeOf<Row>('max', 'user')(row('a', 1), row('b', 2))).toEqual({ user: 'b', n: 1 })
    const early = new Date(1)
    expect(extremeOf<{ at: Date }>('min', 'at')({ at: new Date(2) }, { at: early }).at).toBe(early)
    expect(extremeOf<number>('max', undefined)(1, 2)).toBe(2)
  })
})

describe('extremeBy()', () => {
  const [low, high] = [row('low', 1), row('high', 2)]
  const [one, other] = [row('one', 5), row('other', 5)]
  const fields: [string, any][] = [
    ['a name', 'n'],
    ['a lambda that reads a field', (r: Row) => r.n],
    ['a lambda that computes', (r: Row) => r.n * 2],
  ]
  test.each(fields)('gives whole records by %s; of equal ones the first, or the last', (_, field) => {
    for (const first of [true, false]) {
      const min = extremeBy<Row>('min', field, first)
      const max = extremeBy<Row>('max', field, first)
      expect([min(low, high), min(high, low), max(low, high), max(high, low)]).toEqual([low, low, high, high])
      expect(min(one, other)).toBe(first ? one : other)
      expect(max(one, other)).toBe(first ? one : other)
    }
  })
})
