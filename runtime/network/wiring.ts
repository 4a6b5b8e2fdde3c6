/**
 * Which shared memory joins which subtasks. The JobManager allocates it from the plan; both ends of a channel find their block by
 * the same arithmetic.
 */
import { channelsOf } from '../graph/channels.ts'
import type { JobEdge, Plan, PlanEdge, Partitioner } from '../graph/model.ts'
import type { Wiring } from '../rpc/slot-messages.ts'
import { BufferPool } from './buffer-pool.ts'
import { allocateGate } from './channel.ts'
import { Doorbell } from './doorbell.ts'

/** Floating buffers of a slot where nothing else is set: 4 MiB. */
export const POOL_BUFFERS = 128

type Edge = Pick<JobEdge | PlanEdge, 'from' | 'to'> & { kind: Partitioner['kind'] }

/** Subtasks of `edge.from` that send to `subtask` of `edge.to`, in order. */
export function sendersTo(edge: Edge, fromParallelism: number, toParallelism: number, subtask: number): number[] {
  const senders: number[] = []
  for (let from = 0; from < fromParallelism; from++) if (channelsOf(edge.kind, fromParallelism, toParallelism, from).includes(subtask)) senders.push(from)
  return senders
}

/** `slots[vertexId][subtask]` is the slot of each subtask; slots count from 0 without gaps. */
export function allocateWiring(plan: Plan, slots: Record<string, number[]>, poolBuffers = POOL_BUFFERS): Wiring {
  const slotCount = 1 + Math.max(...Object.values(slots).flat())
  const parallelism = new Map(plan.vertices.map((v) => [v.id, v.parallelism]))
  const gates: Record<string, SharedArrayBuffer[]> = {}
  for (const vertex of plan.vertices) {
    const inputs = plan.edges.filter((e) => e.to === vertex.id).map((e) => ({ from: e.from, to: e.to, kind: e.partitioner as Partitioner['kind'] }))
    gates[vertex.id] = Array.from({ length: vertex.parallelism }, (_, subtask) =>
      allocateGate(inputs.reduce((n, edge) => n + sendersTo(edge, parallelism.get(edge.from)!, vertex.parallelism, subtask).length, 0)),
    )
  }
  return {
    doorbells: Array.from({ length: slotCount }, () => Doorbell.allocate()),
    pools: Array.from({ length: slotCount }, () => BufferPool.allocate(poolBuffers)),
    gates,
    slots,
  }
}
