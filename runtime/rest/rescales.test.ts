/** What a job wants of parallelism, by REST, over HTTP. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import { FakeCluster, type FakeJob, hexId, START_MS, VERTEX } from './fake-cluster.suite.ts'
import { type RestServer, startRest } from './server.ts'

let cluster: FakeCluster
let job: FakeJob
let rest: RestServer
const clock = new ManualClock(START_MS)
const start = async (more: object = {}) => {
  rest = await startRest({ dispatcher: cluster, clock, port: 0, ...more })
}
beforeEach(async () => {
  cluster = new FakeCluster(clock)
  job = cluster.submit()
  await start()
})
afterEach(() => rest.close())

async function call(method: string, path: string, body?: object) {
  const json = body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
  const response = await fetch(`${rest.url}${path}`, { method, ...json })
  return { status: response.status, body: (await response.json()) as any }
}
const requirements = () => `/jobs/${job.id}/resource-requirements`
const bounds = (lowerBound: number, upperBound: number) => ({
  [VERTEX.window]: { parallelism: { lowerBound, upperBound } },
})

it('takes bounds in Flink’s JSON, and shows them', async () => {
  expect(await call('PUT', requirements(), bounds(1, 3))).toEqual({ status: 200, body: {} })
  expect(cluster.requirements(job.id)).toEqual({ [VERTEX.window]: { lowerBound: 1, upperBound: 3 } })
  expect(await call('GET', requirements())).toEqual({ status: 200, body: bounds(1, 3) })
})

it('says what cannot be', async () => {
  cluster.setRequirements = () => {
    throw new TailraceError('TR-CLUSTER-004', '"top 10" wants 3 to 2')
  }
  expect(await call('PUT', requirements(), bounds(3, 2))).toEqual({
    status: 400,
    body: { errors: ['TR-CLUSTER-004: "top 10" wants 3 to 2'] },
  })
  expect(await call('PUT', requirements(), { nothing: {} })).toMatchObject({ status: 400 })
  const unknown = `/jobs/${hexId(1)}/resource-requirements`
  expect([(await call('PUT', unknown, {})).status, (await call('GET', unknown)).status]).toEqual([404, 404])
  job.end('FINISHED')
  expect(await call('PUT', requirements(), bounds(1, 3))).toMatchObject({
    status: 409,
    body: { errors: [expect.stringContaining('it is FINISHED already')] },
  })
})

it('changes nothing when web.rescale.enable is false, and says so to the page', async () => {
  expect((await call('GET', '/config')).body.features['web-rescale']).toBe(true)
  await rest.close()
  await start({ canRescale: false })
  for (const [method, path] of [
    ['PUT', requirements()],
    ['PATCH', `/jobs/${job.id}/rescaling?parallelism=3`],
  ] as const)
    expect(await call(method, path, bounds(1, 3))).toMatchObject({
      status: 403,
      body: { errors: [expect.stringContaining('web.rescale.enable')] },
    })
  expect(cluster.requirements(job.id)).toBeUndefined()
  expect((await call('GET', '/config')).body.features['web-rescale']).toBe(false)
})

it('gives a whole job a parallelism, once for an id, and says when it runs so', async () => {
  const triggerId = 'f'.repeat(32)
  const path = `/jobs/${job.id}/rescaling`
  for (let i = 0; i < 2; i++)
    expect(await call('PATCH', `${path}?parallelism=5&triggerId=${triggerId}`)).toEqual({
      status: 200,
      body: { 'request-id': triggerId },
    })
  expect(cluster.triggered).toEqual([{ jobId: job.id, kind: 'rescale', parallelism: 5, triggerId }])
  expect((await call('GET', `${path}/${triggerId}`)).body).toEqual({ status: { id: 'IN_PROGRESS' }, operation: null })
  cluster.finish({})
  expect((await call('GET', `${path}/${triggerId}`)).body).toEqual({ status: { id: 'COMPLETED' }, operation: {} })
  expect((await call('PATCH', path)).status).toBe(400)
  expect((await call('GET', `${path}/${hexId(3)}`)).status).toBe(404)
})

it('shows a rescale by its id, with or without dashes', async () => {
  const wanted = Object.fromEntries(job.plan.vertices.map(({ id }) => [id, { lowerBound: 1, upperBound: 2 }]))
  job.rescales.begin('INITIAL_SCHEDULE', job.plan, wanted, 1)
  const [{ rescaleUuid: id }] = (await call('GET', `/jobs/${job.id}/rescales/history`)).body
  for (const text of [id, id.replaceAll('-', '')])
    expect((await call('GET', `/jobs/${job.id}/rescales/details/${text}`)).body).toMatchObject({
      rescaleUuid: id,
      triggerCause: 'INITIAL_SCHEDULE',
      terminalState: null,
      vertices: { [VERTEX.window]: { desiredParallelism: 2, sufficientParallelism: 1, preRescaleParallelism: null } },
    })
  expect((await call('GET', `/jobs/${job.id}/rescales/overview`)).body.rescalesCounts.inProgress).toBe(1)
  expect((await call('GET', `/jobs/${job.id}/rescales/details/nope`)).status).toBe(404)
})
