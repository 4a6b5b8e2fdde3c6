import { expect, it } from 'vitest'
import { errorToData, TailraceError } from '../core/errors.ts'
import { Dispatcher } from './dispatcher.ts'
import type { EndedJob } from './ended-job.ts'
import { twoVertexPlan } from './fake-slots.suite.ts'
import { SlotPool } from './slot-pool.ts'

const plan = twoVertexPlan(2)
const job = (jobId: string, endedMs: number, more: Partial<EndedJob> = {}): EndedJob => {
  return { jobId, status: 'FINISHED', submittedMs: endedMs - 100, endedMs, plan, ...more }
}

function dispatcherOf(historyMax: number) {
  return new Dispatcher({ pool: new SlotPool(), newJobId: () => 'new', historyMax })
}

it('is listed behind the jobs of this leader, the last end first, and no more of them than there is room', () => {
  const dispatcher = dispatcherOf(2)
  dispatcher.showEnded([job('b', 2_000), job('c', 3_000), job('a', 1_000)])
  expect(dispatcher.list()).toMatchObject([
    { id: 'c', name: plan.config.jobName, status: 'FINISHED', startTime: 2_900, endTime: 3_000, duration: 100 },
    { id: 'b' },
  ])
  expect(dispatcher.list()[0]!.tasks).toMatchObject({ FINISHED: 4, RUNNING: 0 })
  expect([dispatcher.view('a'), dispatcher.checkpoints('a'), dispatcher.requirements('a')]).toEqual([
    undefined,
    undefined,
    undefined,
  ])
})

it('is shown with its end, its plan, what it counted and why it failed', () => {
  const dispatcher = dispatcherOf(2)
  const error = errorToData(new TailraceError('TR-TASK-001', 'no'))
  const result = { jobId: 'b', jobName: 'b', netRuntimeMs: 7, accumulators: { rows: 3 } }
  dispatcher.showEnded([job('a', 1_000, { status: 'FAILED', error }), job('b', 2_000, { result })])
  expect(dispatcher.view('a')).toMatchObject({
    status: 'FAILED',
    timestamps: { INITIALIZING: 900, FAILED: 1_000, RUNNING: 0 },
    exceptions: [{ timestamp: 1_000, error: { code: 'TR-TASK-001' } }],
    vertices: plan.vertices.map(({ id }) => ({
      id,
      state: 'FAILED',
      subtasks: [{ state: 'FAILED' }, { state: 'FAILED' }],
    })),
  })
  expect(dispatcher.view('b')).toMatchObject({ accumulators: { rows: 3 }, exceptions: [], plan })
  expect(dispatcher.checkpoints('b')).toMatchObject({ settings: { intervalMs: undefined } })
  expect(Object.keys(dispatcher.requirements('b')!)).toEqual(plan.vertices.map(({ id }) => id))
})
