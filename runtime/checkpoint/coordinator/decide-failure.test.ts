import { describe, expect, it } from 'vitest'
import { decideFailure, FAILURE_REASONS, type FailureReason } from './decide-failure.ts'

const COUNTED = ['begin', 'declined', 'expired', 'store']

describe('decideFailure()', () => {
  it.each(Object.keys(FAILURE_REASONS) as FailureReason[])('of a checkpoint: %s', (reason) => {
    const counted = COUNTED.includes(reason)
    const decided = decideFailure({ reason, kind: 'checkpoint', inRow: 1, tolerable: 1 })
    expect(decided).toEqual({
      inRow: counted ? 2 : 1,
      job: counted ? 'fails' : 'goes on',
      again: !counted && reason !== 'failover',
    })
  })

  it.each([
    [0, 0, 'fails'],
    [0, 1, 'goes on'],
    [1, 1, 'fails'],
    [2, 3, 'goes on'],
    [3, 3, 'fails'],
  ])('after %d in a row with %d tolerated the job %s', (inRow, tolerable, job) => {
    expect(decideFailure({ reason: 'expired', kind: 'checkpoint', inRow, tolerable })).toMatchObject({ job })
  })

  it.each(Object.keys(FAILURE_REASONS) as FailureReason[])('of a savepoint nothing counts: %s', (reason) => {
    expect(decideFailure({ reason, kind: 'savepoint', inRow: 3, tolerable: 0 })).toMatchObject({
      inRow: 3,
      job: 'goes on',
    })
  })

  it.each(Object.keys(FAILURE_REASONS) as FailureReason[])('fails the job that should stop: %s', (reason) => {
    expect(decideFailure({ reason, kind: 'stop', inRow: 0, tolerable: 9 })).toEqual({
      inRow: 0,
      // It has failed already.
      job: reason === 'failover' ? 'goes on' : 'fails',
      again: false,
    })
  })
})
