import { expect, test } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { MetricsReader } from '../metrics/reader.ts'
import { FakeCluster, hexId, START_MS, VERTEX } from './fake-cluster.suite.ts'
import { liveNumbers, livePlan } from './live-view.ts'
import { startRest } from './server.ts'

function running() {
  const clock = new ManualClock(START_MS)
  const cluster = new FakeCluster(clock)
  const job = cluster.submit()
  const metrics = new MetricsReader(cluster, clock)
  metrics.look()
  const numbers = () => liveNumbers(job.view(), metrics.read(job.view()), metrics.nowMs(), clock.now())
  return { clock, cluster, job, metrics, numbers }
}

test('the plan names vertices once, and edges by their place in it', () => {
  const { job } = running()
  const plan = livePlan(job.view())
  expect(plan.vertices.map(({ name, isSource, isSink }) => [name, isSource, isSink])).toEqual([
    ['Source: flights -> parse -> departed', true, false],
    ['delay per airport and day', false, false],
    ['top 10 -> Sink: print', false, true],
    ['Sink: late flights', false, true],
  ])
  expect(plan.edges.map(({ from, to, tag }) => [from, to, tag])).toEqual([
    [0, 1, null],
    [1, 2, null],
    [1, 3, 'late'],
  ])
})

test('numbers are per second, with what sources read and sinks write', () => {
  const { clock, job, numbers } = running()
  clock.advance(2000)
  for (const subtask of [0, 1]) {
    job.operator(VERTEX.source, subtask, hexId(0x11), 'numRecordsOut', 2000)
    job.count(VERTEX.source, subtask, 'numRecordsOut', 1000)
    job.count(VERTEX.window, subtask, 'numRecordsIn', 1000)
  }
  job.count(VERTEX.window, 1, 'numLateRecordsDropped', 3)
  job.count(VERTEX.top, 0, 'numRecordsIn', 20)
  job.operator(VERTEX.top, 0, hexId(0x16), 'numRecordsIn', 10)
  const { vertices, edges } = numbers()
  expect(vertices[0]).toMatchObject({ inPerSecond: 2000, outPerSecond: 1000, recordsIn: 4000, recordsOut: 2000 })
  expect(vertices[1]).toMatchObject({ inPerSecond: 1000, lateDropped: 3 })
  expect(vertices[1]!.subtasks).toEqual([
    [500, 0, 0, 0],
    [500, 0, 0, 0],
  ])
  expect(vertices[2]).toMatchObject({ inPerSecond: 10, outPerSecond: 5, recordsOut: 10 })
  expect(edges).toEqual([1000, 10, 0])
})

test('busy and back-pressured are those of the worst subtask, the watermark that of the last', () => {
  const { clock, job, numbers } = running()
  clock.advance(1000)
  job.count(VERTEX.window, 0, 'accumulateBusyTimeMs', 900)
  job.count(VERTEX.window, 1, 'accumulateBackPressuredTimeMs', 700)
  job.set(VERTEX.window, 0, 'currentInputWatermark', 5000)
  expect(numbers().vertices[1]).toMatchObject({ busy: 0.9, backPressured: 0.7, watermark: null })
  job.set(VERTEX.window, 1, 'currentInputWatermark', 4000)
  expect(numbers().vertices[1]!.watermark).toBe(4000)
  for (const subtask of [0, 1]) job.set(VERTEX.window, subtask, 'currentInputWatermark', Infinity)
  expect(numbers().vertices[1]!.watermark).toBe('end')
})

test('an edge whose ends count several edges together has no rate', () => {
  const { job, numbers } = running()
  job.plan.edges.push({ ...job.plan.edges[0]!, id: 3, to: VERTEX.top })
  expect(numbers().edges).toEqual([0, null, 0, null])
})

test('what failed last is there with what failed because of it, beside restarts and the last checkpoint', () => {
  const { clock, job, numbers } = running()
  expect(numbers()).toMatchObject({ exceptions: [], numRestarts: 0, lastCheckpoint: null })
  const failure = (message: string) => ({
    timestamp: clock.now(),
    error: { code: 'TR-TASK-001' as const, message, stack: '' },
    labels: {},
    concurrent: [],
  })
  job.exceptions.push(failure('first'), { ...failure('second'), concurrent: [failure('third')] })
  job.numRestarts = 2
  job.checkpoint(7)
  clock.advance(40)
  job.statistics.completed(7, { path: '/ckp/chk-7', metadataBytes: 1 })
  const { exceptions, lastCheckpoint, numRestarts } = numbers()
  expect(exceptions.map(({ message }) => message)).toEqual(['second', 'third'])
  expect([numRestarts, lastCheckpoint]).toEqual([2, { id: 7, timestamp: START_MS + 40 }])
})

test('GET /live sends the plan, then numbers, and ends with the job', async () => {
  const { cluster, job, metrics } = running()
  const rest = await startRest({ dispatcher: cluster, metrics, port: 0 })
  try {
    const response = await fetch(`${rest.url}/jobs/${job.id}/live`)
    expect(response.headers.get('content-type')).toBe('text/event-stream')
    const text = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    let seen = ''
    while (!seen.includes('event: numbers')) seen += (await text.read()).value
    expect(seen).toMatch(/^event: plan\ndata: \{.*\}\n\nevent: numbers\ndata: \{"status":"RUNNING"/)
    job.end('FINISHED')
    for (let part = await text.read(); !part.done; part = await text.read()) seen += part.value
    expect(seen).toMatch(/event: numbers\ndata: \{"status":"FINISHED".*\n\nevent: end\ndata: \{\}\n\n$/)
  } finally {
    await rest.close()
  }
})

test('a server closes though pages are open, and says how a job has just ended', async () => {
  const { cluster, job, metrics } = running()
  const other = cluster.submit()
  const rest = await startRest({ dispatcher: cluster, metrics, port: 0 })
  const [ended, still] = await Promise.all([job, other].map(({ id }) => fetch(`${rest.url}/jobs/${id}/live`)))
  job.end('FINISHED')
  await rest.close()
  expect(await ended!.text()).toMatch(/"status":"FINISHED".*\n\nevent: end\n/)
  await expect(still!.text()).rejects.toThrow()
})

test('a page too many is turned away', async () => {
  const { cluster, job, metrics } = running()
  const rest = await startRest({ dispatcher: cluster, metrics, port: 0 })
  try {
    const path = `${rest.url}/jobs/${job.id}/live`
    const pages = await Promise.all(Array.from({ length: 64 }, () => fetch(path)))
    const refused = await fetch(path)
    expect(refused.status).toBe(503)
    expect(await refused.json()).toEqual({ errors: [expect.stringContaining('64 pages are open already')] })
    for (const page of pages) await page.body!.cancel()
  } finally {
    await rest.close()
  }
})
