import { expect, it } from 'vitest'
import { defaultMaxParallelism, intersectRanges, keyGroupRange, subtaskOfKeyGroup } from './key-groups.ts'

it('keyGroupRange() cuts all groups into ranges that subtaskOfKeyGroup() agrees with', () => {
  for (const max of [1, 2, 7, 128, 130, 4096]) {
    for (let p = 1; p <= Math.min(max, 70); p++) {
      let next = 0
      for (let i = 0; i < p; i++) {
        const { start, end } = keyGroupRange(max, p, i)
        expect(start).toBe(next)
        for (let group = start; group <= end; group++) expect(subtaskOfKeyGroup(max, p, group)).toBe(i)
        next = end + 1
      }
      expect(next).toBe(max)
    }
  }
})

it.each([
  [1, 128],
  [85, 128],
  [86, 256],
  [100, 256],
  [20_000, 32_768],
  [32_768, 32_768],
])('defaultMaxParallelism(%i) is %i', (parallelism, max) => {
  expect(defaultMaxParallelism(parallelism)).toBe(max)
})

it('intersectRanges() of closed ranges', () => {
  expect(intersectRanges({ start: 0, end: 5 }, { start: 5, end: 9 })).toEqual({ start: 5, end: 5 })
  expect(intersectRanges({ start: 0, end: 4 }, { start: 5, end: 9 })).toBeUndefined()
})
