import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { isTailraceError } from '../core/errors.ts'
import { MetricsReader } from '../metrics/reader.ts'
import { FakeCluster, type FakeJob, hexId, START_MS, VERTEX } from './fake-cluster.suite.ts'
import { type RestServer, startRest } from './server.ts'

let clock: ManualClock
let cluster: FakeCluster
let job: FakeJob
let metrics: MetricsReader
let rest: RestServer

beforeEach(async () => {
  clock = new ManualClock(START_MS)
  cluster = new FakeCluster(clock)
  job = cluster.submit()
  metrics = new MetricsReader(cluster, clock)
  metrics.look()
  rest = await startRest({
    dispatcher: cluster,
    metrics,
    clock,
    port: 0,
    configuration: { 'rest.port': '0', 's3.secret-key': 'hunter2' },
  })
})
afterEach(() => rest.close())

async function call(path: string, method = 'GET'): Promise<{ status: number; body: any }> {
  const response = await fetch(`${rest.url}${path}`, { method })
  return { status: response.status, body: await response.json() }
}
const get = async (path: string) => (await call(path)).body

describe('errors', () => {
  test('an id that nobody has answers 404 and names it', async () => {
    const unknown = hexId(0xdead)
    for (const path of [`/jobs/${unknown}`, `/jobs/${unknown}/plan`, `/v1/jobs/${unknown}/live`]) {
      const { status, body } = await call(path)
      expect(status).toBe(404)
      expect(body.errors[0]).toContain(unknown)
    }
    const { status, body } = await call(`/jobs/${job.id}/vertices/${unknown}/backpressure`)
    expect(status).toBe(404)
    expect(body.errors[0]).toContain(`Cannot find vertex ${unknown}: job ${job.id} (Flight delays)`)
    const subtask = await call(`/jobs/${job.id}/vertices/${VERTEX.top}/subtasks/7`)
    expect(subtask.status).toBe(404)
    expect(subtask.body.errors[0]).toContain('Cannot find subtask 7')
    const taskManager = await call('/taskmanagers/nobody')
    expect(taskManager.status).toBe(404)
    expect(taskManager.body.errors[0]).toContain('nobody')
  })

  test('what cannot be an id or a number answers 400 and says what is wanted', async () => {
    const { status, body } = await call('/jobs/flights')
    expect(status).toBe(400)
    expect(body.errors[0]).toContain('32 hexadecimal digits')
    expect((await call(`/jobs/${job.id}/exceptions?maxExceptions=many`)).status).toBe(400)
    expect((await call(`/jobs/${job.id}/vertices/${VERTEX.top}/subtasks/metrics?agg=median`)).status).toBe(400)
    const range = await call(`/jobs/${job.id}/vertices/${VERTEX.top}/subtasks/metrics?get=x&subtasks=a-b`)
    expect(range).toEqual({ status: 400, body: { errors: [expect.stringContaining('Cannot read subtasks "a-b"')] } })
  })

  test('a path that is not served answers 404 in the same form', async () => {
    const { status, body } = await call('/jobs/overview/more')
    expect(status).toBe(404)
    expect(body.errors[0]).toContain('GET /jobs/overview/more')
  })

  test('a taken port is an error that names it', async () => {
    const failed = await startRest({ dispatcher: cluster, metrics, port: rest.port }).catch((error: unknown) => error)
    expect(isTailraceError(failed) && failed.code).toBe('TR-CLUSTER-003')
    expect(String(failed)).toContain(`port ${rest.port} for REST and the page`)
  })
})

describe('the prefix /v1', () => {
  test('is optional and changes nothing', async () => {
    expect(await get('/v1/jobs')).toEqual(await get('/jobs'))
    expect(await get(`/v1/jobs/${job.id}/`)).toEqual(await get(`/jobs/${job.id}`))
  })
})

