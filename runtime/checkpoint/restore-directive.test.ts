import { expect, it } from 'vitest'
import { type BeginFacts, decideBegin, parseRestoreDirective } from './restore-directive.ts'

const facts = (more: Partial<BeginFacts>): BeginFacts => ({
  jobName: 'fraud',
  directive: { generation: 7, from: 'latest' },
  begun: undefined,
  completed: [],
  nextCheckpointId: 1,
  configured: undefined,
  ...more,
})
const tried = (more: Partial<BeginFacts>) => {
  try {
    const { begin, keep } = decideBegin(facts(more))
    return [begin.from === 'path' ? begin.path : begin.from, keep.from, keep.above]
  } catch (error) {
    return (error as { code: string }).code
  }
}
const STOPPED = { checkpointId: 7, path: '/stop' }
const begunFrom = (from: string, above: number) => ({ generation: 6, from, above })
const told = (from: string, more = {}) => ({ generation: 7, from, ...more })

it.each<[string, Partial<BeginFacts>, unknown]>([
  ['latest: the newest', { completed: [4, 5], nextCheckpointId: 6 }, ['store', 'latest', 4]],
  ['latest before anything ran', {}, ['empty', 'empty', 0]],
  ['… with a savepoint configured', { configured: '/sp' }, ['/sp', '/sp', 0]],
  ['… where state is promised', { directive: told('latest', { neverEmpty: true }) }, 'TR-HA-006'],
  ['… where a checkpoint was seen', { directive: told('latest', { atLeast: 3 }) }, 'TR-HA-006'],
  ['… and a savepoint is configured', { directive: told('latest', { atLeast: 3 }), configured: '/sp' }, 'TR-HA-006'],
  ['an older one than was seen', { directive: told('latest', { atLeast: 6 }), completed: [5] }, 'TR-HA-007'],
  ['as new as was seen', { directive: told('latest', { atLeast: 5 }), completed: [5] }, ['store', 'latest', 4]],
  ['latest: the savepoint that it was stopped with', { before: { stopped: STOPPED } }, ['/stop', '/stop', 0]],
  [
    '… over an older checkpoint, which could not be deleted',
    { before: { stopped: STOPPED }, completed: [5], nextCheckpointId: 8 },
    ['/stop', '/stop', 7],
  ],
  [
    '… which is a checkpoint of the store as well',
    { before: { stopped: STOPPED }, completed: [7], nextCheckpointId: 8 },
    ['store', 'latest', 6],
  ],
  ['… over a configured one', { before: { stopped: STOPPED }, configured: '/sp' }, ['/stop', '/stop', 0]],
  [
    '… as new as was seen',
    { before: { stopped: STOPPED }, directive: told('latest', { atLeast: 7 }) },
    ['/stop', '/stop', 0],
  ],
  ['… older than was seen', { before: { stopped: STOPPED }, directive: told('latest', { atLeast: 8 }) }, 'TR-HA-007'],
  [
    '… but nothing, when it is told so',
    { before: { stopped: STOPPED }, directive: told('empty') },
    ['empty', 'empty', 0],
  ],
  [
    'latest, where the generation before has taken none: what that began with, not what is older',
    { before: { begun: begunFrom('/old', 5) }, completed: [5], nextCheckpointId: 6 },
    ['/old', '/old', 5],
  ],
  [
    '… where it has taken some',
    { before: { begun: begunFrom('/old', 5) }, completed: [5, 8], nextCheckpointId: 9 },
    ['store', 'latest', 7],
  ],
  [
    '… where it began with nothing',
    { before: { begun: begunFrom('empty', 5) }, completed: [5], nextCheckpointId: 6, configured: '/sp' },
    ['empty', 'empty', 5],
  ],
  [
    '… where state is promised',
    { before: { begun: begunFrom('empty', 5) }, completed: [5], directive: told('latest', { neverEmpty: true }) },
    'TR-HA-006',
  ],
  [
    '… where a newer one was seen',
    { before: { begun: begunFrom('/old', 5) }, completed: [5], directive: told('latest', { atLeast: 6 }) },
    'TR-HA-006',
  ],
  [
    '… where it went on from one that is gone',
    { before: { begun: begunFrom('latest', 4) }, configured: '/sp' },
    'TR-HA-006',
  ],
  [
    'nothing, over what is there',
    { directive: told('empty'), completed: [5], nextCheckpointId: 6 },
    ['empty', 'empty', 5],
  ],
  ['nothing, which it never may', { directive: told('empty', { neverEmpty: true }) }, 'TR-HA-006'],
  ['a path, over what is there', { directive: told('/sp'), completed: [5], nextCheckpointId: 6 }, ['/sp', '/sp', 5]],
  [
    'again before its first checkpoint: not what is older',
    { directive: told('/sp'), completed: [5], begun: { generation: 7, from: '/sp', above: 5 } },
    ['/sp', '/sp', 5],
  ],
  [
    'again after it',
    { directive: told('/sp'), completed: [5, 8], begun: { generation: 7, from: '/sp', above: 5 } },
    ['store', '/sp', 5],
  ],
  [
    'again with nothing, over what is older',
    { directive: told('empty'), completed: [5], begun: { generation: 7, from: 'empty', above: 5 } },
    ['empty', 'empty', 5],
  ],
  [
    'again from the latest',
    { completed: [5], begun: { generation: 7, from: 'latest', above: 4 } },
    ['store', 'latest', 4],
  ],
  ['… that is gone', { completed: [], begun: { generation: 7, from: 'latest', above: 4 } }, 'TR-HA-006'],
])('%s', (_, given, wanted) => expect(tried(given)).toEqual(wanted))

it('a directive that cannot be read says what is wrong with it', () => {
  expect(parseRestoreDirective('{"generation":2,"from":"latest","atLeast":3,"neverEmpty":true}', 'it')).toEqual({
    generation: 2,
    from: 'latest',
    atLeast: 3,
    neverEmpty: true,
  })
  for (const text of ['', '[]', '{}', '{"generation":-1,"from":"latest"}', '{"generation":1,"from":""}'])
    expect(() => parseRestoreDirective(text, 'it')).toThrow(/Cannot read it: /)
  expect(() => parseRestoreDirective('{"generation":1,"from":"latest","atLeast":"9"}', 'it')).toThrow(
    '"atLeast" is "9"',
  )
  expect(() => parseRestoreDirective('{"generation":1,"from":"latest","neverEmpty":1}', 'it')).toThrow(
    '"neverEmpty" is 1',
  )
})
