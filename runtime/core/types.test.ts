import { describe, expect, it } from 'vitest'
import { formatType, inferType, types } from './types.ts'

describe('inferType()', () => {
  it.each([
    [[1, 2.5], 'number'],
    [['a'], 'string'],
    [[true], 'boolean'],
    [[1n], 'bigint'],
    [[{ a: 1, b: 'x' }], '{ a: number, b: string }'],
    [[{ a: 1 }, { a: 2, b: 'x' }], '{ a: number, b: string | null }'],
    [[{ a: null }, { a: 1 }], '{ a: number | null }'],
    [[{ a: { b: new Date() } }], '{ a: { b: date } }'],
    [[['w', 1]], '[string, number]'],
    [
      [
        ['w', 1],
        ['w', 1, 2],
      ],
      'any',
    ],
    [[{ tags: ['a'] }], '{ tags: any }'],
    [[1, 'a'], 'any'],
    [[{}], 'any'],
    [[new Map()], 'any'],
    [[Uint8Array.of(1)], 'bytes'],
  ])('case %#', (samples, text) => {
    expect(formatType(inferType(samples))).toBe(text)
  })
  it('does not look into structures without end', () => {
    const deep = { a: { a: { a: { a: { a: { a: { a: 1 } } } } } } }
    expect(formatType(inferType([deep]))).toContain('any')
  })
})

describe('types', () => {
  it('describe rows, tuples and nullables', () => {
    const type = types.row({ id: types.int32, pair: types.tuple(types.string, types.nullable(types.date)) })
    expect(formatType(type.description)).toBe('{ id: int32, pair: [string, date | null] }')
  })
})
