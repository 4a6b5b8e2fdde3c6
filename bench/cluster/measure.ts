/** What is measured of a real cluster, a function for each kind of case. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ProcessCluster, type ProcessClusterOptions } from '../../scripts/lab/process-cluster.ts'
import { cpuMs, sleep, until } from '../processes.ts'
import { Output } from './output.ts'
import { Rest } from './rest.ts'

export interface Given {
  rate: number
  keys: number
  /** In the state of each key. */
  bytes: number
  configuration: Record<string, string>
  logs: string | undefined
  main: string | undefined
}

/** Milliseconds, or what the name says. */
export type Found = Record<string, number>

/** Of output, before anything is done to the cluster and after it is back. */
const WARM_MS = 5_000
const AFTER_MS = 1_500

export type Shape = Pick<ProcessClusterOptions, 'taskManagers' | 'slots' | 'jobManagers'> & {
  /** JobManagers are elected. */
  elected?: boolean
  parallelism: number
}

interface Scene {
  cluster: ProcessCluster
  output: Output
  rest: Rest
}

/** The job runs, all keys have their state, and a checkpoint has it. */
function withJob<R>(shape: Shape, given: Given, measure: (scene: Scene) => Promise<R>): Promise<R> {
  return withJobStarting(shape, given, async (scene) => {
    const { cluster, output, rest } = scene
    await back(output, shape.parallelism, 0)
    await sleep(WARM_MS + (given.keys / given.rate) * 1000)
    // Where two are elected it is not known which of them to ask.
    if (cluster.jobManagers === 1) {
      const { completed } = await rest.checkpoints()
      // One may have begun before the last key came.
      await until(async () => (await rest.checkpoints()).completed > completed + 1, 'there is a checkpoint')
    }
    output.watch()
    return measure(scene)
  })
}

async function withJobStarting<R>(shape: Shape, given: Given, measure: (scene: Scene) => Promise<R>): Promise<R> {
  const output = await Output.listen()
  const { rate, keys, bytes } = given
  const parameters = { rate, keys, bytes, output: output.port }
  try {
    const configuration = { 'execution.checkpointing.interval': '1 s', ...given.configuration }
    return await withCluster(
      shape,
      { ...given, configuration },
      join(import.meta.dirname, 'job.ts'),
      parameters,
      (cluster) => measure({ cluster, output, rest: new Rest(cluster.restPort) }),
    )
  } finally {
    output.close()
  }
}

