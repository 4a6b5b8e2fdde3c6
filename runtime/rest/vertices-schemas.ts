/** A vertex and its subtasks. */
import { z } from 'zod'
import { counts, executionState, ioMetrics } from './common-schemas.ts'

export const subtask = z.object({
  subtask: z.number(),
  status: executionState,
  attempt: z.number(),
  endpoint: z.string(),
  'start-time': z.number(),
  'end-time': z.number(),
  duration: z.number(),
  metrics: ioMetrics,
  'taskmanager-id': z.string(),
  'status-duration': counts,
  'other-concurrent-attempts': z.array(z.unknown()),
})
export type Subtask = z.infer<typeof subtask>

/** Numbers by name, each summed up over subtasks: min, max, avg, sum, median, p25, p75, p95. */
const aggregated = z.object({
  metrics: z.record(z.string(), counts),
  'status-duration': z.record(z.string(), counts),
})

export const vertexDetails = z.object({
  id: z.string(),
  name: z.string(),
  parallelism: z.number(),
  maxParallelism: z.number(),
  now: z.number(),
  subtasks: z.array(subtask),
  aggregated,
})
export type VertexDetails = z.infer<typeof vertexDetails>

const level = z.enum(['ok', 'low', 'high'])
export const backPressure = z.object({
  status: z.enum(['deprecated', 'ok']),
  backpressureLevel: level,
  'backpressure-level': level,
  'end-timestamp': z.number(),
  subtasks: z.array(
    z.object({
      subtask: z.number(),
      'attempt-number': z.number(),
      backpressureLevel: level,
      'backpressure-level': level,
      ratio: z.number(),
      idleRatio: z.number(),
      busyRatio: z.number(),
      'other-concurrent-attempts': z.array(z.unknown()),
    }),
  ),
})
export type BackPressure = z.infer<typeof backPressure>

export const subtaskTimes = z.object({
  id: z.string(),
  name: z.string(),
  now: z.number(),
  subtasks: z.array(z.object({ subtask: z.number(), endpoint: z.string(), duration: z.number(), timestamps: counts })),
})

export const vertexTaskManagers = z.object({
  id: z.string(),
  name: z.string(),
  now: z.number(),
  taskmanagers: z.array(
    z.object({
      endpoint: z.string(),
      status: executionState,
      'start-time': z.number(),
      'end-time': z.number(),
      duration: z.number(),
      metrics: ioMetrics,
      'status-counts': counts,
      'taskmanager-id': z.string(),
      aggregated,
    }),
  ),
})
