import { expect, test } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { FakeCluster, VERTEX } from '../rest/fake-cluster.suite.ts'
import { RECENT_MS, type TaskReader } from './job-reader.ts'
import { MetricsReader } from './reader.ts'

function running() {
  const clock = new ManualClock(1_000_000)
  const cluster = new FakeCluster(clock)
  const job = cluster.submit()
  const reader = new MetricsReader(cluster, clock)
  reader.look()
  const task = (vertexId: string, subtask: number): TaskReader => reader.read(job.view()).task(vertexId, subtask)!
  const second = (work: () => void) => {
    clock.advance(1000)
    work()
    reader.look()
  }
  return { clock, cluster, job, reader, task, second }
}

test('a task is found in the page of the slot that hosts it', () => {
  const { job, task } = running()
  job.count(VERTEX.source, 0, 'numRecordsOut', 10)
  job.count(VERTEX.source, 1, 'numRecordsOut', 32)
  expect(task(VERTEX.source, 0).value('numRecordsOut')).toBe(10)
  expect(task(VERTEX.source, 1).value('numRecordsOut')).toBe(32)
  expect(task(VERTEX.source, 1).value('numRecordsIn')).toBe(0)
})

test('times() gives shares of a second that make a whole one', () => {
  const { job, reader, task, second } = running()
  for (let i = 0; i < 4; i++) {
    second(() => {
      job.count(VERTEX.window, 0, 'accumulateBusyTimeMs', 600)
      job.count(VERTEX.window, 0, 'accumulateIdleTimeMs', 300)
      job.count(VERTEX.window, 0, 'accumulateBackPressuredTimeMs', 100)
    })
  }
  expect(task(VERTEX.window, 0).times(reader.nowMs())).toEqual({ busy: 600, idle: 300, backPressured: 100 })
})

test('times() gives what a slot has not accounted for to what the task is doing', () => {
  const { job, reader, task, second } = running()
  const [hangs, sleeps, waits] = [task(VERTEX.source, 0), task(VERTEX.source, 1), task(VERTEX.window, 0)]
  second(() => job.count(VERTEX.source, 0, 'accumulateIdleTimeMs', 1000))
  job.set(VERTEX.source, 0, 'isInTurn', 1)
  job.set(VERTEX.window, 0, 'isBackPressured', 1)
  for (let i = 0; i < 3; i++) second(() => {})
  expect(hangs.times(reader.nowMs())).toEqual({ busy: 750, idle: 250, backPressured: 0 })
  expect(sleeps.times(reader.nowMs())).toEqual({ busy: 0, idle: 1000, backPressured: 0 })
  expect(waits.times(reader.nowMs())).toEqual({ busy: 0, idle: 0, backPressured: 1000 })
})

test('times() stays within a second when a long turn is accounted in one piece', () => {
  const { job, reader, task, second } = running()
  second(() => {
    job.count(VERTEX.window, 1, 'accumulateBusyTimeMs', 27_000)
    job.count(VERTEX.window, 1, 'accumulateIdleTimeMs', 3_000)
  })
  expect(task(VERTEX.window, 1).times(reader.nowMs())).toEqual({ busy: 900, idle: 100, backPressured: 0 })
})

test('times() is zero of everything before there was a second look', () => {
  const { reader, task } = running()
  expect(task(VERTEX.window, 1).times(reader.nowMs())).toEqual({ busy: 0, idle: 0, backPressured: 0 })
})

test('a page of a later attempt takes the place of the earlier one', () => {
  const { cluster, job, task } = running()
  job.count(VERTEX.top, 0, 'numRecordsIn', 5)
  expect(task(VERTEX.top, 0).value('numRecordsIn')).toBe(5)
  const again = cluster.submit()
  job.pages.push(...again.pages)
  again.count(VERTEX.top, 0, 'numRecordsIn', 2)
  expect(task(VERTEX.top, 0).value('numRecordsIn')).toBe(2)
})

test('watermark() is what a source emits and what others have taken in', () => {
  const { job, task } = running()
  job.set(VERTEX.source, 0, 'currentOutputWatermark', 77)
  job.set(VERTEX.window, 0, 'currentInputWatermark', 55)
  expect(task(VERTEX.source, 0).watermark(true)).toBe(77)
  expect(task(VERTEX.window, 0).watermark(false)).toBe(55)
  expect(task(VERTEX.top, 0).watermark(false)).toBe(-Infinity)
})

test('the reader forgets jobs that the cluster has forgotten, and their rates', () => {
  const { cluster, job, reader, second, task } = running()
  second(() => job.count(VERTEX.source, 0, 'numRecordsOut', 1000))
  expect(task(VERTEX.source, 0).perSecond('numRecordsOut', RECENT_MS, reader.nowMs())).toBe(1000)
  cluster.jobs.length = 0
  reader.look()
  cluster.jobs.push(job)
  expect(task(VERTEX.source, 0).perSecond('numRecordsOut', RECENT_MS, reader.nowMs())).toBe(0)
})
