/** What onlookers see of a job that really ran: the slots' counters, as they are at its end. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { dataGenSource } from '../connectors/datagen/index.ts'
import { WatermarkStrategy } from '../core/watermarks.ts'
import { MiniCluster } from '../testing/mini-cluster.ts'
import { type RestServer, startRest } from './server.ts'

let cluster: MiniCluster
let rest: RestServer
const get = async (path: string) => (await (await fetch(`${rest.url}${path}`)).json()) as any

beforeAll(async () => {
  cluster = await MiniCluster.start({ slots: 2 })
  rest = await startRest({ dispatcher: cluster.view, port: 0 })
})
afterAll(async () => {
  await rest.close()
  await cluster.stop()
})

test('a finished job still has the counts of all of its subtasks, and what its last watermarks were', async () => {
  const { results } = await cluster.runProgram(async (env) => {
    env.setParallelism(2)
    const even = env.fromSequence(1, 1000).filter((n) => n % 2 === 0)
    even
      .keyBy((n) => n % 10)
      .reduce((a, b) => a + b)
      .print()
    await env.execute('sums')
  })
  const id = results[0]!.jobId
  const { state, vertices } = await get(`/jobs/${id}`)
  expect(state).toBe('FINISHED')
  const counts = vertices.map(({ status, metrics }: any) => [status, metrics['read-records'], metrics['write-records']])
  expect(counts).toEqual([
    ['FINISHED', 0, 500],
    ['FINISHED', 500, 0],
  ])
  const [source, sums] = vertices
  const [filtered] = await get(`/jobs/${id}/vertices/${source.id}/subtasks/metrics?get=Filter.numRecordsIn&agg=sum`)
  expect(filtered).toEqual({ id: 'Filter.numRecordsIn', sum: 1000 })
  expect((await get(`/jobs/${id}/vertices/${sums.id}/watermarks`)).metrics.map(({ value }: any) => value)).toEqual([
    '9223372036854775807',
    '9223372036854775807',
  ])
})

test('a job that failed names the task and the operator', async () => {
  let id = ''
  const failed = cluster.runProgram(
    async (env) => {
      env
        .fromSequence(1, 10)
        .map((n) => {
          if (n === 5) throw new RangeError('five')
          return n
        })
        .name('no fives')
        .print()
      await env.execute('numbers')
    },
    { onJob: (jobId) => (id = jobId) },
  )
  await expect(failed).rejects.toThrow(/five/)
  const [root] = (await get(`/jobs/${id}/exceptions`)).exceptionHistory.entries
  expect(root).toMatchObject({ exceptionName: 'TR-TASK-001', operator: 'no fives' })
  expect(root.message).toContain('five')
  expect(root.taskName).toContain('no fives')
  expect((await get(`/jobs/${id}/status`)).status).toBe('FAILED')
})

test('a job that takes no checkpoints by itself takes a savepoint when asked, and stops with one', async () => {
  const savepoints = mkdtempSync(join(tmpdir(), 'tailrace-savepoints-'))
  try {
    const begun = Promise.withResolvers<string>()
    const ended = cluster.runProgram(
      async (env) => {
        env.setParallelism(2)
        const source = dataGenSource({ generate: (i) => i, recordsPerSecond: 100 })
        env
          .fromSource(source, WatermarkStrategy.noWatermarks(), 'numbers')
          .keyBy((n) => n % 10)
          .reduce((a, b) => a + b)
          .print()
        await env.execute('sums')
      },
      { onJob: begun.resolve, options: { 'execution.checkpointing.savepoint-dir': savepoints } },
    )
    const id = await begun.promise
    while (!cluster.job(id)!.vertices.every(({ state }) => state === 'RUNNING')) await new Promise(setImmediate)
    for (const path of ['savepoints', 'stop']) {
      const response = await fetch(`${rest.url}/jobs/${id}/${path}`, { method: 'POST' })
      const { 'request-id': triggerId } = (await response.json()) as any
      let answer: any
      do answer = await get(`/jobs/${id}/savepoints/${triggerId}`)
      while (answer.status.id === 'IN_PROGRESS')
      expect(answer.operation).toEqual({
        location: expect.stringContaining(`${savepoints}/savepoint-${id.slice(0, 6)}-`),
      })
      expect(existsSync(`${answer.operation.location}/_metadata`)).toBe(true)
    }
    await ended
    const { counts, history } = await get(`/jobs/${id}/checkpoints`)
    expect(counts).toMatchObject({ total: 2, completed: 2, failed: 0 })
    expect(history.map((one: any) => one.checkpoint_type)).toEqual(['SYNC_SAVEPOINT', 'SAVEPOINT'])
    expect((await get(`/jobs/${id}/status`)).status).toBe('FINISHED')
  } finally {
    rmSync(savepoints, { recursive: true })
  }
})
