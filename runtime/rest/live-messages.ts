/**
 * What `/jobs/:jobid/live` sends: the job's shape once as event `plan`, then its numbers every second as event `numbers`, in the
 * order of the plan. Server-sent events; the last numbers are followed by event `end`.
 */

import type { JobStatus } from '../rpc/program-messages.ts'
import type { ExecutionState } from '../rpc/views.ts'

export interface LivePlan {
  id: string
  name: string
  vertices: LiveVertex[]
  edges: LiveEdge[]
}

export interface LiveVertex {
  id: string
  name: string
  parallelism: number
  isSource: boolean
  isSink: boolean
  operators: { name: string; parent: number }[]
}

export interface LiveEdge {
  id: number
  /** Index of the vertex in the plan. */
  from: number
  to: number
  partitioner: string
  /** Side output, or null. */
  tag: string | null
}

export interface LiveNumbers {
  status: JobStatus
  now: number
  startTime: number
  /** -1 while the job runs. */
  endTime: number
  /** In the order of the plan's vertices. */
  vertices: VertexNumbers[]
  /** Records per second, in the order of the plan's edges; null where several edges share a counter. */
  edges: (number | null)[]
  /** What ended the last attempt that failed, first, and what failed with it. */
  exceptions: LiveException[]
  numRestarts: number
  /** The last completed one, or savepoint; null before that. */
  lastCheckpoint: { id: number; timestamp: number } | null
}

export interface VertexNumbers {
  state: ExecutionState
  /** Records per second. A source's input and a sink's output are those of the outside world. */
  inPerSecond: number
  outPerSecond: number
  bytesInPerSecond: number
  bytesOutPerSecond: number
  bytesOut: number
  recordsIn: number
  recordsOut: number
  /** Shares of 0 to 1, of the subtask that has the most. */
  busy: number
  backPressured: number
  /** Least of the subtasks; null before the first one; `end` when the input has ended. */
  watermark: number | 'end' | null
  lateDropped: number
  /** By subtask: records in and out per second, busy, back-pressured. Left out for very many subtasks. */
  subtasks?: [inPerSecond: number, outPerSecond: number, busy: number, backPressured: number][]
}

export interface LiveException {
  timestamp: number
  code: string
  message: string
  operator: string | null
  taskName: string | null
  /** File, line and column of the user's. */
  location: string | null
  stack: string
}
