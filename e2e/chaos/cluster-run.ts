/**
 * One run of a cluster of processes: struck as its seed says until its job has finished; then its output is compared with the oracle.
 */
import { appendFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KafkaBroker } from '../../runtime/connectors/kafka/testing/kafka-broker.suite.ts'
import type { TcpProxy } from '../../runtime/core/tcp-proxy.suite.ts'
import { ProcessCluster } from '../../scripts/lab/process-cluster.ts'
import type { OwnS3Lab } from '../../scripts/lab/s3.ts'
import { type CheckpointPlace, directoryPlace, realS3Place } from './checkpoint-place.ts'
import {
  type ClusterBlow,
  type ClusterChaos,
  type ClusterKind,
  describeStrike,
  HEARTBEAT_MS,
  HEARTBEAT_TIMEOUT_MS,
  LEASE_MS,
  makeClusterChaos,
} from './cluster-schedule.ts'
import { makeKafkaScene } from './kafka-scene.ts'
import { seededRandom } from './random.ts'
import { makeScene, type Scene } from './scene.ts'

export interface ClusterOutcome {
  seed: number
  chaos: ClusterChaos
  /** What is wrong, in lines; empty when the output is the oracle's. */
  problems: string[]
  /** What has hit, and when. */
  hits: string[]
  processesKilled: number
  checkpoints: number
  seconds: number
  /** Is kept when something is wrong. */
  folder: string
}

/** A run that takes longer hangs: it should take ten seconds. */
const RUN_MS_MAX = 90_000
/** Of the whole job: it takes a few seconds without strikes. */
const RECORDS_PER_SECOND = 6_000
/** What passes a slow connection comes so much later. */
const SLOW_MS = 150

/** What runs share that need it. */
export interface Labs {
  kafka?: KafkaBroker | undefined
  s3?: OwnS3Lab | undefined
}

/** Counts runs of this process: seeds may come again. */
let runs = 0

/** @param given what happens instead of what the seed says */
export async function clusterRun(
  seed: number,
  kind: ClusterKind,
  { kafka, s3 }: Labs = {},
  given?: Partial<ClusterChaos>,
): Promise<ClusterOutcome> {
  const startedMs = performance.now()
  const random = seededRandom(seed)
  const chaos = { ...makeClusterChaos(random, kind), ...given }
  const name = `${kind}-${seed}`
  const scene = kind === 'cluster-kafka' ? await makeKafkaScene(name, random, kafka!) : makeScene(name, random)
  const { folder, logFile } = scene
  const shared = `${name}-${runs++}`
  const place = kind === 'cluster-s3' ? realS3Place(s3!, shared) : directoryPlace(join(folder, 'checkpoints'))
  const haPlace = kind === 'cluster-s3' ? `s3://${s3!.bucket}/${shared}/ha` : join(folder, 'ha')
  const outcome: ClusterOutcome = {
    ...{ seed, chaos, problems: [], hits: [], folder },
    ...{ processesKilled: 0, checkpoints: 0, seconds: 0 },
  }
  const cluster = await ProcessCluster.start({
    ...chaos,
    job: join(import.meta.dirname, 'job.ts'),
    logFile,
    args: argsOf(scene, chaos, place),
    configuration: { ...CONFIGURATION, ...place.options },
    ...(chaos.jobManagers > 1 ? { standby: haPlace } : {}),
  })
  const strikes = new Strikes({ cluster, place, outcome, scene, s3, logFile })
  strikes.plan(chaos.blows)
  try {
    const code = await Promise.race([cluster.ended, strikes.ended, hangs()])
    await strikes.stop()
    if (code === 'hung') {
      outcome.problems.push('the job hung')
      await cluster.abandon()
    } else {
      if (code !== 0) outcome.problems.push(`the JobManager ended with code ${code}`)
      await cluster.close()
    }
    outcome.problems.push(...cluster.problems)
    if (outcome.problems.length === 0) outcome.problems.push(...(await scene.problems()))
  } finally {
    outcome.checkpoints = place.seen.size
    await place.close()
  }
  outcome.seconds = (performance.now() - startedMs) / 1000
  if (outcome.problems.length === 0) await scene.remove()
  return outcome
}

