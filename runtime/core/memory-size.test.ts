import { expect, it } from 'vitest'
import { memoryBytes } from './memory-size.ts'

it.each([
  [1024, 1024],
  ['1024', 1024],
  ['64mb', 67_108_864],
  ['1 g', 1_073_741_824],
  ['0.5 kb', 512],
  ['2048m', 2_147_483_648],
])('memoryBytes(%j) is %i', (size, bytes) => {
  expect(memoryBytes(size)).toBe(bytes)
})

it.each(['', 'much', '-1', '5 parrots'])('memoryBytes(%j) is refused', (size) => {
  expect(() => memoryBytes(size)).toThrow(/such as "64mb"/)
})
