/**
 * Which shared memory joins which subtasks of one process. Its TaskManager allocates it from the plan; both ends of a channel find their block by
 * the same arithmetic.
 */
import type { Plan } from '../graph/model.ts'
import { type PartitionerKind, sendersOf } from '../graph/partitioning.ts'
import type { Wiring } from '../rpc/slot-messages.ts'
import { BufferPool } from './buffer-pool.ts'
import { allocateGate } from './channel.ts'
import { Doorbell } from './doorbell.ts'
import { exchangeSettings } from './settings.ts'

/** `places[vertexId][subtask]` is the slot of each subtask; `isLocal[slot]`: it is of this process. */
export function allocateWiring(plan: Plan, places: Record<string, number[]>, isLocal: readonly boolean[]): Wiring {
  const { poolBuffers } = exchangeSettings(plan.config.options)
  const parallelism = new Map(plan.vertices.map((v) => [v.id, v.parallelism]))
  const gates: Wiring['gates'] = {}
  for (const vertex of plan.vertices) {
    const inputs = plan.edges.filter((e) => e.to === vertex.id)
    const channels = (subtask: number) =>
      inputs.reduce(
        (n, e) =>
          n + sendersOf(e.partitioner as PartitionerKind, parallelism.get(e.from)!, vertex.parallelism, subtask).length,
        0,
      )
    gates[vertex.id] = places[vertex.id]!.map((slot, subtask) =>
      isLocal[slot] ? allocateGate(channels(subtask)) : undefined,
    )
  }
  return {
    doorbells: isLocal.map((local) => (local ? Doorbell.allocate() : undefined)),
    pools: isLocal.map((local) => (local ? BufferPool.allocate(poolBuffers) : undefined)),
    gates,
  }
}
