/**
 * What checkpoints cost a job, and how long they take: with two slots, into a folder of the local disk.
 *
 * - tumble10k-ckp: the job of tumble10k with and without a checkpoint every second, in turn; the cost is the difference of CPU time per record.
 * - checkpoint-1m: a million keys with a text each, 200,000 records a second, a checkpoint every three seconds and a savepoint at the end; the stall is the
 *   longest time between two records at the operator behind the state, and is read beside the longest pause that the host put upon an idle thread.
 * - restore-1m: the same state from a savepoint: from the submission of the job until the tasks behind the state take records.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MiniCluster, type RunOptions } from 'tailrace/testing'
import { type CaseInput, type Figures, Meter, round } from '../measure.ts'
import { HostGaps } from './host-gaps.ts'

const JOB = new URL('./micro.ts', import.meta.url).href
const SLOTS = 2
const KEYS = 1_000_000
/** Unpaced records that bring nearly all keys in. */
const FILL = 5_000_000
const RATE = 200_000
const OPTIONS = {
  'execution.checkpointing.timeout': '60 s',
  'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION',
}

async function withCluster<R>(run: (cluster: MiniCluster, directory: string) => Promise<R>): Promise<R> {
  const directory = mkdtempSync(join(tmpdir(), 'tailrace-bench-'))
  const cluster = await MiniCluster.start({ slots: SLOTS, host: 'worker' })
  try {
    return await run(cluster, directory)
  } finally {
    await cluster.stop()
    rmSync(directory, { recursive: true })
  }
}

/** CPU and wall time of tumble10k with checkpoints, and what they are above those of the job without. */
export function tumble10k({ records, settings }: CaseInput): Promise<Figures> {
  return withCluster(async (cluster, directory) => {
    const parameters = { job: 'tumble', keys: '10000', ...settings }
    const withCheckpoints = {
      ...OPTIONS,
      'execution.checkpointing.interval': '1 s',
      'execution.checkpointing.dir': directory,
    }
    const run = async (n: number, options: Record<string, string>): Promise<Figures> => {
      const meter = new Meter()
      const { results } = await cluster.runProgram(JOB, { parameters: { ...parameters, records: String(n) }, options })
      return meter.figures(n, results[0]!.accumulators.out ?? 0)
    }
    await run(1_000_000, withCheckpoints)
    const without = [await run(records, {})]
    const runs = [await run(records, withCheckpoints), await run(records, withCheckpoints)]
    without.push(await run(records, {}))
    const best = (of: Figures[]) => of.reduce((a, b) => (a.cpuNsPerRecord < b.cpuNsPerRecord ? a : b))
    const [a, b] = [best(without), best(runs)]
    return { ...b, withoutNs: a.cpuNsPerRecord, costPercent: round((b.cpuNsPerRecord / a.cpuNsPerRecord - 1) * 100, 1) }
  })
}

/** Starts the state job and waits until its keys are in; the program runs on. */
async function start(
  cluster: MiniCluster,
  records: number,
  options: Record<string, string>,
  parameters: Record<string, string>,
) {
  let jobId = ''
  const abort = new AbortController()
  const run: RunOptions = {
    parameters: { job: 'stalls', keys: String(KEYS), records: String(records), rate: String(RATE), ...parameters },
    options,
    onJob: (id) => (jobId = id),
    signal: abort.signal,
  }
  const ended = cluster.runProgram(JOB, run)
  ended.catch(() => {})
  return { ended, jobId: () => jobId, abort }
}

export function checkpoint1m({ records, settings }: CaseInput): Promise<Figures> {
  return withCluster(async (cluster, directory) => {
    const options = {
      ...OPTIONS,
      'execution.checkpointing.interval': '3 s',
      'execution.checkpointing.dir': join(directory, 'checkpoints'),
    }
    const gaps = new HostGaps()
    const meter = new Meter()
    const job = await start(cluster, FILL + records, options, { fill: String(FILL), ...settings })
    await sleep((records / RATE) * 500 + 4000)
    const savepoint = await savepointOf(cluster, job.jobId(), join(directory, 'savepoints'))
    const { results } = await job.ended
    const { accumulators } = results[0]!
    const figures = meter.figures(FILL + records, accumulators.out ?? 0)
    const history = cluster.view.checkpoints(job.jobId())!.history
    const full = history.filter(
      (c) => c.status === 'COMPLETED' && c.type === 'CHECKPOINT' && c.stateSize > 0.9 * savepoint.stateSize,
    )
    const most = (of: (c: (typeof full)[number]) => number) => Math.max(...full.map(of))
    return {
      ...figures,
      stallMaxMs: round(Math.max(...[0, 1].map((i) => accumulators[`stallMaxMs ${i}`] ?? 0)), 2),
      hostGapMaxMs: round(await gaps.stop(), 2),
      checkpointMs: most((c) => c.durationMs),
      syncMaxMs: round(
        most((c) => Math.max(...c.tasks.flatMap((t) => t.subtasks.map((s) => s?.syncMs ?? 0)))),
        2,
      ),
      savepointMs: savepoint.durationMs,
      stateMb: round(most((c) => c.stateSize) / 1e6, 1),
      checkpoints: full.length,
    }
  })
}

async function savepointOf(cluster: MiniCluster, jobId: string, directory: string) {
  const trigger = cluster.view.trigger(jobId, { kind: 'savepoint', directory })!
  const startedMs = performance.now()
  for (;;) {
    const operation = cluster.view.operation(jobId, 'savepoint', trigger)!
    if (operation.error !== undefined) throw new Error(operation.error.message)
    if (operation.result !== undefined) {
      const { checkpointId, path } = operation.result
      const { stateSize } = cluster.view.checkpoint(jobId, checkpointId)!
      return { path, stateSize, durationMs: Math.round(performance.now() - startedMs) }
    }
    await sleep(2)
  }
}

export function restore1m(input: CaseInput): Promise<Figures> {
  return withCluster(async (cluster, directory) => {
    const options = { ...OPTIONS, 'execution.checkpointing.interval': '1 h' }
    const first = await start(cluster, FILL + 60 * RATE, options, { fill: String(FILL) })
    await sleep(8000)
    const savepoint = await savepointOf(cluster, first.jobId(), directory)
    first.abort.abort()
    await first.ended.catch(() => {})
    const meter = new Meter()
    const startedMs = performance.now()
    const second = await start(
      cluster,
      FILL + 60 * RATE,
      { ...options, 'execution.state-recovery.path': savepoint.path },
      { fill: String(FILL), ...input.settings },
    )
    let runningMs = 0
    while (runningMs === 0) {
      await sleep(1)
      const view = cluster.view.view(second.jobId())
      const head = view?.vertices.at(-1)
      if (head?.subtasks.some((s) => s.state === 'RUNNING')) runningMs = performance.now() - startedMs
    }
    const figures = meter.figures(KEYS, KEYS)
    second.abort.abort()
    await second.ended.catch(() => {})
    return { ...figures, restoreMs: Math.round(runningMs), stateMb: round(savepoint.stateSize / 1e6, 1) }
  })
}
