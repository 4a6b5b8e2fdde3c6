/** Everything about a run that is fixed before it begins, drawn from its seed: the job, what it reads, how it is configured, and what goes wrong when. */
import { type ClusterPlan, drawCluster } from './cluster-plan.ts'
import type { Pace } from './here.ts'
import { type Assignment, type Lanes, makeLanes } from './input.ts'
import { JOBS } from './jobs/index.ts'
import type { Job } from './jobs/job.ts'
import type { Random } from './random.ts'
import { SINK_KINDS, type SinkKind } from './sinks.ts'

export const FAULTS = [
  'a function throws',
  'a slot dies',
  'a slot stands still',
  'the program stands still',
  'the store fails',
  'the store is slow',
  'the ledger loses calls',
  'messages are lost',
  'the process dies',
  'the process stands still',
  'another process takes over',
  'another process takes over from one that stands still',
  'a checkpoint is asked for',
  'a savepoint is asked for',
  'the job is stopped with a savepoint',
] as const

/** Where TaskManagers are processes of their own. */
export const CLUSTER_FAULTS = [
  'a TaskManager dies',
  'a TaskManager stands still',
  'a TaskManager is cut off',
  'a connection is cut',
  'a connection falls silent',
  'the network is slow',
  'other requirements are set',
] as const

/** Wall clocks; what goes wrong then is drawn last, beside all else. */
export const CLOCK_FAULTS = ['a clock jumps'] as const
export type Fault = (typeof FAULTS | typeof CLUSTER_FAULTS | typeof CLOCK_FAULTS)[number]

/** `one process`: the slots are in the JobManager's process. */
export const TOPOLOGIES = ['one process', 'cluster'] as const
export type Topology = (typeof TOPOLOGIES)[number]

/** What is worth to be disturbed. */
const MOMENTS = [
  'deploy arrives',
  'deployed arrives',
  'start arrives',
  'stateRead arrives',
  'assignSplits arrives',
  'splits arrives',
  'snapshotEnumerators arrives',
  'enumeratorStates arrives',
  'triggerCheckpoint is sent',
  'triggerCheckpoint arrives',
  'stateChunk arrives',
  'checkpointAck is sent',
  'checkpointAck arrives',
  'checkpointDeclined arrives',
  'checkpointAborted is sent',
  'checkpointComplete is sent',
  'checkpointComplete arrives',
  'dataEnded arrives',
  'cancel arrives',
  'resetEnumerators is sent',
  'a claim is stored',
  'a start is stored',
  'metadata is stored',
  'state is stored',
  'a batch is prepared',
  'results are shown',
] as const

/** … between processes. */
const CLUSTER_MOMENTS = [
  'a TaskManager registers',
  'ready is sent',
  'deploy is posted',
  'start is posted',
  'cancel is posted',
  'retire is posted',
  'triggerCheckpoint is posted',
  'checkpointComplete is posted',
  'the job is RESTARTING',
  'the job is CREATED',
  'the job is RUNNING',
] as const

export interface PlannedFault {
  fault: Fault
  /** When it happens: after so many milliseconds, or so long after a moment has come for the nth time. */
  when: { afterMs: number; moment?: { name: string; nth: number } }
  /** Of what lasts. */
  forMs: number
}

export interface Scenario {
  job: Job
  inputs: { first: Lanes; second: Lanes }
  assignment: Assignment
  pace: Pace
  sink: SinkKind
  mode: 'EXACTLY_ONCE' | 'AT_LEAST_ONCE'
  /** Every result once; else at least once. */
  exactly: boolean
  /** Of the job, the same in every process. */
  options: Record<string, string>
  /** A process may have another one. */
  parallelismMax: number
  /** TaskManagers in processes of their own; undefined where there are none. */
  cluster: ClusterPlan | undefined
  faults: PlannedFault[]
}

/** Key groups: every process has the same number. */
const MAX_PARALLELISM = 12

