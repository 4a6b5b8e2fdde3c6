/** The table of the benchmark: one row a case, the median of its runs, and the range of the CPU figure over them. */
import type { ChildResult } from './child.ts'

type Row = Exclude<ChildResult, { error: string }>

const SHOWN = [
  'recordsPerSecond',
  'cpuNsPerRecord',
  'p50Ms',
  'p99Ms',
  'p999Ms',
  'maxMs',
  'hostGapMaxMs',
  'peakRssMb',
  'calibrationNs',
  'ratio',
  'records',
  'out',
]

export function formatTable(results: Record<string, ChildResult[]>): string {
  const lines: string[][] = [
    [
      'case',
      'M records/s',
      'ns CPU/record',
      'range',
      'p50 / p99 / p99.9 ms',
      'host gap ms',
      'RSS MB',
      'ratio',
      'records',
      'out',
    ],
  ]
  const notes: string[] = []
  for (const [name, runs] of Object.entries(results)) {
    const rows = runs.filter((run): run is Row => !('error' in run))
    if (rows.length === 0) {
      lines.push([name, 'failed'])
      continue
    }
    const value = (field: string) => medianOf(rows.map((row) => row[field]))
    const cpu = rows.map((row) => row.cpuNsPerRecord)
    const latency = value('p50Ms') === undefined ? '' : [value('p50Ms'), value('p99Ms'), value('p999Ms')].join(' / ')
    lines.push([
      name,
      (value('recordsPerSecond')! / 1e6).toFixed(2),
      value('cpuNsPerRecord')!.toFixed(1),
      rows.length > 1 ? `${Math.min(...cpu).toFixed(1)}..${Math.max(...cpu).toFixed(1)}` : '',
      latency,
      text(value('hostGapMaxMs')),
      text(value('peakRssMb')),
      text(value('ratio')),
      value('records')!.toLocaleString('en'),
      value('out')!.toLocaleString('en'),
    ])
    const more = Object.keys(rows[0]!).filter((field) => !SHOWN.includes(field))
    if (more.length > 0) notes.push(`${name}: ${more.map((field) => `${field} ${value(field)}`).join(', ')}`)
  }
  const calibration = medianOf(
    Object.values(results).flatMap((runs) => runs.map((run) => ('error' in run ? undefined : run.calibrationNs))),
  )
  return [
    layOut(lines),
    ...notes,
    `ratio: CPU per record by a step of the calibration loop, ${calibration} ns here`,
  ].join('\n')
}

function text(value: number | undefined): string {
  return value === undefined ? '' : String(value)
}

/** Of an even number the lower one, so that it is a figure that was measured. */
export function medianOf(values: (number | undefined)[]): number | undefined {
  const sorted = values.filter((v) => v !== undefined).sort((a, b) => a - b)
  return sorted[(sorted.length - 1) >> 1]
}

function layOut(lines: string[][]): string {
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines
    .map((line) =>
      line
        .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
