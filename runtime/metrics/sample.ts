/** One number of the cluster with its place in Flink's scopes; REST and Prometheus are two spellings of it. */
import { LONG_MAX, LONG_MIN } from '../core/clock.ts'

/** Logical scopes, as they stand in exported names after `flink_` [M-02]. */
export type Scope =
  | 'jobmanager'
  | 'jobmanager_job'
  | 'taskmanager'
  | 'taskmanager_job_task'
  | 'taskmanager_job_task_operator'
  | 'source'

export interface Sample {
  scope: Scope
  /** Dots between groups: `Status.JVM.CPU.Load`, `numRecordsIn`. */
  name: string
  kind: 'gauge' | 'counter'
  value: number
  /** Labels of whom it belongs to (job, task, operator); one object for all samples of the same. */
  owner: Readonly<Record<string, string>>
  /** Further labels, from the user's groups. */
  labels: Readonly<Record<string, string>>
}

export const NO_LABELS: Readonly<Record<string, string>> = {}

/** A value as REST shows it: at the ends of time, Flink's int64 ends. */
export function formatValue({ name, value }: Pick<Sample, 'name' | 'value'>): string {
  if (name.endsWith('Watermark')) {
    if (value === -Infinity) return LONG_MIN
    if (value === Infinity) return LONG_MAX
  }
  return String(value)
}
