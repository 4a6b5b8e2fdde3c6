/** TaskManagers with their memory and slots. What Tailrace does not divide up is 0. */
import { z } from 'zod'

const resource = z.object({
  cpuCores: z.number(),
  taskHeapMemory: z.number(),
  taskOffHeapMemory: z.number(),
  managedMemory: z.number(),
  networkMemory: z.number(),
  extendedResources: z.record(z.string(), z.number()),
})

export const taskManager = z.object({
  id: z.string(),
  path: z.string(),
  dataPort: z.number(),
  jmxPort: z.number(),
  timeSinceLastHeartbeat: z.number(),
  slotsNumber: z.number(),
  freeSlots: z.number(),
  assignedTasks: z.number(),
  blocked: z.boolean(),
  totalResource: resource,
  freeResource: resource,
  hardware: z.object({
    cpuCores: z.number(),
    physicalMemory: z.number(),
    freeMemory: z.number(),
    managedMemory: z.number(),
  }),
  memoryConfiguration: z.object({
    frameworkHeap: z.number(),
    taskHeap: z.number(),
    frameworkOffHeap: z.number(),
    taskOffHeap: z.number(),
    networkMemory: z.number(),
    managedMemory: z.number(),
    jvmMetaspace: z.number(),
    jvmOverhead: z.number(),
    totalFlinkMemory: z.number(),
    totalProcessMemory: z.number(),
  }),
})
export type TaskManager = z.infer<typeof taskManager>
export const taskManagers = z.object({ taskmanagers: z.array(taskManager) })

export const taskManagerDetails = taskManager.extend({
  allocatedSlots: z.array(z.object({ index: z.number(), jobId: z.string(), assignedTasks: z.number(), resource })),
  metrics: z.object({
    heapUsed: z.number(),
    heapCommitted: z.number(),
    heapMax: z.number(),
    nonHeapUsed: z.number(),
    nonHeapCommitted: z.number(),
    nonHeapMax: z.number(),
    directCount: z.number(),
    directUsed: z.number(),
    directMax: z.number(),
    mappedCount: z.number(),
    mappedUsed: z.number(),
    mappedMax: z.number(),
    nettyShuffleMemorySegmentsAvailable: z.number(),
    nettyShuffleMemorySegmentsUsed: z.number(),
    nettyShuffleMemorySegmentsTotal: z.number(),
    nettyShuffleMemoryAvailable: z.number(),
    nettyShuffleMemoryUsed: z.number(),
    nettyShuffleMemoryTotal: z.number(),
    garbageCollectors: z.array(z.object({ name: z.string(), count: z.number(), time: z.number() })),
  }),
})
export type TaskManagerDetails = z.infer<typeof taskManagerDetails>
