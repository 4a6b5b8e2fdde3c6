/**
 * What happens to a cluster of processes, and when: everything follows from the seed of the run.
 */
import type { Direction } from '../../runtime/core/tcp-proxy.suite.ts'
import { between, pick, type Random } from './random.ts'

/**
 * A JobManager and TaskManagers, each a process. `taskmanager`: TaskManagers are killed, and come back or others do, or are stopped (SIGSTOP) for shorter and longer than `heartbeat.timeout`. `links`: connections between
 * them are cut, slow, fall silent, or pass in one direction alone. `cluster`: both, and the JobManager is killed, and the parallelism changed. `cluster-kafka`: the same from Kafka to Kafka, whose broker is killed, too.
 * `cluster-s3`: checkpoints lie in S3, and in half of the runs the lease and the registry of two JobManagers, too; its server is killed and stopped, and so are processes. `standby`: two JobManagers, of which one leads,
 * are killed and stopped, for shorter and longer than their lease.
 */
export const CLUSTER_KINDS = ['taskmanager', 'links', 'cluster', 'cluster-kafka', 'cluster-s3', 'standby'] as const
export type ClusterKind = (typeof CLUSTER_KINDS)[number]

/** Who comes instead of a TaskManager that was killed: it again, one with another id, or nobody, as there are slots enough. */
export type Comeback = 'same' | 'other' | 'never'

export type Strike =
  | { what: 'kill'; node: number; back: Comeback; afterMs: number }
  | { what: 'stop'; node: number; ms: number }
  /** `rpc`: between TaskManager and JobManager. `data`: what other TaskManagers have opened to its slots. */
  | { what: 'cut' | 'silent' | 'slow'; node: number; link: 'rpc' | 'data'; ms: number }
  /** Nothing passes in one direction: of who connects (`requests`), or of who was connected to. */
  | { what: 'half-open'; of: Direction; node: number; link: 'rpc' | 'data'; ms: number }
  /** Of Kafka; it is started again at once. */
  | { what: 'broker' }
  /** The server of S3: killed, and there again after the time, or stopped for it. */
  | { what: 'kill s3' | 'stop s3'; ms: number }
  | { what: 'jobmanager'; which: number; afterMs: number }
  | { what: 'stop jobmanager'; which: number; ms: number }
  | { what: 'rescale'; parallelism: number }

/** After the n-th checkpoint of the run appears in the store, or after the strike before it. */
export type StrikeMoment = { since: 'checkpoint'; nth: number; ms: number } | { since: 'strike'; ms: number }

export type ClusterBlow = Strike & { at: StrikeMoment }

export interface ClusterChaos {
  kind: ClusterKind
  taskManagers: number
  /** Of each. */
  slots: number
  /** Two, of which one is elected, or one. */
  jobManagers: 1 | 2
  parallelism: number
  intervalMs: number
  /** Records wait in the source, or in a function, which holds up its slot. */
  pace: 'source' | 'function'
  blows: ClusterBlow[]
}

/** Of the processes of a run: short, so that runs are. */
export const HEARTBEAT_MS = 250
export const HEARTBEAT_TIMEOUT_MS = 1_500
/** Of the JobManager that leads where there are two. */
export const LEASE_MS = 2_000

