/** Counters of subtasks as REST sums them up. */
import type { JobReader, TaskReader } from '../metrics/job-reader.ts'
import type { VertexView } from '../rpc/views.ts'
import type { IoMetrics } from './common-schemas.ts'

/** Sums over tasks; an absent one has not reported yet, and the sum is marked as incomplete. */
export function ioMetricsOf(tasks: readonly (TaskReader | undefined)[]): IoMetrics {
  const complete = tasks.every((task) => task !== undefined)
  const sum = (name: Parameters<TaskReader['value']>[0]) =>
    Math.round(tasks.reduce((total, task) => total + (task?.value(name) ?? 0), 0))
  return {
    'read-bytes': sum('numBytesIn'),
    'read-bytes-complete': complete,
    'write-bytes': sum('numBytesOut'),
    'write-bytes-complete': complete,
    'read-records': sum('numRecordsIn'),
    'read-records-complete': complete,
    'write-records': sum('numRecordsOut'),
    'write-records-complete': complete,
    'accumulated-backpressured-time': sum('accumulateBackPressuredTimeMs'),
    'accumulated-idle-time': sum('accumulateIdleTimeMs'),
    'accumulated-busy-time': sum('accumulateBusyTimeMs'),
  }
}

export function tasksOf(reader: JobReader, vertex: VertexView): (TaskReader | undefined)[] {
  return vertex.subtasks.map(({ index }) => reader.task(vertex.id, index))
}

/** Flink's summary of one number over subtasks. */
export function distribution(values: readonly number[]): Record<string, number> {
  const sorted = values.toSorted((a, b) => a - b)
  const sum = sorted.reduce((a, b) => a + b, 0)
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return {
    min: sorted[0] ?? 0,
    max: sorted.at(-1) ?? 0,
    avg: sorted.length === 0 ? 0 : Math.round(sum / sorted.length),
    sum,
    median: at(0.5),
    p25: at(0.25),
    p75: at(0.75),
    p95: at(0.95),
  }
}
