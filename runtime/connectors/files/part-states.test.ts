import { expect, test } from 'vitest'
import { type CommitDecision, decideCommit, decideTakeOver, markOf, type TakeOverDecision } from './part-states.ts'

const refuse = (because: RegExp) => ({ do: 'refuse', because: expect.stringMatching(because) })

// Sizes of a part of 10 bytes by its names; - where it has not the name.
const commits: [hidden: number | '-', visible: number | '-', marked: boolean, decision: unknown][] = [
  [10, '-', false, { do: 'publish' }],
  [10, '-', true, { do: 'publish' }],
  [9, '-', false, refuse(/^it has 9 bytes instead of 10$/)],
  [11, '-', false, refuse(/^it has 11 bytes instead of 10$/)],
  ['-', 10, false, { do: 'nothing' }],
  ['-', 10, true, { do: 'nothing' }],
  ['-', 12, true, refuse(/^a file of 12 bytes has its name, and it has 10$/)],
  [10, 10, false, refuse(/^another file has its name$/)],
  [10, 3, true, refuse(/^another file has its name$/)],
  ['-', '-', true, { do: 'nothing' }],
  ['-', '-', false, refuse(/^it is gone$/)],
]
const size = (given: number | '-') => (given === '-' ? undefined : given)

test.each(commits)('a pending part: hidden %s, visible %s, marked %s', (hidden, visible, marked, decision) => {
  const decided: CommitDecision = decideCommit({ hidden: size(hidden), visible: size(visible) }, marked, 10)
  expect(decided).toEqual(decision)
})

const takeOvers: [hidden: number | '-', visible: number | '-', decision: unknown][] = [
  [10, '-', { do: 'copy' }],
  [15, '-', { do: 'copy' }],
  [9, '-', refuse(/^it has 9 bytes instead of 10$/)],
  ['-', '-', refuse(/^it is gone$/)],
  ['-', 10, refuse(/a newer checkpoint has finished it/)],
  [10, 10, refuse(/a newer checkpoint has finished it/)],
]
test.each(takeOvers)('a part in progress: hidden %s, visible %s', (hidden, visible, decision) => {
  const decided: TakeOverDecision = decideTakeOver({ hidden: size(hidden), visible: size(visible) }, 10)
  expect(decided).toEqual(decision)
})

test('a mark is hidden, beside its file', () => {
  expect([markOf('part-0.csv'), markOf('a/b/part-0.csv')]).toEqual([
    '.part-0.csv.committed',
    'a/b/.part-0.csv.committed',
  ])
})
