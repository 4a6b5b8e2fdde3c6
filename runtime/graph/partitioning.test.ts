import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { channelsOf, type PartitionerKind, resolvePartitioner, sendersOf } from './partitioning.ts'

const parallelism = fc.integer({ min: 1, max: 40 })
const pointwise = ['forward', 'rescale'] as const
const everywhere = ['rebalance', 'shuffle', 'broadcast', 'global', 'key', 'custom'] as const
const all: PartitionerKind[] = [...pointwise, ...everywhere]

describe('channelsOf()', () => {
  const cases: [PartitionerKind, number, number, number[][]][] = [
    ['forward', 3, 3, [[0], [1], [2]]],
    [
      'rescale',
      2,
      6,
      [
        [0, 1, 2],
        [3, 4, 5],
      ],
    ],
    ['rescale', 6, 2, [[0], [0], [0], [1], [1], [1]]],
    ['rescale', 3, 3, [[0], [1], [2]]],
    ['rescale', 2, 3, [[0, 1], [2]]],
    ['rescale', 3, 2, [[0], [0], [1]]],
    ['rescale', 1, 3, [[0, 1, 2]]],
    ['rescale', 4, 1, [[0], [0], [0], [0]]],
    [
      'rebalance',
      2,
      3,
      [
        [0, 1, 2],
        [0, 1, 2],
      ],
    ],
    ['shuffle', 1, 2, [[0, 1]]],
    ['broadcast', 1, 2, [[0, 1]]],
    ['global', 1, 2, [[0, 1]]],
    [
      'key',
      2,
      2,
      [
        [0, 1],
        [0, 1],
      ],
    ],
    ['custom', 1, 2, [[0, 1]]],
  ]
  test.each(cases)('%s from %i to %i subtasks', (kind, from, to, targets) => {
    expect(Array.from({ length: from }, (_, subtask) => channelsOf(kind, from, to, subtask))).toEqual(targets)
  })

  test('rescale uses every receiver, each sender serves as many as the others or one more', () => {
    fc.assert(
      fc.property(parallelism, parallelism, (from, to) => {
        const targets = Array.from({ length: from }, (_, subtask) => channelsOf('rescale', from, to, subtask))
        expect([...new Set(targets.flat())].sort((a, b) => a - b)).toEqual(Array.from({ length: to }, (_, i) => i))
        const sizes = targets.map((t) => t.length)
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
      }),
    )
  })
})

describe('sendersOf()', () => {
  test('is the inverse of channelsOf, in rising order', () => {
    fc.assert(
      fc.property(fc.constantFrom(...all), parallelism, parallelism, (kind, from, to) => {
        for (let receiver = 0; receiver < to; receiver++) {
          const expected = []
          for (let sender = 0; sender < from; sender++) {
            if (channelsOf(kind, from, to, sender).includes(receiver)) expected.push(sender)
          }
          expect(sendersOf(kind, from, to, receiver)).toEqual(expected)
        }
      }),
    )
  })
})

describe('resolvePartitioner()', () => {
  test('takes forward for equal parallelism and rebalance otherwise, where none was chosen', () => {
    expect(resolvePartitioner({ kind: 'auto' }, 2, 2)).toEqual({ kind: 'forward' })
    expect(resolvePartitioner({ kind: 'auto' }, 2, 3)).toEqual({ kind: 'rebalance' })
    expect(resolvePartitioner({ kind: 'shuffle' }, 2, 2)).toEqual({ kind: 'shuffle' })
  })
})
