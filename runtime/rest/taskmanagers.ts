/** TaskManagers. The embedded cluster has one, which shares this process with the JobManager. */
import { availableParallelism, freemem, totalmem } from 'node:os'
import { z } from 'zod'
import { embeddedTaskManagerId } from '../metrics/cluster-samples.ts'
import { type App, type RestContext, RestError } from './common.ts'
import { type TaskManager, type TaskManagerDetails, taskManagerDetails, taskManagers } from './taskmanagers-schemas.ts'

export const taskManagerParams = z.object({ taskmanagerid: z.string() })

/** 404 unless it is the id of a TaskManager of this cluster. */
export function requireTaskManager({ cluster }: RestContext, id: string): void {
  if (id === embeddedTaskManagerId(cluster.cluster().startTime)) return
  throw new RestError(
    404,
    `Cannot find TaskManager ${id}: the cluster has none of this id, GET /taskmanagers lists them`,
  )
}

export function taskManagerRoutes(app: App, context: RestContext): void {
  app.get('/taskmanagers', { schema: { response: { 200: taskManagers } } }, () => ({
    taskmanagers: [embedded(context)],
  }))
  app.get(
    '/taskmanagers/:taskmanagerid',
    { schema: { params: taskManagerParams, response: { 200: taskManagerDetails } } },
    ({ params }) => {
      requireTaskManager(context, params.taskmanagerid)
      return details(context)
    },
  )
}

function embedded({ cluster, host }: RestContext): TaskManager {
  const view = cluster.cluster()
  const memory = process.memoryUsage()
  const cores = availableParallelism()
  const free = view.slots.filter(({ state }) => state !== 'busy').length
  const share = view.slots.length === 0 ? 0 : free / view.slots.length
  return {
    id: embeddedTaskManagerId(view.startTime),
    path: `embedded://${host}`,
    dataPort: 0,
    jmxPort: -1,
    timeSinceLastHeartbeat: 0,
    slotsNumber: view.slots.length,
    freeSlots: free,
    assignedTasks: tasksBySlot(cluster).reduce((a, b) => a + b, 0),
    blocked: false,
    totalResource: resource(cores),
    freeResource: resource(cores * share),
    hardware: { cpuCores: cores, physicalMemory: totalmem(), freeMemory: freemem(), managedMemory: 0 },
    memoryConfiguration: {
      frameworkHeap: memory.heapTotal,
      taskHeap: 0,
      frameworkOffHeap: memory.external,
      taskOffHeap: 0,
      networkMemory: 0,
      managedMemory: 0,
      jvmMetaspace: 0,
      jvmOverhead: 0,
      totalFlinkMemory: memory.rss,
      totalProcessMemory: memory.rss,
    },
  }
}

function details(context: RestContext): TaskManagerDetails {
  const { cluster, metrics } = context
  const tasks = tasksBySlot(cluster)
  const process = new Map(metrics.process.values().map(({ name, value }) => [name, value]))
  const of = (name: string) => process.get(`Status.JVM.${name}`) ?? 0
  return {
    ...embedded(context),
    allocatedSlots: cluster.cluster().slots.flatMap(({ index, jobId }) => {
      return jobId === undefined ? [] : [{ index, jobId, assignedTasks: tasks[index] ?? 0, resource: resource(0) }]
    }),
    metrics: {
      heapUsed: of('Memory.Heap.Used'),
      heapCommitted: of('Memory.Heap.Committed'),
      heapMax: of('Memory.Heap.Max'),
      nonHeapUsed: of('Memory.NonHeap.Used'),
      nonHeapCommitted: of('Memory.NonHeap.Committed'),
      nonHeapMax: of('Memory.NonHeap.Max'),
      directCount: 0,
      directUsed: of('Memory.Direct.MemoryUsed'),
      directMax: of('Memory.Direct.TotalCapacity'),
      mappedCount: 0,
      mappedUsed: 0,
      mappedMax: 0,
      nettyShuffleMemorySegmentsAvailable: 0,
      nettyShuffleMemorySegmentsUsed: 0,
      nettyShuffleMemorySegmentsTotal: 0,
      nettyShuffleMemoryAvailable: 0,
      nettyShuffleMemoryUsed: 0,
      nettyShuffleMemoryTotal: 0,
      garbageCollectors: [...process.keys()].flatMap((name) => {
        const found = /^Status\.JVM\.GarbageCollector\.(\w+)\.Count$/.exec(name)?.[1]
        if (found === undefined || found === 'All') return []
        return [
          {
            name: found,
            count: of(`GarbageCollector.${found}.Count`),
            time: Math.round(of(`GarbageCollector.${found}.Time`)),
          },
        ]
      }),
    },
  }
}

/** How many subtasks each slot hosts now. */
function tasksBySlot(cluster: RestContext['cluster']): number[] {
  const tasks: number[] = cluster.cluster().slots.map(() => 0)
  for (const { id, status } of cluster.list()) {
    if (status !== 'RUNNING') continue
    for (const { subtasks } of cluster.view(id)?.vertices ?? []) {
      for (const { slot, state } of subtasks) if (state === 'RUNNING' && slot >= 0) tasks[slot] = (tasks[slot] ?? 0) + 1
    }
  }
  return tasks
}

function resource(cpuCores: number): TaskManager['totalResource'] {
  return {
    cpuCores,
    taskHeapMemory: 0,
    taskOffHeapMemory: 0,
    managedMemory: 0,
    networkMemory: 0,
    extendedResources: {},
  }
}