/** Short times, so that runs are. */
const CONFIGURATION = {
  'heartbeat.interval': `${HEARTBEAT_MS} ms`,
  'heartbeat.timeout': `${HEARTBEAT_TIMEOUT_MS} ms`,
  'cluster.registration.max-timeout': '500 ms',
  'pekko.tcp.timeout': '2 s',
  'high-availability.kubernetes.leader-election.lease-duration': `${LEASE_MS} ms`,
  'high-availability.kubernetes.leader-election.renew-deadline': '1200 ms',
  'high-availability.kubernetes.leader-election.retry-period': '300 ms',
}

function argsOf(scene: Scene, { parallelism, intervalMs, pace }: ClusterChaos, place: CheckpointPlace): string[] {
  const args = scene.args({ parallelism, intervalMs, place, recordsPerSecond: RECORDS_PER_SECOND, flags: [] })
  return [...args, '-D', 'execution.checkpointing.timeout=10 s', '-D', 'task.cancellation.timeout=5 s', '--pace', pace]
}

async function hangs(): Promise<'hung'> {
  await new Promise((resolve) => setTimeout(resolve, RUN_MS_MAX).unref())
  return 'hung'
}

interface StrikesOptions {
  cluster: ProcessCluster
  place: CheckpointPlace
  outcome: ClusterOutcome
  scene: Scene
  s3: OwnS3Lab | undefined
  logFile: string
}

/** Strikes at their moments; what they leave broken is mended when its time has passed. */
class Strikes {
  /** Resolves with 0 when a JobManager was killed behind the end of its job: started again it would begin anew, as it should. */
  readonly ended: Promise<number>
  readonly #options: StrikesOptions
  readonly #end: (code: number) => void
  readonly #startedMs = performance.now()
  readonly #timers = new Set<NodeJS.Timeout>()

  constructor(options: StrikesOptions) {
    this.#options = options
    const { promise, resolve } = Promise.withResolvers<number>()
    this.ended = promise
    this.#end = resolve
  }

  plan(blows: readonly ClusterBlow[]): void {
    const { place } = this.#options
    let checkpoints = 0
    place.listen(() => {
      checkpoints++
      for (const [i, { at }] of blows.entries())
        if (at.since === 'checkpoint' && at.nth === checkpoints) this.#after(at.ms, () => this.#strike(blows, i))
    })
  }

