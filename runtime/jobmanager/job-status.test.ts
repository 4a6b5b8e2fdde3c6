import { describe, expect, it } from 'vitest'
import { type ExecutionState, JOB_STATUSES } from '../rpc/views.ts'
import { canMove, decideEnd, isEnd, StatusHistory } from './job-status.ts'
import { countStates, vertexState } from './task-states.ts'

describe('the table of job statuses', () => {
  it('has ends that nothing leaves, and everything that starts comes to one', () => {
    for (const status of JOB_STATUSES) {
      if (isEnd(status)) expect(JOB_STATUSES.filter((to) => canMove(status, to))).toEqual([])
    }
    const reachable = new Set(['INITIALIZING'])
    for (const from of reachable) for (const to of JOB_STATUSES) if (canMove(from as never, to)) reachable.add(to)
    expect([...reachable].sort()).toEqual(
      JOB_STATUSES.filter((status) => status !== 'SUSPENDED' && status !== 'RECONCILING').sort(),
    )
  })

  it.each([
    ['RUNNING', 'RESTARTING', true],
    ['CREATED', 'RESTARTING', true],
    ['RESTARTING', 'CREATED', true],
    ['RESTARTING', 'FAILING', true],
    ['RESTARTING', 'CANCELLING', true],
    // Through CREATED, so that it shows in timestamps when slots were taken.
    ['RESTARTING', 'RUNNING', false],
    ['FAILING', 'RESTARTING', false],
    ['CANCELLING', 'RESTARTING', false],
    ['INITIALIZING', 'RESTARTING', false],
  ] as const)('%s to %s: %s', (from, to, permitted) => {
    expect(canMove(from, to)).toBe(permitted)
  })

  it('is held by StatusHistory', () => {
    const history = new StatusHistory(5)
    history.move('CREATED', 6)
    expect(() => history.move('FINISHED', 7)).toThrow('a job cannot go from CREATED to FINISHED')
    history.move('RUNNING', 7)
    history.move('FINISHED', 9)
    expect([history.endTime, history.timestamps.RUNNING, history.timestamps.FAILED]).toEqual([9, 7, 0])
  })

  it('sums how long a job was in each status over its restarts', () => {
    const history = new StatusHistory(0)
    history.move('CREATED', 10)
    history.move('RUNNING', 11)
    history.move('RESTARTING', 111)
    history.move('CREATED', 131)
    history.move('RUNNING', 132)
    expect(history.totalMs(232)).toMatchObject({
      INITIALIZING: 10,
      CREATED: 2,
      RUNNING: 200,
      RESTARTING: 20,
      FAILED: 0,
    })
    history.move('FINISHED', 332)
    expect(history.totalMs(999)).toMatchObject({ RUNNING: 300, FINISHED: 0 })
  })
})

describe('decideEnd()', () => {
  it.each([
    ['RUNNING', ['FINISHED', 'FINISHED'], 'FINISHED'],
    ['RUNNING', ['FINISHED', 'RUNNING'], undefined],
    ['RUNNING', ['FINISHED', 'CANCELED'], undefined],
    ['FAILING', ['FAILED', 'CANCELING'], undefined],
    ['FAILING', ['FAILED', 'CANCELED'], 'FAILED'],
    ['FAILING', ['FINISHED', 'FINISHED'], 'FAILED'],
    ['CANCELLING', ['CANCELED', 'FINISHED'], 'CANCELED'],
    ['CANCELLING', ['CANCELED', 'FAILED'], 'CANCELED'],
    ['CANCELLING', ['CANCELED', 'CANCELING'], undefined],
    ['RESTARTING', ['CANCELED', 'FAILED'], undefined],
    ['FINISHED', ['FINISHED'], undefined],
  ] as const)('%s with %j gives %s', (status, tasks, end) => {
    expect(decideEnd(status, tasks)).toBe(end)
  })
})

describe('vertexState()', () => {
  it.each([
    [[], 'CREATED'],
    [['CREATED', 'CREATED'], 'CREATED'],
    [['DEPLOYING', 'SCHEDULED'], 'DEPLOYING'],
    [['INITIALIZING', 'RUNNING'], 'INITIALIZING'],
    [['RUNNING', 'FINISHED'], 'RUNNING'],
    [['FINISHED', 'DEPLOYING'], 'RUNNING'],
    [['FINISHED', 'FINISHED'], 'FINISHED'],
    [['FAILED', 'CANCELED'], 'FAILED'],
    [['CANCELING', 'CANCELED', 'FINISHED'], 'CANCELING'],
    [['CANCELED', 'FINISHED'], 'CANCELED'],
  ] as [ExecutionState[], ExecutionState][])('of %j is %s', (states, state) => {
    expect(vertexState(countStates(states))).toBe(state)
  })
})
