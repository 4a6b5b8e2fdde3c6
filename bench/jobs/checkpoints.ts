/**
 * What checkpoints cost a job, and how long they take: with two slots, into a folder of the local disk.
 *
 * - tumble10k-ckp: the job of tumble10k, which goes on for as long as it is looked at: a quarter of a second without a checkpoint and one with, over and over.
 *   The costs are those of one checkpoint a second, in CPU time per record and records a second (turns.ts); the other figures are of the turns with one.
 * - checkpoint-1m: a million keys with a text each, 200,000 records a second, a checkpoint every three seconds and a savepoint at the end; the stall is the
 *   longest time between two records at the operator behind the state, and is read beside the longest pause that the host put upon an idle thread.
 * - restore-1m: the same state from a savepoint: from the submission of the job until the tasks behind the state take records.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { MiniCluster, type RunOptions } from 'tailrace/testing'
import { EMITTED } from '../event-source.ts'
import { type CaseInput, type Figures, Meter, round } from '../measure.ts'
import { medianOf } from '../report.ts'
import { costOf, type Turn } from '../turns.ts'
import { HostGaps } from './host-gaps.ts'

const JOB = new URL('./micro.ts', import.meta.url).href
const SLOTS = 2
const KEYS = 1_000_000
/** More than anyone waits for. */
const ENDLESS = 1e12
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

/** Long enough for a checkpoint, and short, so that both neighbours of a turn see the machine that it saw. */
const TURN_MS = 250
/** Turns with a checkpoint; with those between and around them all takes under a minute. `--set turns=N` is for another number. */
const TURNS = 71
const WARM_UP_CHECKPOINTS = 10

/**
 * Tumble10k in turns. `records` come before them, and some checkpoints, so that all code is warm.
 *
 * Checkpoints are asked for, so that they can be left away; but for that they are those of an interval.
 */
export function tumble10k({ records, settings: { turns = String(TURNS), ...settings } }: CaseInput): Promise<Figures> {
  return withCluster(async (cluster, directory) => {
    const { ended, jobId, abort } = await start(
      cluster,
      ENDLESS,
      { ...OPTIONS, 'execution.checkpointing.interval': '1 h', 'execution.checkpointing.dir': directory },
      { job: 'tumble', keys: '10000', rate: '0', ...settings },
    )
    const failed = ended.then(() => {
      throw new Error(`Cannot measure: the job has ended after ${ENDLESS} records`)
    })
    failed.catch(() => {})
    const pass = (ms: number) => Promise.race([sleep(ms), failed])
    const emitted = () => emittedBy(cluster, jobId())
    const runTurn = async (withCheckpoint: boolean): Promise<Turn & { records: number }> => {
      const meter = new Meter()
      const before = emitted()
      const trigger = withCheckpoint ? cluster.view.trigger(jobId(), { kind: 'checkpoint' })! : undefined
      await pass(TURN_MS)
      while (trigger !== undefined && !isComplete(cluster, jobId(), trigger)) await pass(2)
      return meter.figures(emitted() - before, 0)
    }

    while (emitted() < records) await pass(50)
    for (let i = 0; i < WARM_UP_CHECKPOINTS; i++) await runTurn(true)
    const all = [await runTurn(false)]
    for (let i = 0; i < Number(turns); i++) all.push(await runTurn(true), await runTurn(false))
    const { counts, summary } = cluster.view.checkpoints(jobId())!
    abort.abort()
    await ended.catch(() => {})

    const { cpu, rate } = costOf(all)
    const [without, withCheckpoint] = [0, 1].map((odd) => all.filter((_, i) => i % 2 === odd)) as [Turn[], Turn[]]
    return {
      records: all.reduce((sum, turn) => sum + turn.records, 0),
      recordsPerSecond: medianOf(withCheckpoint.map((turn) => turn.recordsPerSecond))!,
      cpuNsPerRecord: medianOf(withCheckpoint.map((turn) => turn.cpuNsPerRecord))!,
      out: counts.completed,
      withoutNs: medianOf(without.map((turn) => turn.cpuNsPerRecord))!,
      costPercent: cpu.median,
      costLowPercent: cpu.low,
      costHighPercent: cpu.high,
      rateCostPercent: rate.median,
      rateCostLowPercent: rate.low,
      rateCostHighPercent: rate.high,
      checkpointMs: summary.durationMs.p50,
      stateMb: round(summary.stateSize.max / 1e6, 1),
    }
  })
}

function isComplete(cluster: MiniCluster, jobId: string, trigger: string): boolean {
  const { error, result } = cluster.view.operation(jobId, 'checkpoint', trigger)!
  if (error !== undefined) throw new Error(error.message)
  return result !== undefined
}

/** Events that the sources of a job have emitted; 0 before they run. */
function emittedBy(cluster: MiniCluster, jobId: string): number {
  let events = 0
  for (const { page, names } of cluster.job(jobId)?.metrics ?? []) {
    const cells = new Float64Array(page)
    for (const { name, index } of names) if (name === EMITTED) events += cells[index]!
  }
  return events
}

/** Starts the state job, or another; the program runs on. */
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
