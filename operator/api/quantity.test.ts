import { describe, expect, test } from 'vitest'
import { bytesQuantity, coresQuantity, flinkMemory, MEMORY_PATTERN, QUANTITY_PATTERN, quantity } from './quantity.ts'

describe('quantity()', () => {
  test.each([
    ['500m', 0.5],
    ['2', 2],
    [2, 2],
    ['1.5', 1.5],
    ['.5', 0.5],
    ['2Gi', 2 ** 31],
    ['100M', 1e8],
    ['1e3', 1000],
    ['12E', 12e18],
    ['2048m', 2.048],
    ['-1', -1],
  ])('reads %s as Kubernetes does', (text, value) => {
    expect(quantity(text)).toBeCloseTo(value, 6)
    expect(String(text)).toMatch(new RegExp(QUANTITY_PATTERN))
  })

  test.each(['', 'two', '2 Gi', '2g', '1GiB', '0x10', '--1'])('knows that %j is none', (text) => {
    expect(quantity(text)).toBeUndefined()
    expect(text).not.toMatch(new RegExp(QUANTITY_PATTERN))
  })
})

describe('flinkMemory()', () => {
  test.each([
    ['2048m', 2 ** 31],
    ['1Gi', 2 ** 30],
    ['1g', 2 ** 30],
    ['512 mb', 2 ** 29],
    ['1073741824', 2 ** 30],
    ['1.5gb', 1.5 * 2 ** 30],
    ['4096MiB', 2 ** 32],
  ])('reads %s as Flink does', (text, bytes) => {
    expect(flinkMemory(text)).toBe(bytes)
    expect(text).toMatch(new RegExp(MEMORY_PATTERN))
  })

  test.each(['', 'much', '-1g', '1x', '1 g b'])('knows that %j is none', (text) => {
    expect(flinkMemory(text)).toBeUndefined()
    expect(text).not.toMatch(new RegExp(MEMORY_PATTERN))
  })
})

test('amounts become quantities that mean the same', () => {
  expect(bytesQuantity(2 ** 31)).toBe('2048Mi')
  expect(bytesQuantity(1000)).toBe('1000')
  expect(coresQuantity(0.5)).toBe('500m')
  expect(coresQuantity(2)).toBe('2')
  expect(coresQuantity(0.0004)).toBe('0')
})
