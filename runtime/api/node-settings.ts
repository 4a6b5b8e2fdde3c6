/**
 * Setters of one operator [D-04], shared by streams that an operator makes and by sinks. Each checks its value at once, so that the
 * error points at the author's line, and returns the object for chaining of calls.
 */
import { type Duration, durationMs } from '../core/duration.ts'
import { TailraceError } from '../core/errors.ts'
import type { LogicalNode } from '../graph/model.ts'
import { checkBufferTimeout, checkMaxParallelism, checkParallelism } from '../graph/settings.ts'

const who = (node: LogicalNode): string => `operator "${node.name}"`

export function setName(node: LogicalNode, name: string): void {
  node.name = name
}

export function setUid(node: LogicalNode, uid: string): void {
  if (uid === '') throw new TailraceError('TR-GRAPH-005', `Cannot use an empty uid for ${who(node)}: a name is wanted`)
  node.uid = uid
}

export function setParallelism(node: LogicalNode, parallelism: number): void {
  checkParallelism(parallelism, who(node))
  node.parallelism = parallelism
}

export function setMaxParallelism(node: LogicalNode, maxParallelism: number): void {
  checkMaxParallelism(maxParallelism, who(node))
  node.maxParallelism = maxParallelism
}

export function setSlotSharingGroup(node: LogicalNode, group: string): void {
  if (group === '') {
    throw new TailraceError('TR-GRAPH-005', `Cannot put ${who(node)} into a slot sharing group with an empty name`)
  }
  node.slotSharingGroup = group
}

export function setBufferTimeout(node: LogicalNode, timeout: Duration): void {
  const timeoutMs = durationMs(timeout)
  checkBufferTimeout(timeoutMs, who(node))
  node.bufferTimeoutMs = timeoutMs
}
