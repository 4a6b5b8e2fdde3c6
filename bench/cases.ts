/**
 * All cases of the benchmark. `records` keeps a run at a few seconds; `full` is what Flink's figures in docs/benchmarks.md ran with, and `out`
 * the result that it has then, in every implementation.
 */
import type { RunCase } from './measure.ts'

export interface Case {
  group: 'jobs' | 'parts'
  records: number
  full?: { records: number; out: number }
  load(): Promise<RunCase>
}

const job = async (name: string) => (await import('./jobs/run.ts')).jobCase(name)

export const CASES: Record<string, Case> = {
  pass: { group: 'jobs', records: 200e6, full: { records: 400e6, out: 400e6 }, load: () => job('pass') },
  filtermap: { group: 'jobs', records: 200e6, full: { records: 200e6, out: 99_990_292 }, load: () => job('filtermap') },
  rebalance: { group: 'jobs', records: 40e6, full: { records: 60e6, out: 60e6 }, load: () => job('rebalance') },
  keyby: { group: 'jobs', records: 40e6, full: { records: 60e6, out: 60e6 }, load: () => job('keyby') },
  tumble10k: { group: 'jobs', records: 40e6, full: { records: 40e6, out: 80_000 }, load: () => job('tumble10k') },
  tumble1m: { group: 'jobs', records: 20e6, full: { records: 20e6, out: 3_972_861 }, load: () => job('tumble1m') },
  state10k: { group: 'jobs', records: 30e6, full: { records: 40e6, out: 40e6 }, load: () => job('state10k') },
  state1m: { group: 'jobs', records: 15e6, full: { records: 30e6, out: 30e6 }, load: () => job('state1m') },
  'latency-100k': { group: 'jobs', records: 1e6, load: () => job('latency-100k') },
  'latency-100k-1ms': { group: 'jobs', records: 1e6, load: () => job('latency-100k-1ms') },
  'latency-1m': { group: 'jobs', records: 10e6, load: () => job('latency-1m') },
  'tumble10k-ckp': {
    group: 'jobs',
    // Before the turns, which are of time.
    records: 10e6,
    load: async () => (await import('./jobs/checkpoints.ts')).tumble10k,
  },
  'checkpoint-1m': {
    group: 'jobs',
    records: 4e6,
    load: async () => (await import('./jobs/checkpoints.ts')).checkpoint1m,
  },
  'restore-1m': { group: 'jobs', records: 1e6, load: async () => (await import('./jobs/checkpoints.ts')).restore1m },
  'kafka-in': { group: 'jobs', records: 4e6, load: async () => (await import('./jobs/kafka.ts')).kafkaIn },
  'kafka-out': { group: 'jobs', records: 4e6, load: async () => (await import('./jobs/kafka.ts')).kafkaOut },
  'kafka-exactly-once': {
    group: 'jobs',
    records: 8e6,
    full: { records: 8e6, out: 80_000 },
    load: async () => (await import('./jobs/kafka.ts')).kafkaExactlyOnce,
  },
  'kafka-latency-50k': {
    group: 'jobs',
    records: 600_000,
    load: async () => (await import('./jobs/kafka.ts')).kafkaLatency,
  },
  chain: { group: 'parts', records: 20e6, load: async () => (await import('./parts/chain.ts')).run },
  'exchange-wide': { group: 'parts', records: 10e6, load: async () => (await import('./parts/exchange.ts')).wide },
  'exchange-narrow': { group: 'parts', records: 20e6, load: async () => (await import('./parts/exchange.ts')).narrow },
  'exchange-tcp': { group: 'parts', records: 10e6, load: async () => (await import('./parts/exchange-tcp.ts')).run },
  'exchange-fanout-400': { group: 'parts', records: 5e6, load: async () => (await import('./parts/fanout.ts')).run },
  'codec-wide': { group: 'parts', records: 5e6, load: async () => (await import('./parts/codec.ts')).run },
  'heap-10k': { group: 'parts', records: 20e6, load: async () => (await import('./parts/heap.ts')).keys10k },
  'heap-1m': { group: 'parts', records: 10e6, load: async () => (await import('./parts/heap.ts')).keys1m },
  'json-in': { group: 'parts', records: 16e6, load: async () => (await import('./parts/json-in.ts')).run },
}