describe('cancel', () => {
  test('PATCH answers 202 and asks the cluster, with and without mode', async () => {
    expect(await call(`/jobs/${job.id}?mode=cancel`, 'PATCH')).toEqual({ status: 202, body: {} })
    expect(cluster.cancelled).toEqual([job.id])
    expect((await get('/jobs')).jobs).toEqual([{ id: job.id, status: 'CANCELED' }])
    expect((await call(`/jobs/${job.id}`, 'PATCH')).status).toBe(202)
  })

  test('a job that has ended by itself answers 409, another mode 400, an unknown job 404', async () => {
    expect((await call(`/jobs/${job.id}?mode=stop`, 'PATCH')).status).toBe(400)
    expect((await call(`/jobs/${hexId(1)}`, 'PATCH')).status).toBe(404)
    job.end('FINISHED')
    expect(await call(`/jobs/${job.id}`, 'PATCH')).toEqual({
      status: 409,
      body: { errors: [`Cannot cancel job ${job.id} (Flight delays): it is FINISHED already`] },
    })
    expect(cluster.cancelled).toEqual([])
  })

  test('answers 403 when it is switched off', async () => {
    const closed = await startRest({ dispatcher: cluster, metrics, port: 0, canCancel: false })
    try {
      expect((await fetch(`${closed.url}/jobs/${job.id}`, { method: 'PATCH' })).status).toBe(403)
      expect(cluster.cancelled).toEqual([])
    } finally {
      await closed.close()
    }
  })
})

describe('/overview and /jobs', () => {
  test('count slots and jobs by how they ended', async () => {
    cluster.submit('second').end('FAILED')
    cluster.submit('third').end('FINISHED')
    expect(await get('/overview')).toMatchObject({
      taskmanagers: 1,
      'slots-total': 2,
      'slots-available': 0,
      'jobs-running': 1,
      'jobs-finished': 1,
      'jobs-cancelled': 0,
      'jobs-failed': 1,
    })
    const { jobs } = await get('/jobs/overview')
    expect(jobs.map(({ name, state }: any) => `${name} ${state}`)).toEqual([
      'third FINISHED',
      'second FAILED',
      'Flight delays RUNNING',
    ])
    expect(jobs[2].tasks).toMatchObject({ total: 6, running: 6, finished: 0 })
  })
})

describe('/jobs/:jobid', () => {
  test('sums counters over subtasks', async () => {
    job.count(VERTEX.source, 0, 'numRecordsOut', 10)
    job.count(VERTEX.source, 1, 'numRecordsOut', 32)
    job.count(VERTEX.window, 0, 'accumulateBusyTimeMs', 12.6)
    const { vertices, plan } = await get(`/jobs/${job.id}`)
    expect(vertices[0].metrics).toMatchObject({ 'write-records': 42, 'write-records-complete': true })
    expect(vertices[1].metrics['accumulated-busy-time']).toBe(13)
    expect(plan.nodes[0].description).toBe('Source: flights<br/>+- parse<br/>   +- departed<br/>')
    expect(plan.nodes[1].inputs).toMatchObject([{ num: 0, id: VERTEX.source, ship_strategy: 'HASH' }])
  })

  test('config and the JobManager hide values of secret keys', async () => {
    const config = await get(`/jobs/${job.id}/config`)
    expect(config['execution-config']['user-config']).toEqual({
      'pipeline.name': 'Flight delays',
      'sink.password': '******',
      speed: '3600',
    })
    expect(await get('/jobmanager/config')).toEqual([
      { key: 'rest.port', value: '0' },
      { key: 's3.secret-key', value: '******' },
    ])
  })

  test('accumulators are texts', async () => {
    job.accumulators.flights = 20_000
    expect((await get(`/jobs/${job.id}/accumulators`))['user-task-accumulators']).toEqual([
      { name: 'flights', type: 'DoubleCounter', value: '20000' },
    ])
  })
})

