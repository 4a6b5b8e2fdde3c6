/** Taking checkpoints and savepoints, stopping with one, and disposing of them, over HTTP. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { type ErrorData, errorToData, TailraceError } from '../core/errors.ts'
import { MetricsReader } from '../metrics/reader.ts'
import { FakeCluster, type FakeJob, hexId, START_MS } from './fake-cluster.suite.ts'
import { type RestServer, startRest } from './server.ts'

let clock: ManualClock
let cluster: FakeCluster
let job: FakeJob
let rest: RestServer

async function start(options: { canCancel?: boolean } = {}): Promise<RestServer> {
  return startRest({ dispatcher: cluster, metrics: new MetricsReader(cluster, clock), clock, port: 0, ...options })
}

beforeEach(async () => {
  clock = new ManualClock(START_MS)
  cluster = new FakeCluster(clock)
  job = cluster.submit()
  job.plan.config.options['execution.checkpointing.savepoint-dir'] = '/data'
  rest = await start()
})
afterEach(() => rest.close())

async function call(path: string, body?: unknown, method = 'POST'): Promise<{ status: number; body: any }> {
  const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const response = await fetch(`${rest.url}${path}`, { method, ...json })
  return { status: response.status, body: await response.json() }
}
const get = (path: string) => call(path, undefined, 'GET')
const of = (path: string) => `/jobs/${job.id}/${path}`
const id = hexId(0x77)
const path = '/data/savepoint-1/_metadata'
const failWith = (error: Error) => cluster.finish({ error: errorToData(error) })

describe('POST /jobs/:jobid/savepoints', () => {
  it('begins one, and its GET says how it goes', async () => {
    const { status, body } = await call(of('savepoints'))
    expect([status, body]).toEqual([202, { 'request-id': expect.stringMatching(/^[0-9a-f]{32}$/) }])
    const triggerId = body['request-id']
    expect(cluster.triggered).toEqual([{ kind: 'savepoint', jobId: job.id, triggerId, cancelJob: false }])
    const path = of(`savepoints/${body['request-id']}`)
    expect(await get(path)).toEqual({ status: 200, body: { status: { id: 'IN_PROGRESS' }, operation: null } })
    cluster.finish({ result: { checkpointId: 7, path: 's3://bucket/savepoint-1/_metadata' } })
    expect(await get(path)).toEqual({
      status: 200,
      body: { status: { id: 'COMPLETED' }, operation: { location: 's3://bucket/savepoint-1' } },
    })
  })

  it('takes Flink’s options', async () => {
    const body = {
      'target-directory': ' /tmp/sp ',
      'cancel-job': true,
      formatType: 'NATIVE',
      triggerId: id.toUpperCase(),
    }
    expect(await call(of('savepoints'), body)).toEqual({ status: 202, body: { 'request-id': id } })
    expect(cluster.triggered).toEqual([
      { kind: 'savepoint', jobId: job.id, triggerId: id, directory: '/tmp/sp', cancelJob: true },
    ])
  })

  it.each([
    undefined,
    {},
    { 'target-directory': null, 'cancel-job': null, triggerId: null },
    { 'target-directory': '' },
  ])('goes where the configuration says for %j', async (body) => {
    expect((await call(of('savepoints'), body)).status).toBe(202)
    expect(cluster.triggered).toEqual([
      { kind: 'savepoint', jobId: job.id, triggerId: expect.any(String), cancelJob: false },
    ])
  })

  it('begins once for one trigger id, also after the end of the job', async () => {
    for (let i = 0; i < 3; i++) expect((await call(of('savepoints'), { triggerId: id })).status).toBe(202)
    cluster.finish()
    job.end('FINISHED')
    expect(await call(of('savepoints'), { triggerId: id })).toEqual({ status: 202, body: { 'request-id': id } })
    expect(cluster.triggered.length).toBe(1)
    const other = await call(of('stop'), { triggerId: id })
    expect([other.status, other.body.errors[0]]).toEqual([
      409,
      expect.stringContaining('it is that of a savepoint already'),
    ])
  })

  it('begins one again that was lost with an earlier JobManager', async () => {
    await call(of('savepoints'), { triggerId: id })
    failWith(new TailraceError('TR-HA-010', 'it was lost'))
    expect((await get(of(`savepoints/${id}`))).body.operation['failure-cause'].class).toBe('TR-HA-010')
    expect((await call(of('savepoints'), { triggerId: id })).status).toBe(202)
    expect(cluster.triggered.length).toBe(2)
  })

  it('says why one could not be taken', async () => {
    await call(of('savepoints'), { triggerId: id })
    const cause = new Error('disk full')
    failWith(new TailraceError('TR-CHECKPOINT-001', 'Cannot take savepoint 7: disk full', { cause }))
    const { status, body } = await get(of(`savepoints/${id}`))
    expect([status, body.status]).toEqual([200, { id: 'COMPLETED' }])
    const failure = body.operation['failure-cause']
    expect(failure).toMatchObject({ class: 'TR-CHECKPOINT-001', message: 'Cannot take savepoint 7: disk full' })
    expect(failure['stack-trace']).toMatch(
      /^TailraceError: Cannot take savepoint 7: disk full\n[\s\S]*\nCaused by: Error: disk/,
    )
    const error = JSON.parse(atob(failure['serialized-throwable'])) as ErrorData
    expect([error.code, error.cause?.message]).toEqual(['TR-CHECKPOINT-001', 'disk full'])
  })

  it('wants a directory', async () => {
    delete job.plan.config.options['execution.checkpointing.savepoint-dir']
    const { status, body } = await call(of('savepoints'))
    expect([status, body.errors[0]]).toEqual([400, expect.stringContaining('execution.checkpointing.savepoint-dir')])
    expect((await call(of('stop'), { targetDirectory: '/tmp' })).status).toBe(202)
    expect(cluster.triggered).toMatchObject([{ kind: 'stop', directory: '/tmp', drain: false }])
  })

  it.each([
    [{ triggerId: 'x' }, 400, 'the trigger id must be 32 hexadecimal digits'],
    [{ formatType: 'BINARY' }, 400, 'formatType'],
    [{ 'cancel-job': 'yes' }, 400, 'cancel-job'],
    ['no object', 400, 'object'],
  ])('refuses %j with %i', async (body, status, text) => {
    const answer = await call(of('savepoints'), body)
    expect([answer.status, answer.body.errors[0]]).toEqual([status, expect.stringContaining(text)])
    expect(cluster.triggered).toEqual([])
  })

  it('takes JSON alone, so that no other site’s page can ask', async () => {
    for (const type of ['text/plain', 'application/x-www-form-urlencoded']) {
      const init = { method: 'POST', body: '{}', headers: { 'content-type': type } }
      const response = await fetch(`${rest.url}${of('stop')}`, init)
      expect([response.status, await response.json()]).toEqual([
        415,
        { errors: [expect.stringContaining('content-type: application/json')] },
      ])
    }
    expect(cluster.triggered).toEqual([])
  })

  it('answers 404 for an unknown job, 409 for one that has ended', async () => {
    expect((await call(`/jobs/${hexId(1)}/savepoints`)).status).toBe(404)
    job.end('CANCELED')
    for (const path of ['savepoints', 'stop', 'checkpoints']) {
      const { status, body } = await call(of(path))
      expect([status, body.errors[0]]).toEqual([409, expect.stringContaining('it is CANCELED already')])
    }
  })
})

describe('GET of an operation', () => {
  it('answers 404 for an id that is unknown, or of another job or kind', async () => {
    await call(of('savepoints'), { triggerId: id })
    const other = cluster.submit()
    expect((await get(`/jobs/${other.id}/savepoints/${id}`)).status).toBe(404)
    expect((await get(of(`checkpoints/${id}`))).status).toBe(404)
    expect((await get(of(`savepoints/${id}`))).status).toBe(200)
    const { status, body } = await get(of(`savepoints/${hexId(1)}`))
    expect([status, body.errors[0]]).toEqual([404, expect.stringContaining(`Cannot find the operation ${hexId(1)}`)])
  })
})

describe('POST /jobs/:jobid/stop', () => {
  it('stops, with drain if asked for; its progress is a savepoint’s', async () => {
    expect(await call(of('stop'), { drain: true, triggerId: id })).toEqual({ status: 202, body: { 'request-id': id } })
    expect(cluster.triggered).toEqual([{ kind: 'stop', jobId: job.id, triggerId: id, drain: true }])
    cluster.finish({ result: { checkpointId: 7, path } })
    expect((await get(of(`savepoints/${id}`))).body.operation).toEqual({ location: '/data/savepoint-1' })
  })

  it('is refused where cancelling is switched off', async () => {
    await rest.close()
    rest = await start({ canCancel: false })
    expect((await call(of('stop'))).status).toBe(403)
    expect((await call(of('savepoints'), { 'cancel-job': true })).status).toBe(403)
    expect((await call(of('savepoints'))).status).toBe(202)
    expect(cluster.triggered).toMatchObject([{ kind: 'savepoint' }])
  })
})

describe('POST /jobs/:jobid/checkpoints', () => {
  it('takes one, and says where it is', async () => {
    const { body } = await call(of('checkpoints'), { checkpointType: 'FULL' })
    const path = of(`checkpoints/${body['request-id']}`)
    expect((await get(path)).body).toEqual({ status: { id: 'IN_PROGRESS' }, operation: null })
    cluster.finish({ result: { checkpointId: 12, path: '/ckp/chk-12/_metadata' } })
    expect((await get(path)).body).toEqual({
      status: { id: 'COMPLETED' },
      operation: { checkpointId: 12, location: '/ckp/chk-12' },
    })
  })

  it('says why it could not, and refuses what it cannot promise', async () => {
    await call(of('checkpoints'), { triggerId: id })
    failWith(new TailraceError('TR-CHECKPOINT-001', 'Cannot take a checkpoint: it has ended'))
    expect((await get(of(`checkpoints/${id}`))).body.operation.failureCause).toMatchObject({
      class: 'TR-CHECKPOINT-001',
    })
    const { status, body } = await call(of('checkpoints'), { checkpointType: 'INCREMENTAL' })
    expect([status, body.errors[0]]).toEqual([400, expect.stringContaining('wanted: CONFIGURED or FULL')])
  })
})

describe('POST /savepoint-disposal', () => {
  it('deletes a savepoint of anyone', async () => {
    const { status, body } = await call('/savepoint-disposal', { 'savepoint-path': '/data/savepoint-1' })
    expect([status, cluster.triggered]).toMatchObject([200, [{ kind: 'disposal', path: '/data/savepoint-1' }]])
    const path = `/savepoint-disposal/${body['request-id']}`
    expect((await get(path)).body).toEqual({ status: { id: 'IN_PROGRESS' }, operation: null })
    cluster.finish({})
    expect((await get(path)).body).toEqual({ status: { id: 'COMPLETED' }, operation: {} })
    expect((await get(`/savepoint-disposal/${hexId(1)}`)).status).toBe(404)
  })

  it('says why it could not, and wants a path', async () => {
    const once = { 'savepoint-path': '/data/chk-1', triggerId: id }
    for (let i = 0; i < 2; i++) expect((await call('/savepoint-disposal', once)).body).toEqual({ 'request-id': id })
    expect(cluster.triggered.length).toBe(1)
    failWith(new TailraceError('TR-CHECKPOINT-006', 'Cannot dispose of "/data/chk-1": it is a checkpoint'))
    const { operation } = (await get(`/savepoint-disposal/${id}`)).body
    expect(operation['failure-cause'].message).toContain('it is a checkpoint')
    for (const body of [undefined, {}, { 'savepoint-path': ' ' }]) {
      const answer = await call('/savepoint-disposal', body)
      expect([answer.status, answer.body.errors[0]]).toEqual([400, expect.stringMatching(/savepoint-path/)])
    }
  })
})

describe('a cluster that cannot begin more', () => {
  it('answers 503', async () => {
    cluster.trigger = () => {
      throw new TailraceError('TR-CHECKPOINT-001', 'Cannot begin: too many')
    }
    expect(await call(of('checkpoints'))).toEqual({
      status: 503,
      body: { errors: ['TR-CHECKPOINT-001: Cannot begin: too many'] },
    })
  })
})

describe('a server that closes', () => {
  it('waits for whoever wants to know what a stop came to', async () => {
    const lingering = await startRest({ dispatcher: cluster, clock, port: 0, lingerMs: 1000 })
    const url = `${lingering.url}${of('stop')}`
    const init = {
      method: 'POST',
      body: JSON.stringify({ triggerId: id }),
      headers: { 'content-type': 'application/json' },
    }
    await fetch(url, init)
    cluster.finish({ result: { checkpointId: 7, path } })
    job.end('FINISHED')
    let closed = false
    const closing = lingering.close().then(() => {
      closed = true
    })
    await new Promise(setImmediate)
    expect(closed).toBe(false)
    const answer = await fetch(`${lingering.url}${of(`savepoints/${id}`)}`)
    expect(await answer.json()).toMatchObject({ operation: { location: '/data/savepoint-1' } })
    await closing
  })

  it('waits neither for what runs, nor for those who have long gone', async () => {
    const lingering = await startRest({ dispatcher: cluster, clock, port: 0, lingerMs: 1000 })
    const begin = () => fetch(`${lingering.url}${of('savepoints')}`, { method: 'POST' })
    await begin()
    cluster.finish({ result: { checkpointId: 7, path }, endedAgoMs: 1000 })
    await begin()
    await lingering.close()
    expect(cluster.triggered.length).toBe(2)
  })
})