export function drawScenario(random: Random, topology: Topology = 'one process'): Scenario {
  const isCluster = topology === 'cluster'
  const job = random.pick(JOBS)
  const assignment = random.pick(['fixed', 'on request', 'discovered'] as const)
  const lanes = assignment === 'fixed' ? random.whole(1, 5) : random.whole(3, 16)
  const inputs = {
    first: makeLanes(random, { lanes, events: random.whole(80, 360) }),
    second: makeLanes(random, { lanes: random.whole(1, 4), events: random.whole(20, 80) }),
  }
  const sinks = SINK_KINDS.filter((kind) => kind !== 'direct' || job.sums !== true)
  const sink = random.pick(sinks)
  const mode = job.stateless === true && random.chance(0.2) ? 'AT_LEAST_ONCE' : 'EXACTLY_ONCE'
  const pace = { eventsMax: random.whole(1, 6), pauseMaxMs: random.between(2, isCluster ? 40 : 12) }
  const options = drawOptions(random, mode)
  const parallelismMax = random.whole(1, isCluster ? 4 : 3)
  const kinds = isCluster ? IN_CLUSTERS : IN_ONE_PROCESS
  const faults = drawFaults(random, kinds)
  const cluster = isCluster ? drawCluster(random, parallelismMax) : undefined
  return {
    job,
    inputs,
    assignment,
    pace,
    sink,
    mode,
    exactly: sink !== 'direct' && mode === 'EXACTLY_ONCE',
    options,
    parallelismMax,
    faults: [
      ...faults,
      ...drawFaults(random, { ...kinds, counts: [0, 0, 1, 6], faults: CLOCK_FAULTS }),
      ...(cluster?.isElected === true ? drawLeaderFaults(random) : []),
    ],
    cluster,
  }
}

function drawOptions(random: Random, mode: Scenario['mode']): Record<string, string> {
  const restart: Record<string, string>[] = [
    { 'restart-strategy.type': 'none' },
    {
      'restart-strategy.type': 'fixed-delay',
      'restart-strategy.fixed-delay.attempts': String(random.whole(1, 20)),
      'restart-strategy.fixed-delay.delay': `${random.whole(0, 40)} ms`,
    },
    {
      'restart-strategy.type': 'exponential-delay',
      'restart-strategy.exponential-delay.initial-backoff': `${random.whole(1, 20)} ms`,
      // Checkpoints may time out again and again: a job must not wait for longer than a run is watched.
      'restart-strategy.exponential-delay.max-backoff': '2 s',
    },
  ]
  const ms = (from: number, to: number) => `${random.whole(from, to)} ms`
  const key = 'execution.checkpointing'
  return {
    ...restart[random.pick([0, 1, 1, 2, 2])],
    'pipeline.max-parallelism': String(MAX_PARALLELISM),
    'pipeline.operator-chaining.enabled': String(random.chance(0.7)),
    'pipeline.auto-watermark-interval': ms(5, 60),
    'execution.buffer-timeout.interval': random.pick(['0 ms', '1 ms', '5 ms', '20 ms']),
    'tailrace.exchange.records-per-batch': String(random.pick([1, 2, 8, 256])),
    'tailrace.exchange.buffers-per-slot': String(random.pick([1, 2, 4, 16])),
    'tailrace.sink.committer.retry-interval': ms(1, 30),
    'sink.committer.retries': String(random.pick([2, 10, 1000])),
    [`${key}.interval`]: ms(10, random.pick([15, 60, 120])),
    [`${key}.mode`]: mode,
    [`${key}.timeout`]: ms(random.pick([10, 60]), random.pick([70, 1500])),
    [`${key}.min-pause`]: ms(0, random.pick([0, 40])),
    [`${key}.max-concurrent-checkpoints`]: String(random.pick([1, 1, 2, 3])),
    [`${key}.tolerable-failed-checkpoints`]: String(random.pick([0, 1, 5, 50])),
    [`${key}.num-retained`]: String(random.whole(1, 3)),
    [`${key}.externalized-checkpoint-retention`]: 'RETAIN_ON_CANCELLATION',
    'execution.state-recovery.claim-mode': random.pick(['NO_CLAIM', 'CLAIM']),
  }
}

