/** Whose transactions a writer may end. */
import { expect, test } from 'vitest'
import { belongsTo } from './lingering.ts'

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
])('of %j, "%s" belongs to subtask %i of %i: %s', (prefixes, id, subtask, parallelism, mine) => {
  expect(belongsTo(prefixes, id, subtask, parallelism)).toBe(mine)
})
