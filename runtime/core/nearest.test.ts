import { expect, test } from 'vitest'
import { nearest } from './nearest.ts'

test.each([
  ['count', ['counts', 'mount'], 'counts'],
  ['count', ['cuont'], 'cuont'],
  ['Count', ['count'], 'count'],
  ['count-by-user-v1', ['count-by-page', 'count-by-user-v2', 'sum-by-user'], 'count-by-user-v2'],
  ['count', ['sum', 'window', 'source'], undefined],
  ['ab', ['xy'], undefined],
  ['a', ['b'], undefined],
  ['count', [], undefined],
  ['parallelism.defualt', ['parallelism.default', 'pipeline.name'], 'parallelism.default'],
])('nearest(%j, %j) is %j', (text, candidates, found) => {
  expect(nearest(text, candidates)).toBe(found)
})
