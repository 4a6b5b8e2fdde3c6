import { expect, test } from 'vitest'
import { dueMs, ONE_PART, type RollingPolicy, rollingOf } from './rolling-policy.ts'

test('a policy has the defaults of Flink', () => {
  expect(rollingOf({})).toEqual({
    partBytesMax: 128 * 2 ** 20,
    rolloverMs: 60_000,
    inactivityMs: 60_000,
    onCheckpoint: false,
  })
  expect(
    rollingOf({ maxPartSize: '1 kb', rolloverInterval: '5 min', inactivityInterval: 1, onCheckpoint: true }),
  ).toEqual({
    partBytesMax: 1024,
    rolloverMs: 300_000,
    inactivityMs: 1,
    onCheckpoint: true,
  })
  expect(rollingOf({ maxPartSize: Infinity, rolloverInterval: Infinity }).partBytesMax).toBe(Infinity)
})

// A part of time 1000, last written at 5000.
const dues: [policy: RollingPolicy, dueMs: number][] = [
  [{}, 61_000],
  [{ inactivityInterval: '10 s' }, 15_000],
  [{ rolloverInterval: '10 s' }, 11_000],
  [{ rolloverInterval: Infinity, inactivityInterval: Infinity }, Infinity],
]
test.each(dues)('%j ends a part at %i', (policy, due) => {
  expect(dueMs({ openedMs: 1000, writtenMs: 5000 }, rollingOf(policy))).toBe(due)
})
test('one part ends with the input only', () => {
  expect(dueMs({ openedMs: 1000, writtenMs: 5000 }, ONE_PART)).toBe(Infinity)
})

test.each([
  [{ maxPartSize: 0 }, 'Cannot use 0 as "maxPartSize" of a rolling policy: it must be above 0'],
  [{ rolloverInterval: -1 }, 'Cannot use -1 as "rolloverInterval" of a rolling policy: it must be above 0'],
  [{ inactivityInterval: '0 s' }, 'Cannot use 0 s as "inactivityInterval" of a rolling policy: it must be above 0'],
  [{ maxPartSize: 'big' }, /Cannot read the memory size "big"/],
] as [RollingPolicy, string | RegExp][])('%j is refused', (policy, message) => {
  expect(() => rollingOf(policy)).toThrow(message)
})
