/**
 * Runs one job case on a cluster of two slots, each a thread: once with few records to warm up what is shared (main thread, files, compiled code of the
 * process), then measured from submission to the end, with slot threads that are new as in any deployment.
 */
import { MiniCluster } from 'tailrace/testing'
import { type CaseInput, type Figures, Meter, type RunCase } from '../measure.ts'
import { measurePaced } from './paced.ts'

const SLOTS = 2
const WARM_UP_RECORDS_MAX = 1_000_000

/** Parameters of jobs/micro.ts by case. */
const PARAMETERS: Record<string, Record<string, string>> = {
  pass: { job: 'pass' },
  filtermap: { job: 'filtermap' },
  rebalance: { job: 'rebalance' },
  keyby: { job: 'keyby' },
  tumble10k: { job: 'tumble', keys: '10000' },
  tumble1m: { job: 'tumble', keys: '1000000' },
  state10k: { job: 'state', keys: '10000' },
  state1m: { job: 'state', keys: '1000000' },
  'latency-100k': { job: 'latency', keys: '100000', rate: '100000' },
  'latency-100k-1ms': { job: 'latency', keys: '100000', rate: '100000', buffer: '1' },
  'latency-1m': { job: 'latency', keys: '100000', rate: '1000000' },
}

export function jobCase(name: string): RunCase {
  const parameters = PARAMETERS[name]!
  const rate = Number(parameters.rate ?? 0)
  return (input) => (rate > 0 ? runPaced(parameters, rate, input) : runFast(parameters, input))
}

async function runFast(parameters: Record<string, string>, { records, settings }: CaseInput): Promise<Figures> {
  const cluster = await MiniCluster.start({ slots: SLOTS, host: 'worker' })
  try {
    await run(cluster, { ...parameters, ...settings, records: String(Math.min(records, WARM_UP_RECORDS_MAX)) })
    const meter = new Meter()
    const accumulators = await run(cluster, { ...parameters, ...settings, records: String(records) })
    return meter.figures(records, accumulators.out ?? 0)
  } finally {
    await cluster.stop()
  }
}

async function runPaced(
  parameters: Record<string, string>,
  rate: number,
  { records, settings }: CaseInput,
): Promise<Figures> {
  const cluster = await MiniCluster.start({ slots: SLOTS, host: 'worker' })
  try {
    return await measurePaced(records, rate, (skipMs) =>
      run(cluster, { ...parameters, skipMs: String(skipMs), ...settings, records: String(records) }),
    )
  } finally {
    await cluster.stop()
  }
}

/** Runs the job to its end; gives its accumulators. */
async function run(cluster: MiniCluster, parameters: Record<string, string>): Promise<Record<string, number>> {
  const url = new URL('./micro.ts', import.meta.url).href
  const { results } = await cluster.runProgram(url, { parameters })
  return results[0]!.accumulators
}
