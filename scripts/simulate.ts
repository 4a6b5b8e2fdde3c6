/**
 * `npm run simulate -- [--seeds N] [--from S] [--seed S [--follow]] [--topology T]`: runs simulated clusters (runtime/testing/simulation), each of them a function of its seed.
 *
 * Seeds run in worker threads, each thread takes the next one. A seed that fails is shown with its scenario, its last events and the command that runs it again; the exit
 * code is 1 then. `--seed` runs one, and with `--follow` prints every event. Real time counts only here: a seed that does not come back is named and given up.
 */
import { availableParallelism } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { TOPOLOGIES } from '../runtime/testing/simulation/scenario.ts'
import { type Report, type SimulateOptions, simulate } from '../runtime/testing/simulation/simulation.ts'
import { commandLine, wholeNumber } from './command-line.ts'

/** What a worker says: it begins a seed, or is done with it. */
type Said = { seed: number; report?: Report; failure?: string }

/** Shared by the workers. */
interface Shared {
  /** The next seed, in its one element. */
  next: BigInt64Array
  end: number
  topology: TopologyOption
}

const SEEDS = 1000
const WORKERS_MAX = 8
/** Seeds take a twentieth of a second, seldom a few seconds. */
const SEED_MAX_MS = 60_000
const PROGRESS_EVERY_MS = 10_000
/** Failures that are shown whole; of others the first line. */
const SHOWN_WHOLE = 3
const USAGE = `Usage: npm run simulate -- [options]

  --seeds N     how many; ${SEEDS} unless given
  --from S      the first; 1 unless given
  --workers N   threads
  --topology T  "one process" or "cluster" (a JobManager and TaskManagers that are processes of their own);
                odd seeds are the one and even seeds the other unless given
  --seed S      this one only
  --follow      with --seed: prints every event`

async function main(): Promise<void> {
  const { values } = commandLine(USAGE, {
    options: {
      seeds: { type: 'string', default: String(SEEDS) },
      from: { type: 'string', default: '1' },
      seed: { type: 'string' },
      follow: { type: 'boolean', default: false },
      topology: { type: 'string' },
      workers: { type: 'string', default: String(Math.min(WORKERS_MAX, availableParallelism())) },
    },
  })
  const topology = readTopology(values.topology)
  if (values.seed !== undefined) return one(wholeNumber('--seed', values.seed, 0), topology, values.follow)
  const failed = await many(
    wholeNumber('--from', values.from, 0),
    wholeNumber('--seeds', values.seeds, 0),
    wholeNumber('--workers', values.workers, 1),
    topology,
  )
  if (failed > 0) process.exitCode = 1
}

type TopologyOption = Pick<SimulateOptions, 'topology'>

function readTopology(text: string | undefined): TopologyOption {
  if (text === undefined) return {}
  const topology = TOPOLOGIES.find((name) => name === text)
  if (topology !== undefined) return { topology }
  throw new Error(`Cannot simulate --topology "${text}": one of ${TOPOLOGIES.join(', ')} is wanted`)
}

async function one(seed: number, topology: TopologyOption, follow: boolean): Promise<void> {
  try {
    const { faults, ...report } = await simulate({ seed, ...topology, ...(follow ? { follow: console.log } : {}) })
    console.log(`Seed ${seed} is well: ${JSON.stringify(report)}${faults.map((fault) => `\n  ${fault}`).join('')}`)
  } catch (error) {
    console.error((error as Error).message)
    process.exitCode = 1
  }
}

/** The number of failures. */
async function many(from: number, seeds: number, workers: number, topology: TopologyOption): Promise<number> {
  const startedMs = performance.now()
  const shared: Shared = { next: new BigInt64Array(new SharedArrayBuffer(8)), end: from + seeds, topology }
  shared.next[0] = BigInt(from)
  const totals = new Totals()
  const failed: number[] = []
  const rate = () => {
    const seconds = (performance.now() - startedMs) / 1000
    return `${totals.seeds + failed.length} of ${seeds} seeds in ${seconds.toFixed(1)} s, ${failed.length} failed`
  }
  const heard = ({ seed, report, failure }: Said) => {
    if (report !== undefined) totals.add(report)
    if (failure === undefined) return
    failed.push(seed)
    console.error(failed.length <= SHOWN_WHOLE ? `\n${failure}\n` : failure.split('\n', 1)[0])
  }
  const progress = setInterval(() => console.log(rate()), PROGRESS_EVERY_MS)
  await Promise.all(Array.from({ length: Math.max(1, Math.min(workers, seeds)) }, () => inWorker(shared, heard)))
  clearInterval(progress)
  console.log(`${rate()}\n${totals.text()}`)
  if (failed.length > 0) {
    const all = failed.sort((a, b) => a - b)
    console.error(`Failed: ${all.join(', ')}\nRun one again: npm run simulate -- --seed ${all[0]} --follow`)
  }
  return failed.length
}

