/** What a cluster of processes is made of, drawn from the seed. */
import type { Compression } from '../../network/remote/remote-output.ts'
import type { Random } from './random.ts'

export interface ClusterPlan {
  /** Of each TaskManager. */
  slots: readonly number[]
  /** When each is there first. */
  comesMs: readonly number[]
  /** Whether what comes in the place of a TaskManager has its id, as pods of a StatefulSet; and its address. */
  sameIds: boolean
  sameHosts: boolean
  /** JobManagers are elected; else whoever is started leads. */
  isElected: boolean
  /** JobManagers that are there from the beginning; more than one only where they are elected. */
  jobManagers: number
  /** How writes arrive. */
  pieces: 'whole' | 'cut'
  /** Of records between slots. */
  compression: Compression
  /** A process that has died is found out within this time. */
  foundOutMs: number
  /** Of all processes. */
  configuration: Readonly<Record<string, string>>
  /** Of the job, beside those that every job has. */
  options: Readonly<Record<string, string>>
}

/** @param slotsMin as many as the job may want */
export function drawCluster(random: Random, slotsMin: number): ClusterPlan {
  const count = random.whole(1, 4)
  const least = Math.ceil(slotsMin / count)
  const slots = Array.from({ length: count }, () => least + random.below(2))
  const lateMs = random.pick([50, 50, 300, 1500])
  const intervalMs = random.pick([50, 100, 300])
  const timeoutMs = intervalMs * random.pick([4, 6])
  const adaptive = 'jobmanager.adaptive-scheduler'
  const ms = (most: number) => `${random.whole(0, most)} ms`
  const plan = {
    slots,
    comesMs: slots.map(() => random.between(0, lateMs)),
    sameIds: random.chance(0.5),
    sameHosts: random.chance(0.5),
    isElected: random.chance(0.5),
    pieces: random.pick(['whole', 'cut'] as const),
    compression: random.pick(['none', 'none', 'lz4'] as const),
    foundOutMs: timeoutMs + 3 * intervalMs + 1_000,
    configuration: {
      'heartbeat.interval': `${intervalMs} ms`,
      'heartbeat.timeout': `${timeoutMs} ms`,
      'cluster.registration.initial-timeout': '30 ms',
      'cluster.registration.max-timeout': `${random.pick([100, 1000])} ms`,
      'pekko.ask.timeout': random.pick(['150 ms', '2 s', '10 s']),
      'pekko.tcp.timeout': random.pick(['300 ms', '2 s', '20 s']),
      'slot.request.timeout': '20 s',
      'slot.deploy.timeout': '5 s',
    },
    options: {
      // Messages take longer than within a process: with less, no checkpoint may ever be in time.
      'execution.checkpointing.timeout': `${random.whole(80, 1500)} ms`,
      'jobmanager.scheduler': random.pick(['Adaptive', 'Default']),
      [`${adaptive}.submission.resource-stabilization-timeout`]: ms(random.pick([0, 300])),
      [`${adaptive}.executing.resource-stabilization-timeout`]: ms(random.pick([0, 300])),
      [`${adaptive}.executing.cooldown-after-rescaling`]: ms(random.pick([0, 500])),
    },
  }
  return { ...plan, jobManagers: plan.isElected ? random.whole(1, 2) : 1 }
}
