/** The line at the end of a job: how long it ran, how many records its sources gave. */
import type { JobView } from '../rpc/views.ts'
import type { Style } from './style.ts'

export function describeEnd(job: JobView, style: Style): string {
  const seconds = Math.max(1, job.timestamps[job.status] - job.timestamps.RUNNING) / 1000
  const records = sourceRecords(job)
  const rate = Math.round(records / seconds)
  const counts = `${format(records)} records in, ${format(rate)} a second`
  return `${style.green('✔')} ${style.bold(job.name)} ${job.status.toLowerCase()} in ${time(seconds)}: ${counts}\n`
}

/** Records that the sources of a job emitted. */
export function sourceRecords(job: JobView): number {
  const heads = new Set(job.plan.vertices.filter((v) => v.isSource).map((v) => v.operators[0]!.operatorId))
  let total = 0
  for (const { page, names } of job.metrics) {
    const values = new Float64Array(page)
    for (const { index, scope, name, operatorId } of names) {
      if (scope === 'operator' && name === 'numRecordsOut' && heads.has(operatorId ?? '')) total += values[index]!
    }
  }
  return total
}

function format(n: number): string {
  return n.toLocaleString('en-US')
}

function time(seconds: number): string {
  if (seconds < 120) return `${seconds.toFixed(1)} s`
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`
}