export function makeClusterChaos(random: Random, kind: ClusterKind): ClusterChaos {
  const taskManagers = between(random, 2, 3)
  const slots = between(random, 1, 2)
  const total = taskManagers * slots
  // Half of them have slots to spare.
  const parallelism = between(random, 2, Math.min(4, total))
  let spare = Math.floor((total - parallelism) / slots)
  const comeback = (): Comeback => {
    const back = pick(random, spare > 0 ? (['same', 'other', 'never'] as const) : (['same', 'other'] as const))
    if (back === 'never') spare--
    return back
  }
  const gone = new Set<number>()
  const node = () => {
    const there = Array.from({ length: taskManagers }, (_, i) => i).filter((i) => !gone.has(i))
    return pick(random, there)
  }
  const kill = (): Strike => {
    const one = node()
    const back = comeback()
    if (back === 'never') gone.add(one)
    return { what: 'kill', node: one, back, afterMs: pick(random, [0, between(random, 50, 1_200)]) }
  }
  const stop = (): Strike => ({
    what: 'stop',
    node: node(),
    ms: pick(random, [
      between(random, 100, 900),
      between(random, HEARTBEAT_TIMEOUT_MS + 600, HEARTBEAT_TIMEOUT_MS + 1_500),
    ]),
  })
  const link = (): Strike => {
    const what = pick(random, ['cut', 'cut', 'silent', 'slow', 'half-open', 'half-open'] as const)
    const on = { node: node(), link: pick(random, ['rpc', 'data'] as const), ms: between(random, 200, 1_500) }
    return what === 'half-open' ? { what, of: pick(random, ['requests', 'answers'] as const), ...on } : { what, ...on }
  }
  const jobManagers = kind === 'standby' || (kind === 'cluster-s3' && random() < 0.5) ? 2 : 1
  const broker = (): Strike => ({ what: 'broker' })
  // Shorter and longer than a leader may go on without it.
  const s3 = (): Strike => ({
    what: pick(random, ['kill s3', 'stop s3'] as const),
    ms: pick(random, [between(random, 50, 900), between(random, 1_500, 3_500)]),
  })
  const anyJobManager = () => jobManager(between(random, 0, jobManagers - 1))
  const jobManager = (which = 0): Strike => ({ what: 'jobmanager', which, afterMs: between(random, 0, 600) })
  const stopJobManager = (): Strike => ({
    what: 'stop jobmanager',
    which: between(random, 0, 1),
    ms: pick(random, [between(random, 100, 900), between(random, LEASE_MS + 800, LEASE_MS + 2_000)]),
  })
  const strikes: Record<ClusterKind, readonly (() => Strike)[]> = {
    taskmanager: [kill, kill, stop],
    links: [link],
    cluster: [kill, stop, link, link, () => jobManager(), rescale],
    'cluster-kafka': [kill, stop, link, anyJobManager, broker],
    'cluster-s3': [s3, s3, s3, kill, anyJobManager],
    standby: [anyJobManager, stopJobManager, kill],
  }
  function rescale(): Strike {
    return { what: 'rescale', parallelism: between(random, 1, Math.min(4, total)) }
  }
  let brokers = 0
  const blows = Array.from({ length: between(random, 2, 4) }, (_, i): ClusterBlow => {
    const at: StrikeMoment =
      i > 0 && random() < 0.6
        ? { since: 'strike', ms: pick(random, [0, between(random, 0, 400), between(random, 0, 2_500)]) }
        : {
            since: 'checkpoint',
            nth: between(random, 1, 4) + 3 * i,
            ms: pick(random, [between(random, 0, 12), between(random, 0, 140)]),
          }
    const strike = pick(random, strikes[kind])()
    // It needs its time to come back.
    const again = strike.what === 'broker' && brokers++ > 0
    return { ...(again ? kill() : strike), at }
  })
  const pace = pick(random, ['source', 'function'] as const)
  return { kind, taskManagers, slots, jobManagers, parallelism, intervalMs: pick(random, [100, 150, 200]), pace, blows }
}

export function describeStrike(strike: Strike): string {
  switch (strike.what) {
    case 'kill':
      return `kill TaskManager ${strike.node}, back: ${strike.back}${strike.back === 'never' ? '' : ` after ${strike.afterMs} ms`}`
    case 'stop':
      return `stop TaskManager ${strike.node} for ${strike.ms} ms`
    case 'stop jobmanager':
      return `stop JobManager ${strike.which} for ${strike.ms} ms`
    case 'jobmanager':
      return `kill JobManager ${strike.which}, back after ${strike.afterMs} ms`
    case 'broker':
      return 'kill the broker'
    case 'kill s3':
    case 'stop s3':
      return `${strike.what} for ${strike.ms} ms`
    case 'half-open':
      return `swallow ${strike.of} on ${strike.link} of TaskManager ${strike.node} for ${strike.ms} ms`
    case 'rescale':
      return `rescale to ${strike.parallelism}`
    default:
      return `${strike.what} ${strike.link} of TaskManager ${strike.node}${strike.what === 'cut' ? '' : ` for ${strike.ms} ms`}`
  }
}

export function describeClusterChaos({ kind, intervalMs, pace, blows, ...shape }: ClusterChaos): string {
  const lines = blows.map((blow) => {
    const { at } = blow
    return `    ${describeStrike(blow)}, ${at.since === 'strike' ? `${at.ms} ms later` : `at checkpoint#${at.nth}+${at.ms} ms`}`
  })
  return [`  ${kind}, ${shapeOf(shape)}, paced by the ${pace}, a checkpoint every ${intervalMs} ms`, ...lines].join(
    '\n',
  )
}

export function shapeOf({
  taskManagers,
  slots,
  jobManagers,
  parallelism,
}: Pick<ClusterChaos, 'taskManagers' | 'slots' | 'jobManagers' | 'parallelism'>): string {
  return `${taskManagers} × ${slots} slots${jobManagers > 1 ? `, ${jobManagers} JobManagers` : ''}, parallelism ${parallelism}`
}