describe('exceptions', () => {
  test('the root comes first with its task and the line of the user, the others under it', async () => {
    const file = '/home/me/job.ts:12:7'
    for (let i = 0; i < 3; i++) {
      job.fail(
        {
          code: 'TR-TASK-001',
          message: `failure ${i}`,
          operator: 'parse',
          stack: `Error: failure ${i}\n    at departed (${file})\n    at node:internal/main:1:1`,
        },
        VERTEX.source,
        1,
      )
    }
    const all = await get(`/jobs/${job.id}/exceptions`)
    const [root] = all.exceptionHistory.entries
    expect(root).toMatchObject({
      exceptionName: 'TR-TASK-001',
      message: 'failure 0',
      operator: 'parse',
      location: file,
      taskName: 'Source: flights -> parse -> departed (2/2)',
    })
    expect(root.concurrentExceptions.map(({ message }: any) => message)).toEqual(['failure 1', 'failure 2'])
    expect(all.exceptionHistory.truncated).toBe(false)
  })

  test('the last failure comes first, and those with other labels are left out', async () => {
    const failure = (n: number, type: string) => ({
      timestamp: n,
      error: { code: 'TR-TASK-001' as const, message: `failure ${n}`, stack: '' },
      labels: { type, code: 'TR-TASK-001' },
      concurrent: [],
    })
    job.exceptions.push(failure(1, 'USER'), failure(2, 'SYSTEM'), failure(3, 'USER'))
    const messages = async (query: string) => {
      const { exceptionHistory } = await get(`/jobs/${job.id}/exceptions?${query}`)
      return [exceptionHistory.entries.map(({ message }: any) => message), exceptionHistory.truncated]
    }
    expect(await messages('')).toEqual([['failure 3', 'failure 2', 'failure 1'], false])
    expect(await messages('maxExceptions=2')).toEqual([['failure 3', 'failure 2'], true])
    expect(await messages('failureLabelFilter=type:USER')).toEqual([['failure 3', 'failure 1'], false])
    expect(await messages('failureLabelFilter=type:USER,code:TR-TASK-002')).toEqual([[], false])
    const refused = await call(`/jobs/${job.id}/exceptions?failureLabelFilter=USER`)
    expect(refused).toMatchObject({ status: 400, body: { errors: [expect.stringContaining('name:value')] } })
    const all = await get(`/jobs/${job.id}/exceptions`)
    expect([all['root-exception'], all.timestamp]).toEqual(['failure 3', 3])
    expect(all.exceptionHistory.entries[0].failureLabels).toEqual({ type: 'USER', code: 'TR-TASK-001' })
  })

  test('a job without a failure has none', async () => {
    expect(await get(`/jobs/${job.id}/exceptions`)).toMatchObject({
      exceptionHistory: { entries: [], truncated: false },
      'root-exception': null,
    })
  })
})

describe('vertices', () => {
  const at = (path = '', vertex = VERTEX.window) => `/jobs/${job.id}/vertices/${vertex}${path}`

  test('back-pressure has a level by its share of the last seconds', async () => {
    clock.advance(2000)
    job.count(VERTEX.window, 0, 'accumulateBackPressuredTimeMs', 1600)
    job.count(VERTEX.window, 0, 'accumulateBusyTimeMs', 400)
    job.count(VERTEX.window, 1, 'accumulateBackPressuredTimeMs', 100)
    job.count(VERTEX.window, 1, 'accumulateIdleTimeMs', 1900)
    expect(await get(at('/backpressure'))).toMatchObject({
      status: 'ok',
      backpressureLevel: 'high',
      'backpressure-level': 'high',
      subtasks: [
        { subtask: 0, backpressureLevel: 'high', ratio: 0.8, busyRatio: 0.2, idleRatio: 0 },
        { subtask: 1, backpressureLevel: 'ok', ratio: 0.05, busyRatio: 0, idleRatio: 0.95 },
      ],
    })
  })

  test('watermarks are those of the inputs, of a source what it emits, with the ends of int64 for no time', async () => {
    job.set(VERTEX.window, 1, 'currentInputWatermark', START_MS)
    expect(await get(at('/watermarks'))).toEqual({
      metrics: [
        { id: '0.currentInputWatermark', value: '-9223372036854775808' },
        { id: '1.currentInputWatermark', value: String(START_MS) },
      ],
    })
    job.set(VERTEX.source, 0, 'currentOutputWatermark', Infinity)
    expect((await get(at('/watermarks', VERTEX.source))).metrics[0].value).toBe('9223372036854775807')
  })

  test('details have a distribution of each number over subtasks', async () => {
    job.count(VERTEX.window, 0, 'numRecordsIn', 10)
    job.count(VERTEX.window, 1, 'numRecordsIn', 30)
    const { subtasks, aggregated } = await get(at())
    expect(subtasks.map((one: any) => one.metrics['read-records'])).toEqual([10, 30])
    expect(aggregated.metrics['read-records']).toMatchObject({
      min: 10,
      max: 30,
      avg: 20,
      sum: 40,
      median: 10,
      p95: 30,
    })
    clock.advance(5000)
    const { subtasks: later } = await get(at())
    expect(later[0]['status-duration']).toMatchObject({ DEPLOYING: 0, RUNNING: 5000 })
  })

  test('a subtask that has not reported yet makes the sums incomplete', async () => {
    job.pages.pop()
    const { metrics } = (await get(`/jobs/${job.id}`)).vertices[1]
    // A reader that never saw the second slot.
    const other = await startRest({ dispatcher: cluster, port: 0 })
    try {
      const { vertices } = (await (await fetch(`${other.url}/jobs/${job.id}`)).json()) as any
      expect(vertices[1].metrics['read-records-complete']).toBe(false)
      expect(metrics['read-records-complete']).toBe(true)
    } finally {
      await other.close()
    }
  })
})