async function withCluster<R>(
  { parallelism, elected = false, ...shape }: Shape,
  { configuration, logs, main }: Given,
  job: string,
  parameters: Record<string, string | number>,
  measure: (cluster: ProcessCluster) => Promise<R>,
): Promise<R> {
  const folder = mkdtempSync(join(tmpdir(), 'tailrace-cluster-'))
  const cluster = await ProcessCluster.start({
    ...shape,
    direct: true,
    job,
    args: [
      '-p',
      String(parallelism),
      ...Object.entries(parameters).flatMap(([key, value]) => [`--${key}`, `${value}`]),
    ],
    configuration: {
      'execution.checkpointing.dir': join(folder, 'checkpoints'),
      ...configuration,
    },
    logFile: logs === undefined ? join(folder, 'log') : join(logs, 'cluster.log'),
    ...(elected ? { standby: join(folder, 'ha') } : {}),
    ...(main === undefined ? {} : { main }),
  })
  try {
    return await measure(cluster)
  } finally {
    await cluster.abandon()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A TaskManager with a part of the job is killed. */
export function taskManagerKilled(shape: Shape, given: Given, startsAnother: boolean): Promise<Found> {
  return withJob(shape, given, async ({ cluster, output, rest }) => {
    const { pid } = output.openedSince(0)[0]!
    const node = cluster.nodeOf(pid)
    const killedMs = Date.now()
    cluster.killTaskManager(node)
    if (startsAnother) cluster.startTaskManager(node, true)
    await back(output, shape.parallelism, killedMs)
    await sleep(AFTER_MS)
    return { ...gapOf(output, killedMs), ...since(killedMs, await rest.phases()) }
  })
}

/** The JobManager that leads is killed, and started again as the same one unless another stands by. */
export function jobManagerKilled(shape: Shape, given: Given): Promise<Found> {
  return withJob(shape, given, async ({ cluster, output, rest }) => {
    const killedMs = Date.now()
    cluster.killJobManager(cluster.leader)
    const alone = cluster.jobManagers === 1
    if (alone) cluster.startJobManager(0)
    await back(output, shape.parallelism, killedMs)
    await sleep(AFTER_MS)
    return { ...gapOf(output, killedMs), ...(alone ? since(killedMs, await rest.phases()) : {}) }
  })
}

/** From one slot to two and back. */
export function rescaled(shape: Shape, given: Given): Promise<Found> {
  return withJob(shape, given, async ({ output, rest }) => {
    const found: Found = { 'state MB': Math.round((await rest.checkpoints()).bytes / 1e6) }
    for (const parallelism of [2, 1]) {
      output.watch()
      const askedMs = Date.now()
      await rest.setParallelism(parallelism)
      await back(output, parallelism, askedMs)
      const { 'no output for': gapMs, 'all output': allMs } = gapOf(output, askedMs)
      found[`to ${parallelism}: no output for`] = gapMs!
      for (const [phase, ms] of Object.entries(since(askedMs, await rest.phases())))
        found[`to ${parallelism}: ${phase}`] = ms
      found[`to ${parallelism}: done after`] = allMs!
      await sleep(WARM_MS)
    }
    return found
  })
}

/** From the start of the processes until all tasks run. */
export function started(shape: Shape, given: Given): Promise<Found> {
  const startMs = Date.now()
  return withJobStarting(shape, given, async ({ output, rest }) => {
    await until(() => rest.runs(), 'the job runs')
    const runningMs = Date.now()
    await back(output, shape.parallelism, 0)
    return {
      running: runningMs - startMs,
      'all output': gapOf(output, startMs)['all output']!,
    }
  })
}

/** A job of bench/jobs/micro.ts to its end, checkpoints off: records a second from the time that its tasks run, and CPU time of all processes in it. */
export async function throughput(
  shape: Shape,
  given: Given,
  parameters: Record<string, string>,
  records: number,
): Promise<Found> {
  const job = join(import.meta.dirname, '../jobs/micro.ts')
  const all = { ...parameters, records: String(records) }
  return withCluster(shape, given, job, all, async (cluster) => {
    const rest = new Rest(cluster.restPort)
    await until(() => rest.runs(), 'the job runs')
    const startMs = performance.now()
    const startCpu = cpuMs(cluster.pids)
    let cpu = startCpu
    let code: number | undefined
    void cluster.ended.then((ended) => {
      code = ended
    })
    let endMs = 0
    while (code === undefined) {
      // A process that has ended has no times any more.
      const { pids } = cluster
      if (pids.length === shape.taskManagers + 1) cpu = Math.max(cpu, cpuMs(pids))
      endMs = performance.now()
      await sleep(10)
    }
    if (code !== 0) throw new Error(`Cannot measure: the JobManager ended with code ${code}`)
    const wallMs = endMs - startMs
    return {
      'records/s': Math.round((records / wallMs) * 1000),
      'CPU ns/record': Math.round(((cpu - startCpu) * 1e6) / records),
    }
  })
}

/** All subtasks that were opened at that time or later have told. */
function back(output: Output, parallelism: number, sinceMs: number): Promise<void> {
  return until(() => output.openedSince(sinceMs).length === parallelism, 'there is output')
}

function gapOf(output: Output, sinceMs: number): Found {
  const all = output.openedSince(sinceMs).map(({ firstMs }) => firstMs - sinceMs)
  return { 'no output for': output.gapMs, 'first output': Math.min(...all), 'all output': Math.max(...all) }
}

function since(startMs: number, times: Found): Found {
  // What has not been is not told.
  const told = Object.entries(times).filter(([, ms]) => ms >= startMs)
  return Object.fromEntries(told.map(([name, ms]) => [name, ms - startMs]))
}
