/** Figures of several runs in a line. */
import { medianOf } from '../report.ts'

/** The value that a share `q` of all is not above: the nearest rank. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)]!
}

/**
 * The median of the runs, with the least and the most where there are several.
 *
 * @example
 * spread([{ p50: 3 }, { p50: 5 }, { p50: 4 }]) // 'p50 4 (3–5)'
 */
export function spread(runs: readonly Record<string, number>[]): string {
  const names = Object.keys(runs[0]!)
  return names
    .map((name) => {
      const values = runs.map((run) => run[name]!)
      const range = runs.length > 1 ? ` (${Math.min(...values)}–${Math.max(...values)})` : ''
      return `${name} ${medianOf(values)}${range}`
    })
    .join(', ')
}