  async stop(): Promise<void> {
    this.#options.place.listen(() => {})
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers.clear()
    // A process that stands still cannot end.
    for (const mend of this.#mends) mend()
    await this.#server
  }
  readonly #mends = new Set<() => void>()
  /** One after the other is done to the server of S3. */
  #server: Promise<void> = Promise.resolve()
  /** That wait for its start. */
  #kills = 0

  #after(ms: number, work: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      work()
    }, ms)
    this.#timers.add(timer)
  }

  /** Undoes it after a time, or when all is over. */
  #mendAfter(ms: number, text: string, mend: () => void): void {
    this.#mends.add(mend)
    this.#after(ms, () => {
      this.#mends.delete(mend)
      this.#note(text)
      mend()
    })
  }

  #note(text: string): void {
    const { logFile, outcome } = this.#options
    const line = `${text} (${Math.round(performance.now() - this.#startedMs)} ms)`
    outcome.hits.push(line)
    appendFileSync(logFile, `--- ${line}\n`)
  }

  #strike(blows: readonly ClusterBlow[], i: number): void {
    const blow = blows[i]!
    const { cluster, outcome, place, scene, s3 } = this.#options
    this.#note(describeStrike(blow))
    switch (blow.what) {
      case 'kill': {
        const { node, back, afterMs } = blow
        cluster.killTaskManager(node)
        outcome.processesKilled++
        if (back !== 'never') this.#after(afterMs, () => cluster.startTaskManager(node, back === 'other'))
        break
      }
      case 'stop':
        cluster.stopTaskManager(blow.node)
        this.#mendAfter(blow.ms, `TaskManager ${blow.node} goes on`, () => cluster.continueTaskManager(blow.node))
        break
      case 'jobmanager':
        cluster.killJobManager(blow.which)
        outcome.processesKilled++
        this.#after(blow.afterMs, () => {
          if (place.ended()) this.#end(0)
          else cluster.startJobManager(blow.which)
        })
        break
      case 'stop jobmanager':
        cluster.signalJobManager(blow.which, 'SIGSTOP')
        this.#mendAfter(blow.ms, `JobManager ${blow.which} goes on`, () =>
          cluster.signalJobManager(blow.which, 'SIGCONT'),
        )
        break
      case 'broker':
        scene.onOutside!('broker')
        break
      case 'kill s3':
        this.#onServer(async () => {
          if (this.#kills++ === 0) await s3!.kill()
        })
        this.#mendAfter(blow.ms, 'S3 is started', () =>
          this.#onServer(async () => {
            if (--this.#kills === 0) await s3!.start()
          }),
        )
        break
      case 'stop s3':
        this.#onServer(async () => s3!.signal('SIGSTOP'))
        this.#mendAfter(blow.ms, 'S3 goes on', () => this.#onServer(async () => s3!.signal('SIGCONT')))
        break
      case 'rescale':
        void rescale(cluster.restPort, blow.parallelism).then((what) => this.#note(what))
        break
      default:
        this.#onLinks(blow, cluster.proxies(blow.node, blow.link))
    }
    const next = blows[i + 1]
    if (next?.at.since === 'strike') this.#after(next.at.ms, () => this.#strike(blows, i + 1))
  }

  #onServer(work: () => Promise<void>): void {
    this.#server = this.#server.then(work)
  }

  #onLinks(blow: Extract<ClusterBlow, { link: unknown }>, proxies: TcpProxy[]): void {
    const { what, node, ms } = blow
    for (const proxy of proxies) {
      if (what === 'cut') proxy.cut()
      else if (what === 'slow') proxy.delayMs = SLOW_MS
      else if (what === 'half-open') {
        proxy.fault = () => ({ swallow: blow.of })
        proxy.swallow(blow.of)
      } else {
        // As if the machine had gone: also who connects anew hears nothing.
        proxy.fault = () => ({ after: { bytes: 0, of: 'requests', then: 'silent' } })
        proxy.silence()
      }
    }
    if (what === 'cut') return
    this.#mendAfter(ms, `connections of TaskManager ${node} pass again`, () => {
      for (const proxy of proxies) {
        proxy.delayMs = 0
        proxy.fault = () => undefined
      }
    })
  }
}

interface JobAnswer {
  jobs: { jid: string; state: string }[]
}

/** By REST, as a user does it. What comes of it, in words. */
async function rescale(port: number, parallelism: number): Promise<string> {
  const url = `http://127.0.0.1:${port}`
  const signal = AbortSignal.timeout(5_000)
  try {
    const { jobs } = (await (await fetch(`${url}/jobs/overview`, { signal })).json()) as JobAnswer
    const job = jobs[0]
    if (job === undefined) return 'no job to rescale'
    const path = `${url}/jobs/${job.jid}/resource-requirements`
    const bounds = (await (await fetch(path, { signal })).json()) as Record<string, { parallelism: unknown }>
    const wanted = Object.fromEntries(
      Object.keys(bounds).map((id) => [id, { parallelism: { lowerBound: 1, upperBound: parallelism } }]),
    )
    const answer = await fetch(path, {
      ...{ method: 'PUT', signal, body: JSON.stringify(wanted) },
      headers: { 'content-type': 'application/json' },
    })
    return `REST answered ${answer.status} to the new requirements`
  } catch (error) {
    return `REST could not be asked: ${(error as Error).message}`
  }
}