/** Runs seeds until there are none left. A worker that hangs or dies costs the seed it is at, and another one goes on. */
async function inWorker(shared: Shared, heard: (said: Said) => void): Promise<void> {
  for (let goesOn = true; goesOn; ) {
    const worker = new Worker(new URL(import.meta.url), { workerData: shared })
    let seed: number | undefined
    let timer: NodeJS.Timeout | undefined
    const lost = (why: string) => {
      if (seed === undefined) heard({ seed: -1, failure: `A worker ${why}` })
      else heard({ seed, failure: `Seed ${seed}: ${why}\nRun it again: npm run simulate -- --seed ${seed}` })
      goesOn = seed !== undefined
      seed = undefined
      void worker.terminate()
    }
    goesOn = false
    worker.on('message', (said: Said) => {
      clearTimeout(timer)
      const isDone = said.report !== undefined || said.failure !== undefined
      seed = isDone ? undefined : said.seed
      if (isDone) heard(said)
      else timer = setTimeout(() => lost(`does not end within ${SEED_MAX_MS / 1000} s`), SEED_MAX_MS)
    })
    worker.on('error', (error) => lost(`ended its thread: ${error.stack ?? error.message}`))
    await new Promise((resolve) => worker.once('exit', resolve))
    clearTimeout(timer)
  }
}

async function work({ next, end, topology }: Shared): Promise<void> {
  const say = (said: Said) => parentPort!.postMessage(said)
  for (;;) {
    const seed = Number(Atomics.add(next, 0, 1n))
    if (seed >= end) return
    say({ seed })
    try {
      say({ seed, report: await simulate({ seed, ...topology }) })
    } catch (error) {
      say({ seed, failure: (error as Error).message })
    }
  }
}

/** What all runs have been through: a simulation in which nothing happens is always well. */
class Totals {
  seeds = 0
  #virtualMs = 0
  #checkpoints = 0
  #processes = 0
  #deployments = 0
  #registrations = 0
  #rescales = 0
  #restarts = 0
  #longest: Report | undefined
  readonly #topologies = new Map<string, number>()
  readonly #jobs = new Map<string, number>()
  readonly #faults = new Map<string, number>()

  add(report: Report): void {
    const { job, topology, faults, virtualMs, checkpoints, processes, deployments, leftAloneMs } = report
    if (leftAloneMs > (this.#longest?.leftAloneMs ?? 0)) this.#longest = report
    this.seeds++
    this.#virtualMs += virtualMs
    this.#checkpoints += checkpoints
    this.#processes += processes
    this.#deployments += deployments
    this.#registrations += report.registrations
    this.#rescales += report.rescales
    this.#restarts += report.restarts
    this.#topologies.set(topology, (this.#topologies.get(topology) ?? 0) + 1)
    this.#jobs.set(job, (this.#jobs.get(job) ?? 0) + 1)
    for (const fault of faults) this.#faults.set(fault, (this.#faults.get(fault) ?? 0) + 1)
  }

  text(): string {
    const table = (counts: Map<string, number>) =>
      [...counts].sort(([, a], [, b]) => b - a).map(([name, count]) => `  ${String(count).padStart(6)}  ${name}`)
    return [
      `${(this.#virtualMs / 60_000).toFixed(1)} minutes of clusters: ${this.#processes} processes, ${this.#deployments - this.seeds} jobs stopped and begun again, ${this.#checkpoints} checkpoints, ${this.#restarts} restarts, ${this.#rescales} rescales, ${this.#registrations} registrations`,
      `The job that ended last after all that went wrong: ${((this.#longest?.leftAloneMs ?? 0) / 1000).toFixed(1)} s, seed ${this.#longest?.seed}`,
      `Topologies:\n${table(this.#topologies).join('\n')}`,
      `Jobs:\n${table(this.#jobs).join('\n')}`,
      `What went wrong, or was asked for:\n${table(this.#faults).join('\n')}`,
    ].join('\n')
  }
}

if (isMainThread) await main()
else await work(workerData)
