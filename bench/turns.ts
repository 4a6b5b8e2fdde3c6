/**
 * The cost of something short that a running job does at times, such as a checkpoint: turns with one and without any alternate, and each turn with one is
 * compared with the mean of the turns before and after it. What the machine does to all three falls out; what it does to one of them is left to the median.
 *
 * The shorter the turns, the more of them, and the larger what is looked for beside what disturbs them; one turn must hold all of it.
 */
import { round } from './measure.ts'
import { medianOf } from './report.ts'

/** A stretch of a job. */
export interface Turn {
  records: number
  recordsPerSecond: number
  cpuNsPerRecord: number
}

/** The median, and the middle half: a quarter of the comparisons is below `low`, a quarter above `high`. */
export interface Spread {
  median: number
  low: number
  high: number
}

/** If it is done once a second: percent of CPU time per record that are added, and of records per second that are lost. */
export interface Cost {
  cpu: Spread
  rate: Spread
}

/**
 * The cost of what every second turn does once: `turns` begins and ends with one that does not.
 *
 * @example
 * // Half a second each.
 * const without = { records: 500, recordsPerSecond: 1000, cpuNsPerRecord: 10 }
 * const withIt = { records: 490, recordsPerSecond: 980, cpuNsPerRecord: 12 }
 * costOf([without, withIt, without]).cpu.median // 10
 */
export function costOf(turns: readonly Turn[]): Cost {
  if (turns.length < 3 || turns.length % 2 === 0)
    throw new RangeError(`Cannot compare ${turns.length} turns: an odd number is wanted, 3 at least`)
  const spread = (percentOf: (turn: Turn, before: Turn, after: Turn) => number): Spread => {
    const percents = turns.flatMap((turn, i) => {
      if (i % 2 === 0) return []
      const seconds = turn.records / turn.recordsPerSecond
      return [round(percentOf(turn, turns[i - 1]!, turns[i + 1]!) * seconds, 1)]
    })
    const sorted = percents.sort((a, b) => a - b)
    const quarter = sorted.length >> 2
    return { median: medianOf(sorted)!, low: sorted[quarter]!, high: sorted.at(-1 - quarter)! }
  }
  return {
    cpu: spread((turn, before, after) => more(turn.cpuNsPerRecord, before.cpuNsPerRecord, after.cpuNsPerRecord)),
    rate: spread(
      (turn, before, after) => -more(turn.recordsPerSecond, before.recordsPerSecond, after.recordsPerSecond),
    ),
  }
}

/** Percent above the mean of two others. */
function more(value: number, a: number, b: number): number {
  return (value / ((a + b) / 2) - 1) * 100
}