describe('metrics', () => {
  const vertex = (path: string) => `/jobs/${job.id}/vertices/${VERTEX.source}${path}`

  test('without get there are ids, with it values as texts; unknown ids are left out', async () => {
    job.count(VERTEX.source, 1, 'numRecordsOut', 5)
    job.operator(VERTEX.source, 1, hexId(0x12), 'numRecordsOut', 7)
    const { metrics: ids } = await get(vertex('/metrics'))
    expect(ids).toContainEqual({ id: '0.numRecordsOut' })
    expect(ids).toContainEqual({ id: '1.Source__flights.numRecordsOut' })
    expect(await get(vertex('/metrics?get=1.numRecordsOut,1.parse.numRecordsOut,nothing'))).toEqual({
      metrics: [
        { id: '1.numRecordsOut', value: '5' },
        { id: '1.parse.numRecordsOut', value: '7' },
      ],
    })
    expect(await get(vertex('/subtasks/1/metrics?get=numRecordsOut&get=currentInputWatermark'))).toEqual({
      metrics: [
        { id: 'numRecordsOut', value: '5' },
        { id: 'currentInputWatermark', value: '-9223372036854775808' },
      ],
    })
  })

  test('subtasks are aggregated, all of them or a selection', async () => {
    job.count(VERTEX.source, 0, 'numRecordsOut', 10)
    job.count(VERTEX.source, 1, 'numRecordsOut', 30)
    expect(await get(vertex('/subtasks/metrics?get=numRecordsOut'))).toEqual([
      { id: 'numRecordsOut', min: 10, max: 30, sum: 40, avg: 20, skew: 50 },
    ])
    expect(await get(vertex('/subtasks/metrics?get=numRecordsOut&agg=max,SUM&subtasks=0-0'))).toEqual([
      { id: 'numRecordsOut', max: 10, sum: 10 },
    ])
    expect(await get(vertex('/subtasks/metrics'))).toContainEqual({ id: 'parse.numRecordsIn' })
  })

  test('groups of the user are in the id with their values', async () => {
    const { group } = job.pages[0]!.writer.operator(VERTEX.source, 0, hexId(0x11))
    group.group('reader').group('topic', 'orders.eu').counter('lag').inc(9)
    expect(await get(vertex('/metrics?get=0.Source__flights.reader.topic.orders_eu.lag'))).toEqual({
      metrics: [{ id: '0.Source__flights.reader.topic.orders_eu.lag', value: '9' }],
    })
  })

  test('the JobManager, TaskManagers and jobs have theirs', async () => {
    clock.advance(3000)
    expect(await get('/jobmanager/metrics?get=taskSlotsTotal,numRunningJobs')).toEqual({
      metrics: [
        { id: 'taskSlotsTotal', value: '2' },
        { id: 'numRunningJobs', value: '1' },
      ],
    })
    expect(await get(`/jobs/${job.id}/metrics?get=uptime,numRestarts`)).toEqual({
      metrics: [
        { id: 'uptime', value: '3000' },
        { id: 'numRestarts', value: '0' },
      ],
    })
    expect(await get(`/jobs/metrics?get=uptime&agg=max&jobs=${job.id}`)).toEqual([{ id: 'uptime', max: 3000 }])
    const [{ id }] = (await get('/taskmanagers')).taskmanagers
    const [heap] = await get(`/taskmanagers/metrics?get=Status.JVM.Memory.Heap.Used&agg=min&taskmanagers=${id}`)
    expect(heap.min).toBeGreaterThan(1e6)
    expect((await get(`/taskmanagers/${id}`)).allocatedSlots).toMatchObject([
      { index: 0, jobId: job.id, assignedTasks: 4 },
      { index: 1, jobId: job.id, assignedTasks: 2 },
    ])
  })
})
