/** TaskManagers: those that have registered; or the one of an embedded cluster, which shares this process with the JobManager. */
import { availableParallelism, freemem, totalmem } from 'node:os'
import { z } from 'zod'
import { embeddedTaskManagerId } from '../metrics/cluster-samples.ts'
import type { SlotView, TaskManagerView } from '../rpc/views.ts'
import { type App, type RestContext, RestError } from './common.ts'
import { slotsOf } from './place.ts'
import { type TaskManager, type TaskManagerDetails, taskManagerDetails, taskManagers } from './taskmanagers-schemas.ts'

export const taskManagerParams = z.object({ taskmanagerid: z.string() })

/** 404 unless it is the id of a TaskManager of this cluster. */
export function requireTaskManager({ cluster }: RestContext, id: string): void {
  const remote = cluster.taskManagers()
  const isThere =
    remote === undefined
      ? id === embeddedTaskManagerId(cluster.cluster().startTime)
      : remote.some((one) => one.id === id)
  if (isThere) return
  throw new RestError(
    404,
    `Cannot find TaskManager ${id}: the cluster has none of this id, GET /taskmanagers lists them`,
  )
}

export function taskManagerRoutes(app: App, context: RestContext): void {
  app.get('/taskmanagers', { schema: { response: { 200: taskManagers } } }, () => ({
    taskmanagers: context.cluster.taskManagers()?.map((one) => registered(one, context)) ?? [embedded(context)],
  }))
  app.get(
    '/taskmanagers/:taskmanagerid',
    { schema: { params: taskManagerParams, response: { 200: taskManagerDetails } } },
    ({ params }) => {
      requireTaskManager(context, params.taskmanagerid)
      return details(params.taskmanagerid, context)
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
    assignedTasks: assignedTasks(view.slots, tasksBySlot(cluster)),
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

/** One in a process of its own, with its numbers as it told them last. */
function registered(view: TaskManagerView, context: RestContext): TaskManager {
  const { id, host, slots, cpus, memory, lastHeardMs, process } = view
  const own = slotsOf(context, id)
  const free = own.filter(({ state }) => state !== 'busy').length
  const of = (name: string) => Math.round(process[`Status.${name}`] ?? 0)
  const all = resource(cpus, slots * memory.slotHeapBytes, slots * memory.slotNetworkBytes)
  const share = slots === 0 ? 0 : free / slots
  return {
    id,
    path: `tcp://${host}`,
    // Each slot has a port of its own.
    dataPort: 0,
    jmxPort: -1,
    timeSinceLastHeartbeat: lastHeardMs,
    slotsNumber: slots,
    freeSlots: free,
    assignedTasks: assignedTasks(own, tasksBySlot(context.cluster)),
    blocked: false,
    totalResource: all,
    freeResource: resource(cpus * share, free * memory.slotHeapBytes, free * memory.slotNetworkBytes),
    hardware: {
      cpuCores: Math.floor(cpus),
      physicalMemory: memory.processBytes,
      freeMemory: Math.max(0, memory.processBytes - of('Process.ResidentMemory')),
      managedMemory: 0,
    },
    memoryConfiguration: {
      frameworkHeap: of('JVM.Memory.Heap.Committed'),
      taskHeap: all.taskHeapMemory,
      frameworkOffHeap: of('JVM.Memory.Direct.MemoryUsed'),
      taskOffHeap: 0,
      networkMemory: all.networkMemory,
      managedMemory: 0,
      jvmMetaspace: of('JVM.Memory.Metaspace.Used'),
      jvmOverhead: 0,
      totalFlinkMemory: memory.processBytes,
      totalProcessMemory: memory.processBytes,
    },
  }
}

function details(id: string, context: RestContext): TaskManagerDetails {
  const { cluster, metrics } = context
  const tasks = tasksBySlot(cluster)
  const view = cluster.taskManagers()?.find((one) => one.id === id)
  const process = new Map(
    view === undefined
      ? metrics.process.values().map(({ name, value }) => [name, value])
      : Object.entries(view.process),
  )
  const of = (name: string) => process.get(`Status.JVM.${name}`) ?? 0
  return {
    ...(view === undefined ? embedded(context) : registered(view, context)),
    allocatedSlots: slotsOf(context, id).flatMap(({ index, jobId }) => {
      return jobId === undefined ? [] : [{ index, jobId, assignedTasks: tasks.get(index) ?? 0, resource: resource(0) }]
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

function assignedTasks(slots: readonly SlotView[], tasks: ReadonlyMap<number, number>): number {
  return slots.reduce((sum, { index }) => sum + (tasks.get(index) ?? 0), 0)
}

/** How many subtasks each slot hosts now, by its number. */
function tasksBySlot(cluster: RestContext['cluster']): Map<number, number> {
  const tasks = new Map<number, number>()
  for (const { id, status } of cluster.list()) {
    if (status !== 'RUNNING') continue
    for (const { subtasks } of cluster.view(id)?.vertices ?? []) {
      for (const { slot, state } of subtasks) if (state === 'RUNNING') tasks.set(slot, (tasks.get(slot) ?? 0) + 1)
    }
  }
  return tasks
}

function resource(cpuCores: number, taskHeapMemory = 0, networkMemory = 0): TaskManager['totalResource'] {
  return {
    cpuCores,
    taskHeapMemory,
    taskOffHeapMemory: 0,
    managedMemory: 0,
    networkMemory,
    extendedResources: {},
  }
}
