/**
 * Which shared memory joins which subtasks. The JobManager allocates it from the plan; both ends of a channel find their block by
 * the same arithmetic.
 */
import type { Plan } from '../graph/model.ts'
import { type PartitionerKind, sendersOf } from '../graph/partitioning.ts'
import type { Wiring } from '../rpc/slot-messages.ts'
import { BufferPool } from './buffer-pool.ts'
import { allocateGate } from './channel.ts'
import { Doorbell } from './doorbell.ts'
import { exchangeSettings } from './settings.ts'

/** `slots[vertexId][subtask]` is the slot of each subtask; slots count from 0 without gaps. */
export function allocateWiring(plan: Plan, slots: Record<string, number[]>): Wiring {
  const { poolBuffers } = exchangeSettings(plan.config.options)
  const slotCount = 1 + Math.max(...Object.values(slots).flat())
  const parallelism = new Map(plan.vertices.map((v) => [v.id, v.parallelism]))
  const gates: Record<string, SharedArrayBuffer[]> = {}
  for (const vertex of plan.vertices) {
    const inputs = plan.edges.filter((e) => e.to === vertex.id)
    const channels = (subtask: number) =>
      inputs.reduce(
        (n, e) =>
          n + sendersOf(e.partitioner as PartitionerKind, parallelism.get(e.from)!, vertex.parallelism, subtask).length,
        0,
      )
    gates[vertex.id] = Array.from({ length: vertex.parallelism }, (_, subtask) => allocateGate(channels(subtask)))
  }
  return {
    doorbells: Array.from({ length: slotCount }, () => Doorbell.allocate()),
    pools: Array.from({ length: slotCount }, () => BufferPool.allocate(poolBuffers)),
    gates,
    slots,
  }
}
