/** TaskManagers in processes of their own, by REST: what they are, which subtasks they host, their logs and threads. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { allSamples } from '../metrics/cluster-samples.ts'
import { prometheusText } from '../metrics/prometheus.ts'
import { MetricsReader } from '../metrics/reader.ts'
import { ProcessLog } from '../processes/process-log.ts'
import type { TaskManagerView } from '../rpc/views.ts'
import { FakeCluster, type FakeJob, START_MS, VERTEX } from './fake-cluster.suite.ts'
import { type RestServer, startRest } from './server.ts'

const GB = 2 ** 30
const taskManager = (n: number, slots: number): TaskManagerView => ({
  id: `tm-${n}`,
  host: `host-${n}`,
  slots,
  memory: { processBytes: 4 * GB, slotHeapBytes: GB, slotNetworkBytes: 1000 },
  cpus: 4,
  version: '1.0.0',
  nodeVersion: 'v24.0.0',
  startedMs: START_MS,
  registeredMs: START_MS,
  lastHeardMs: START_MS + n,
  process: { 'Status.JVM.Memory.Heap.Used': 1000 * n, 'Status.Process.ResidentMemory': GB },
})

let cluster: FakeCluster
let job: FakeJob
let rest: RestServer
let metrics: MetricsReader
const clock = new ManualClock(START_MS)
beforeEach(async () => {
  cluster = new FakeCluster(clock)
  cluster.registered = [taskManager(1, 1), taskManager(2, 2)]
  cluster.slots = [1, 2, 2].map((n, index) => ({ index, state: 'free', taskManager: `tm-${n}` }))
  job = cluster.submit()
  cluster.slots[2] = { index: 2, state: 'free', taskManager: 'tm-2' }
  // Subtask 0 of each vertex on the first, subtask 1 on the second.
  job.placeOf = (subtask) => ({ taskManager: `tm-${subtask + 1}`, host: `host-${subtask + 1}` })
  metrics = new MetricsReader(cluster, clock)
  rest = await startRest({ dispatcher: cluster, clock, port: 0, metrics })
})
afterEach(() => rest.close())

const get = async (path: string): Promise<any> => (await fetch(`${rest.url}${path}`)).json()
const text = async (path: string) => {
  const response = await fetch(`${rest.url}${path}`)
  return { status: response.status, text: await response.text() }
}

it('lists those that have registered, with their slots and memory', async () => {
  const { taskmanagers } = await get('/taskmanagers')
  expect(taskmanagers).toMatchObject([
    {
      id: 'tm-1',
      path: 'tcp://host-1',
      slotsNumber: 1,
      freeSlots: 0,
      assignedTasks: 4,
      timeSinceLastHeartbeat: START_MS + 1,
    },
    { id: 'tm-2', path: 'tcp://host-2', slotsNumber: 2, freeSlots: 1, assignedTasks: 2 },
  ])
  expect(taskmanagers[1].hardware).toEqual({
    cpuCores: 4,
    physicalMemory: 4 * GB,
    freeMemory: 3 * GB,
    managedMemory: 0,
  })
  expect(taskmanagers[1].memoryConfiguration).toMatchObject({ taskHeap: 2 * GB, networkMemory: 2000 })
  expect(await get('/overview')).toMatchObject({ taskmanagers: 2, 'slots-total': 3, 'slots-available': 1 })
})

it('shows one with its slots, and its process as it told it', async () => {
  expect(await get('/taskmanagers/tm-2')).toMatchObject({
    id: 'tm-2',
    allocatedSlots: [{ index: 1, jobId: job.id, assignedTasks: 2 }],
    metrics: { heapUsed: 2000 },
  })
  expect(await get('/taskmanagers/tm-2/metrics?get=Status.JVM.Memory.Heap.Used')).toEqual({
    metrics: [{ id: 'Status.JVM.Memory.Heap.Used', value: '2000' }],
  })
  expect(await get('/taskmanagers/metrics?get=Status.JVM.Memory.Heap.Used&agg=sum')).toEqual([
    { id: 'Status.JVM.Memory.Heap.Used', sum: 3000 },
  ])
  expect(await text('/taskmanagers/tm-3')).toMatchObject({ status: 404 })
})

it('says of each subtask where it runs', async () => {
  const at = `/jobs/${job.id}/vertices/${VERTEX.window}`
  job.count(VERTEX.window, 1, 'numRecordsIn', 30)
  expect((await get(at)).subtasks).toMatchObject([
    { endpoint: 'host-1', 'taskmanager-id': 'tm-1' },
    { endpoint: 'host-2', 'taskmanager-id': 'tm-2' },
  ])
  expect((await get(`${at}/taskmanagers`)).taskmanagers).toMatchObject([
    { endpoint: 'host-1', 'taskmanager-id': 'tm-1', 'status-counts': { RUNNING: 1 }, metrics: { 'read-records': 0 } },
    { endpoint: 'host-2', 'taskmanager-id': 'tm-2', 'status-counts': { RUNNING: 1 }, metrics: { 'read-records': 30 } },
  ])
  job.placeOf = () => ({ taskManager: '', host: '' })
  expect((await get(`${at}/subtasks/0`))['taskmanager-id']).toBe('(unassigned)')
})

it('leaves metrics of TaskManagers to themselves, where Prometheus is concerned', async () => {
  metrics.look()
  const { body } = await prometheusText(allSamples(metrics, 'here'))
  const lines = body.split('\n').filter((line) => line.startsWith('flink_'))
  expect(lines.filter((line) => line.startsWith('flink_taskmanager'))).toEqual([])
  expect(lines.filter((line) => line.startsWith('flink_jobmanager_job_numRestarts'))).toHaveLength(1)
  expect(lines.find((line) => line.startsWith('flink_jobmanager_numRegisteredTaskManagers'))).toMatch(/ 2$/)
})

it('shows logs in pieces, what was printed, and threads with what their slots do', async () => {
  const log = new ProcessLog({ name: 'taskmanager', bytesMax: 2_000_000 })
  const lines = Array.from({ length: 20_000 }, (_, i) => `line ${i} of a long log\n`).join('')
  log.write('log', lines)
  log.write('out', 'hello\n')
  cluster.inspections.set('tm-2', {
    threadDump: async () => [{ name: 'main', text: '"main" waits\n' }],
    listLogs: () => log.listLogs(),
    readLog: (...piece) => log.readLog(...piece),
  })
  const at = '/taskmanagers/tm-2'
  expect((await get(`${at}/logs`)).logs).toMatchObject([
    { name: 'taskmanager.log', size: lines.length },
    { name: 'taskmanager.out', size: 6 },
  ])
  expect(await text(`${at}/log`)).toEqual({ status: 200, text: lines })
  expect(await text(`${at}/stdout`)).toEqual({ status: 200, text: 'hello\n' })
  expect(await text(`${at}/logs/taskmanager.out`)).toEqual({ status: 200, text: 'hello\n' })
  expect((await text(`${at}/logs/..%2fsecret`)).status).toBe(404)
  job.set(VERTEX.window, 1, 'accumulateBusyTimeMs', 0)
  const { threadInfos } = await get(`${at}/thread-dump`)
  expect(threadInfos.map(({ threadName }: any) => threadName)).toEqual(['main', 'slot-1', 'slot-2'])
  expect(threadInfos[1].stringifiedThreadInfo).toContain(`"slot-1" busy: job ${job.id} (Flight delays), RUNNING`)
  expect(threadInfos[1].stringifiedThreadInfo).toContain('at delay per airport and day (2/2), attempt 0: RUNNING')
  expect(threadInfos[2].stringifiedThreadInfo).toBe('"slot-2" free\n')
  expect((await text('/taskmanagers/tm-1/log')).status).toBe(404)
})

it('shows the JobManager’s own, which keeps no log unless it is told to', async () => {
  expect(await get('/jobmanager/logs')).toEqual({ logs: [] })
  expect(await text('/jobmanager/log')).toMatchObject({ status: 404 })
  const [main] = (await get('/jobmanager/thread-dump')).threadInfos
  expect(main.stringifiedThreadInfo).toContain(`"main" of process ${process.pid}`)
})