interface FaultKinds {
  counts: readonly number[]
  faults: readonly Fault[]
  moments: readonly string[]
  /** A fault waits for a moment to come at most so often. */
  nths: readonly number[]
}

const IN_ONE_PROCESS: FaultKinds = {
  counts: [0, 1, 2, 3, 4, 6, 8, 12],
  faults: FAULTS,
  moments: MOMENTS,
  nths: [2, 10, 40],
}
const IN_CLUSTERS: FaultKinds = {
  counts: [0, 1, 4, 8, 12, 16],
  faults: [...FAULTS, ...CLUSTER_FAULTS, ...CLUSTER_FAULTS, 'a TaskManager dies', 'other requirements are set'],
  moments: [...MOMENTS, ...CLUSTER_MOMENTS],
  nths: [2, 6, 20],
}

function drawFaults(random: Random, { counts, faults, moments, nths }: FaultKinds): PlannedFault[] {
  const count = random.pick(counts)
  const spanMs = random.pick([300, 800, 2000])
  return Array.from({ length: count }, (): PlannedFault => {
    const soonMs = random.chance(0.5) ? 0 : random.between(0, 3)
    const when = random.chance(0.4)
      ? { afterMs: random.between(5, spanMs) }
      : { afterMs: soonMs, moment: { name: random.pick(moments), nth: random.whole(1, random.pick(nths)) } }
    return { fault: random.pick(faults), when, forMs: random.between(1, random.pick([10, 100, 600, 3000])) }
  })
}

/** What a leader goes through for the sake of the next one, which is to know what has ended, and to lead alone. */
function drawLeaderFaults(random: Random): PlannedFault[] {
  const afterMs = random.pick([0, random.between(0, 60)])
  const dies: PlannedFault = {
    fault: 'the process dies',
    when: { afterMs, moment: { name: 'the end is stored', nth: 1 } },
    forMs: 1,
  }
  const standsStill: PlannedFault = {
    fault: 'the process stands still',
    when: { afterMs: random.between(0, 30), moment: { name: 'metadata is stored', nth: random.whole(1, 3) } },
    // Longer than its lease.
    forMs: random.between(1_500, 4_000),
  }
  return [dies, standsStill].filter(() => random.chance(0.3))
}

export function describeScenario(scenario: Scenario): string {
  const { job, inputs, sink, mode, assignment, options, faults, parallelismMax, cluster } = scenario
  const lanes = (all: Lanes) => all.map((lane) => lane.length).join('+')
  const lines = [
    `job "${job.name}" reads ${lanes(inputs.first)} and ${lanes(inputs.second)} events (${assignment}), parallelism up to ${parallelismMax}, sink ${sink}, ${mode}`,
    ...(cluster === undefined ? [] : [describeCluster(cluster)]),
    ...Object.entries({ ...options, ...cluster?.options, ...cluster?.configuration }).map(
      ([key, value]) => `  ${key}: ${value}`,
    ),
    ...faults.map((planned) => `  ${describeFault(planned)}`),
  ]
  return lines.join('\n')
}

function describeCluster({ slots, comesMs, sameIds, sameHosts, pieces, isElected, jobManagers }: ClusterPlan): string {
  const each = slots.map((n, i) => `${n} slots at ${comesMs[i]!.toFixed(0)} ms`).join(', ')
  const again = [sameIds ? 'the same id' : 'another id', sameHosts ? 'the same address' : 'another address']
  return `TaskManagers: ${each}; who replaces one has ${again.join(' and ')}; writes arrive ${pieces}; JobManagers ${isElected ? `are elected, ${jobManagers} at first` : 'lead when they are started'}`
}

export function describeFault({ fault, when: { afterMs, moment }, forMs }: PlannedFault): string {
  const when =
    moment === undefined
      ? `at ${afterMs.toFixed(1)} ms`
      : `${afterMs.toFixed(1)} ms after "${moment.name}" for the ${moment.nth}. time`
  return `${when}: ${fault} (${forMs.toFixed(0)} ms)`
}
