/**
 * Which subtasks an edge joins [P-02..P-04]. Sender and receiver both ask here, so that they agree on the channels and their order.
 *
 * Invariant: `to` is in channelsOf(…, from) exactly when `from` is in sendersOf(…, to); both lists rise.
 */
import type { Partitioner } from './model.ts'

export type PartitionerKind = Partitioner['kind']

/** What an edge without a chosen partitioner does. */
export function resolvePartitioner(partitioner: Partitioner, from: number, to: number): Partitioner {
  if (partitioner.kind !== 'auto') return partitioner
  return { kind: from === to ? 'forward' : 'rebalance' }
}

/** True when a subtask sends to some subtasks only: no records cross between the groups. */
export function isPointwise(kind: PartitionerKind): boolean {
  return kind === 'forward' || kind === 'rescale'
}

/**
 * Target subtasks of subtask `from`, ascending. For `global` these are all, though records go to the first only: the others need
 * watermarks and the end of the input.
 *
 * @example
 * channelsOf('rescale', 2, 6, 1) // [3, 4, 5]
 */
export function channelsOf(
  kind: PartitionerKind,
  fromParallelism: number,
  toParallelism: number,
  from: number,
): number[] {
  if (!isPointwise(kind)) return range(0, toParallelism)
  // Down: the sender belongs to one receiver. Up: receivers [ceil(from * n), ceil((from + 1) * n)) with n = to / from.
  if (fromParallelism >= toParallelism) return [Math.floor((from * toParallelism) / fromParallelism)]
  return range(
    Math.ceil((from * toParallelism) / fromParallelism),
    Math.ceil(((from + 1) * toParallelism) / fromParallelism),
  )
}

/**
 * Subtasks that send to subtask `to`, ascending: the order of its input channels.
 *
 * @example
 * sendersOf('rescale', 6, 2, 1) // [3, 4, 5]
 */
export function sendersOf(kind: PartitionerKind, fromParallelism: number, toParallelism: number, to: number): number[] {
  if (!isPointwise(kind)) return range(0, fromParallelism)
  return channelsOf(kind, toParallelism, fromParallelism, to)
}

function range(start: number, end: number): number[] {
  return Array.from({ length: end - start }, (_, i) => start + i)
}
