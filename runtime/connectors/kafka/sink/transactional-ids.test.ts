/** Whose transactions a writer may end, and when. */
import { expect, test } from 'vitest'
import { belongsTo, compareGenerations, type IdParts, idOf, partsOf } from './transactional-ids.ts'

test.each<[prefix: string, id: string, parts: Partial<IdParts> | undefined]>([
  ['p', 'p-0-12', { subtask: 0, n: 12 }],
  ['p', 'p-3.0-1-12', { generation: { epoch: 3, attempt: 0 }, subtask: 1, n: 12 }],
  ['a-1', 'a-1-2-3', { subtask: 2, n: 3 }],
  ['a-1', 'a-1-0.7-2-3', { generation: { epoch: 0, attempt: 7 }, subtask: 2, n: 3 }],
  ['a', 'a-1-2-3', undefined],
  ['a', 'a-1-0.7-2-3', undefined],
  ['p', 'p2-0-1', undefined],
  ['p', 'p-0', undefined],
  ['p', 'p-1.0-0', undefined],
  ['p', 'p-1.-0-1', undefined],
  ['p', 'p-0-x', undefined],
  ['p', 'p--1-1', undefined],
])('with the prefix %s the id %s is %j', (prefix, id, parts) => {
  expect(partsOf(prefix, id)).toEqual(parts)
  if (parts !== undefined) expect(idOf(prefix, parts.generation, parts.subtask!, parts.n!)).toBe(id)
})

test('generations begin again, so that ids stay few', () => {
  const ids = new Set<string>()
  for (let epoch = 0; epoch < 100; epoch++)
    for (let attempt = 0; attempt < 100; attempt++) ids.add(idOf('p', { epoch, attempt }, 0, 0))
  expect(ids.size).toBe(64)
})

test.each([
  ['3.2', 3, 2, 'same'],
  ['3.2', 11, 10, 'same'],
  ['3.1', 3, 2, 'before'],
  ['3.0', 3, 2, 'older'],
  ['3.7', 3, 8, 'before'],
  ['3.7', 3, 9, 'older'],
  ['3.7', 3, 10, 'older'],
  ['3.7', 3, 11, 'newer'],
  ['3.3', 3, 2, 'newer'],
  ['3.0', 3, 7, 'newer'],
  ['2.7', 3, 0, 'before'],
  ['1.7', 3, 0, 'older'],
  ['4.0', 3, 7, 'newer'],
  ['7.0', 8, 0, 'before'],
  ['0.0', 7, 0, 'newer'],
] as const)('generation %s is, for epoch %i and attempt %i, %s', (text, epoch, attempt, age) => {
  const { generation } = partsOf('p', `p-${text}-0-0`)!
  expect(compareGenerations(generation!, { epoch, attempt })).toBe(age)
})

test.each<[prefixes: string[], id: string, subtask: number, parallelism: number, mine: boolean]>([
  [['a'], 'a-0-3', 0, 1, true],
  [['a'], 'a-1-3', 0, 1, true],
  [['a'], 'a-1-0', 1, 2, true],
  [['a'], 'a-3-0', 1, 2, true],
  [['a'], 'a-2-0', 1, 2, false],
  [['new', 'old'], 'old-4-1', 1, 3, true],
  // Chaos found it: the only subtask of a sink took over the ids of every other sink of the cluster, since -1 modulo 1 is 0.
  [['a'], 'b-0-3', 0, 1, false],
  [['a'], 'a-b-0-3', 0, 1, false],
  [['a'], 'a', 0, 1, false],
  [['a'], 'a-0', 0, 1, false],
  [['a'], 'a-x-1', 0, 1, false],
  [['a-1'], 'a-1-0-1', 0, 1, true],
  [['a-1'], 'a-1-0', 0, 1, false],
  [['a'], 'a-3.7-2-0', 0, 2, true],
  [['a'], 'a-3.7-2-0', 1, 2, false],
  [['a'], 'a-3-7-2-0', 0, 2, false],
])('of %j, "%s" belongs to subtask %i of %i: %s', (prefixes, id, subtask, parallelism, mine) => {
  expect(belongsTo(prefixes, id, subtask, parallelism)).toBe(mine)
})
