/** One request that answers when something has changed, over HTTP. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { FakeCluster, type FakeJob, START_MS } from './fake-cluster.suite.ts'
import { type RestServer, startRest } from './server.ts'

let cluster: FakeCluster
let job: FakeJob
let rest: RestServer
beforeEach(async () => {
  const clock = new ManualClock(START_MS)
  cluster = new FakeCluster(clock)
  job = cluster.submit()
  rest = await startRest({ dispatcher: cluster, clock, port: 0 })
})
afterEach(() => rest.close())

async function changes(query = '', signal?: AbortSignal) {
  const response = await fetch(`${rest.url}/tailrace/v1/changes${query}`, signal === undefined ? {} : { signal })
  return { status: response.status, body: (await response.json()) as any }
}

it('tells jobs and slots at once to whoever has seen nothing, or another version', async () => {
  const { status, body } = await changes()
  expect(status).toBe(200)
  expect(body).toMatchObject({
    version: 1,
    jobs: [{ id: job.id, state: 'RUNNING', parallelism: 2, tasks: { total: 6, running: 6 }, exception: null }],
    slots: { total: 2, free: 0, byTaskManager: { embedded: { total: 2, free: 0 } } },
  })
  expect((await changes('?since=77')).body.version).toBe(1)
})

it('says of which generation of its deployment the JobManager is that answers, as its configuration does', async () => {
  expect((await changes()).body.deployment).toEqual({ id: null, generation: null })
  await rest.close()
  const configuration = { 'tailrace.deployment.id': 'uid-1', 'tailrace.deployment.generation': '7' }
  rest = await startRest({ dispatcher: cluster, clock: new ManualClock(START_MS), port: 0, configuration })
  expect((await changes()).body.deployment).toEqual({ id: 'uid-1', generation: 7 })
  const answer = await fetch(`${rest.url}/jobmanager/config`)
  expect(await answer.json()).toEqual(Object.entries(configuration).map(([key, value]) => ({ key, value })))
})

it('answers when something has changed, with what failed last', async () => {
  const waiting = changes('?since=1')
  await changes()
  await expect.poll(() => cluster.changed.waiting).toBe(1)
  const error = errorToData(new TailraceError('TR-TASK-001', 'It is broken'))
  job.exceptions.push({ timestamp: START_MS, error, labels: {}, concurrent: [] })
  job.end('FAILED')
  cluster.changed.touch()
  expect((await waiting).body).toMatchObject({
    version: 2,
    jobs: [{ state: 'FAILED', exception: { time: START_MS, code: 'TR-TASK-001', message: 'It is broken' } }],
  })
})

it('answers as before when the time is over, and forgets who has gone', async () => {
  await changes()
  expect((await changes('?since=1&waitMs=10')).body.version).toBe(1)
  const abort = new AbortController()
  const waiting = changes('?since=1', abort.signal)
  await expect.poll(() => cluster.changed.waiting).toBe(1)
  abort.abort()
  await expect(waiting).rejects.toThrow()
  await expect.poll(() => cluster.changed.waiting).toBe(0)
})

it('refuses what it cannot read, and more onlookers than it takes', async () => {
  expect((await changes('?waitMs=-1')).status).toBe(400)
  expect((await changes('?since=now')).status).toBe(400)
  await changes()
  const waiting = [1, 2, 3].map(() => changes('?since=1'))
  await expect.poll(() => cluster.changed.waiting).toBe(3)
  expect(await changes('?since=1')).toMatchObject({
    status: 503,
    body: { errors: [expect.stringContaining('too many')] },
  })
  job.end('FINISHED')
  cluster.changed.touch()
  await Promise.all(waiting)
})

it('answers probes', async () => {
  for (const path of ['/healthz', '/readyz']) expect((await fetch(`${rest.url}${path}`)).status).toBe(200)
})
