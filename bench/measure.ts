/**
 * What is measured of a case, and how: CPU time of the whole process (garbage collection, compilation and all threads included) beside wall
 * time, because on a shared machine wall time says as much about the neighbours; and a loop that never changes, run in the
 * same process, to compare figures of different machines and days.
 */

/** Figures of one run of a case. Optional ones are absent where they mean nothing. */
export interface Figures {
  records: number
  /** Whole job, wall time. */
  recordsPerSecond: number
  cpuNsPerRecord: number
  /** Result count or check sum; equal in every run. */
  out: number
  p50Ms?: number
  p99Ms?: number
  p999Ms?: number
  maxMs?: number
  /** Longest pause of a thread that only sleeps, in the same run: what the host does to everyone. */
  hostGapMaxMs?: number
  /** More of the case's own. */
  [more: string]: number | undefined
}

/** What a case gets. */
export interface CaseInput {
  /** Records to process while measuring. */
  records: number
  /** Settings of the command line: `--set name=value`. */
  settings: Readonly<Record<string, string>>
}

/** Runs the case once, warm-up included. */
export type RunCase = (input: CaseInput) => Promise<Figures>

/**
 * Wall and CPU time from its making to `figures`.
 *
 * @example
 * const meter = new Meter()
 * const out = run(1e6)
 * return meter.figures(1e6, out)
 */
export class Meter {
  readonly #wallMs = performance.now()
  readonly #cpu = process.cpuUsage()

  figures(records: number, out: number): Figures {
    const wallMs = performance.now() - this.#wallMs
    const { user, system } = process.cpuUsage(this.#cpu)
    return {
      records,
      recordsPerSecond: Math.round((records / wallMs) * 1000),
      cpuNsPerRecord: round(((user + system) * 1000) / records, 2),
      out,
    }
  }
}

export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits))
}

/** Largest resident set of this process so far, all threads. */
export function peakRssMb(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024)
}

const CALIBRATION_STEPS = 20_000_000

/** CPU nanoseconds of one step of the calibration loop: integer work, a table of 256 KB, and a short-lived object. The best of three. */
export function calibrate(): number {
  let best = Number.POSITIVE_INFINITY
  let sum = 0
  for (let run = 0; run < 3; run++) {
    const { user, system } = process.cpuUsage()
    sum += calibrationLoop(CALIBRATION_STEPS)
    const after = process.cpuUsage({ user, system })
    best = Math.min(best, ((after.user + after.system) * 1000) / CALIBRATION_STEPS)
  }
  // Never true; keeps the work alive.
  if (sum === 0.5) console.error(sum)
  return round(best, 3)
}

const kept: { key: number; value: number }[] = new Array(64)

function calibrationLoop(steps: number): number {
  const table = new Int32Array(1 << 16)
  let h = 1
  for (let i = 0; i < steps; i++) {
    h = Math.imul(h ^ (h >>> 15), 0x2c1b3c6d) ^ i
    const at = h & 0xffff
    table[at] = (table[at]! + h) | 0
    kept[i & 63] = { key: at, value: h }
  }
  return table[7]! + kept[3]!.value
}
