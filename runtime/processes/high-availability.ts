/**
 * What makes a cluster highly available, opened as its configuration says: the election of its leader, and the registry of what the leader runs.
 *
 *     high-availability.type: file          lease and registry in high-availability.storageDir
 *     high-availability.type: kubernetes    a Lease named "<cluster-id>-jobmanager", and the registry in high-availability.storageDir
 *
 * The registry is that of the cluster's id, and of `tailrace.deployment.id` where it is set.
 */
import { randomBytes, randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { ObjectStore } from '../checkpoint/object-store.ts'
import { type ObjectStoreSettings, openObjectStore } from '../checkpoint/open-object-store.ts'
import { ConfigValues } from '../config/option.ts'
import { AVAILABILITY } from '../config/options/availability.ts'
import { CHECKPOINTING } from '../config/options/checkpointing.ts'
import { JOB } from '../config/options/job.ts'
import { JOB_MANAGER } from '../config/options/processes.ts'
import { type Clock, type Schedule, systemClock, systemSchedule } from '../core/clock.ts'
import { ERRORS, errorToData, TailraceError } from '../core/errors.ts'
import type { SocketAddress } from '../core/socket.ts'
import type { Directives } from '../ha/directives.ts'
import type { Election, LeaseTiming, Term } from '../ha/election.ts'
import { openElection } from '../ha/lease-election.ts'
import { openLease } from '../ha/open-lease.ts'
import { highestEpoch, type JobRegistry, openRegistry, readRegistry } from '../ha/registry.ts'
import type { RegistryState } from '../ha/registry-state.ts'
import type { Lead } from '../rpc/wire/fence.ts'
import { formatAddress } from './leader-address.ts'

export interface AvailabilityOptions {
  configuration: Readonly<Record<string, string>>
  environment: Readonly<Record<string, string | undefined>>
  /** A line of the log. */
  log(text: string): void
}

/** What a leader has, from its election to its end. */
export interface Leadership {
  /** Above that of every leader before. */
  epoch: number
  /** `elected` unless given. */
  lead?: Lead | undefined
  /** undefined: nothing outlives this process. */
  registry?: JobRegistry
  /** Throws TR-HA-001 when this process does not lead any more; before each act that others see. */
  refuseUnlessLeader(what: string): void
}

const REGISTRY_RETRY_MS = 500

/** The election of a cluster; undefined: `high-availability.type` is none. Throws TR-CONFIG-001, and what the place of the lease throws. */
export async function openClusterElection(options: AvailabilityOptions): Promise<Election | undefined> {
  return (await openElectionOf(options))?.election
}

/** With what its record tells the leader besides; undefined: nothing. */
async function openElectionOf(
  options: AvailabilityOptions,
): Promise<{ election: Election; directives?: Directives } | undefined> {
  const { configuration, log: warn } = options
  const read = new ConfigValues(configuration, 'TR-CONFIG-001')
  const type = read.get(AVAILABILITY.type)
  if (type === 'none') return undefined
  const folder = folderOf(read)
  const common = { clock: systemClock, schedule: systemSchedule, random: Math.random, warn, timing: timingOf(read) }
  if (type === 'file')
    return {
      election: openElection({ ...common, store: await openLease(placeOf(read), folder, storeSettings(options)) }),
    }
  const [{ openLeaseClient }, { kubernetesLease }] = await Promise.all([
    import('../ha/kubernetes-client.ts'),
    import('../ha/kubernetes-lease.ts'),
  ])
  const client = await openLeaseClient({ name: `${folder}-jobmanager` })
  const lease = kubernetesLease({ client, schedule: systemSchedule, random: Math.random, warn })
  const election = openElection({
    ...common,
    store: lease,
    epochFloor: async () => {
      const store = await openObjectStore(placeOf(read), storeSettings(options))
      try {
        return await highestEpoch(store, registryOf(read))
      } finally {
        await store.close()
      }
    },
  })
  return { election, directives: lease.directives }
}

/** A JobManager's part in the election of its cluster. */
export class HighAvailability {
  readonly election: Election
  /** Of this process, as others see it. */
  readonly identity: string
  /** What the leader is told by the election's record; undefined: nobody tells it anything there. */
  readonly directives: Directives | undefined
  readonly #options: AvailabilityOptions
  readonly #store: ObjectStore
  readonly #folder: string

  private constructor(
    options: AvailabilityOptions,
    { election, directives }: { election: Election; directives?: Directives },
    store: ObjectStore,
  ) {
    const read = new ConfigValues(options.configuration, 'TR-CONFIG-001')
    this.#options = options
    this.election = election
    this.directives = directives
    this.#store = store
    this.#folder = registryOf(read)
    this.identity = read.get(JOB_MANAGER.id) ?? identityOf(read.get(AVAILABILITY.type))
  }

  /** undefined: `high-availability.type` is none. */
  static async open(options: AvailabilityOptions): Promise<HighAvailability | undefined> {
    const opened = await openElectionOf(options)
    if (opened === undefined) return undefined
    const read = new ConfigValues(options.configuration, 'TR-CONFIG-001')
    return new HighAvailability(options, opened, await openObjectStore(placeOf(read), storeSettings(options)))
  }

  /** What is in the registry, whoever leads. */
  registry(): Promise<RegistryState> {
    return readRegistry(this.#store, this.#folder)
  }

  /**
   * Resolves when this process leads and has taken over the registry.
   *
   * @param address where it takes TaskManagers
   * @param onLost it leads no more, or never will: everything must end at once, and change nothing
   */
  campaign(address: SocketAddress, onLost: (why: string) => void): Promise<Leadership> {
    const startId = randomUUID()
    const { promise, resolve } = Promise.withResolvers<Leadership>()
    this.election.campaign(
      { identity: this.identity, startId, address: formatAddress(address) },
      {
        elected: (term) => {
          const { log } = this.#options
          const own = { store: this.#store, folder: this.#folder, owner: startId, log, onLost }
          takeOverRegistry(term, { ...own, clock: systemClock, schedule: systemSchedule }).then(resolve, (error) =>
            onLost(errorToData(error).message),
          )
        },
        lost: ({ text }) => onLost(text),
      },
    )
    return promise
  }

  /** Leads no more from this call on; resolves when others may. */
  async close(): Promise<void> {
    await this.election.close()
    await this.#store.close()
  }
}

export interface TakeOverOptions {
  store: ObjectStore
  /** Of the cluster, in the store. */
  folder: string
  /** Of this start of the process; never used again. */
  owner: string
  clock: Clock
  schedule: Schedule
  log(text: string): void
  onLost(why: string): void
}

/** What the winner of an election leads with. Tries for as long as it leads; throws TR-HA-001 when it does not any more, and what the store throws that no further try would mend. */
export async function takeOverRegistry(term: Term, options: TakeOverOptions): Promise<Leadership> {
  const { store, folder, owner, clock, schedule, log, onLost } = options
  for (;;) {
    term.refuseUnlessLeader('take over the registry of jobs')
    try {
      const registry = await openRegistry({ store, folder, owner, leaderEpoch: term.epoch, clock, warn: log })
      return { epoch: registry.epoch, registry, refuseUnlessLeader: (what) => refuse(term, what, onLost) }
    } catch (error) {
      const { code, message } = errorToData(error)
      if (!ERRORS[code].retry) throw error
      log(`${code} ${message}`)
      await new Promise<void>((resolve) => void schedule(REGISTRY_RETRY_MS, resolve))
    }
  }
}

function refuse(term: Term, what: string, onLost: (why: string) => void): void {
  try {
    term.refuseUnlessLeader(what)
  } catch (error) {
    onLost((error as Error).message)
    throw error
  }
}

/** A pod keeps its name when its container starts again; names of machines are shared by processes. */
function identityOf(type: string): string {
  return type === 'kubernetes' ? hostname() : `${hostname()}-${randomBytes(4).toString('hex')}`
}

/** Where the registry lies, and the lock file. */
function placeOf(read: ConfigValues): string {
  const given = read.get(AVAILABILITY.storage)
  if (given !== undefined) return given
  const checkpoints = read.get(CHECKPOINTING.directory)
  if (checkpoints !== undefined) return `${checkpoints.replace(/\/+$/, '')}/ha`
  throw new TailraceError(
    'TR-CONFIG-001',
    `Cannot use "${AVAILABILITY.type.key}: ${read.get(AVAILABILITY.type)}": "${AVAILABILITY.storage.key}" is not set, wanted a place that all JobManagers of the cluster reach`,
  )
}

function folderOf(read: ConfigValues): string {
  const id = read.get(AVAILABILITY.clusterId)
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/.test(id)) return id
  throw new TailraceError(
    'TR-CONFIG-001',
    `Cannot use "${id}" for "${AVAILABILITY.clusterId.key}": it names a folder, so letters, digits, dots, dashes and underscores are wanted, 100 at most`,
  )
}

/** Of a deployment that has a name: one that is made anew, or another of the same cluster's name elsewhere, must not go on with its jobs. */
function registryOf(read: ConfigValues): string {
  const deployment = read.get(JOB.deploymentId)
  return deployment === undefined ? folderOf(read) : `${folderOf(read)}-${deployment}`
}

function timingOf(read: ConfigValues): LeaseTiming {
  return {
    leaseMs: read.get(AVAILABILITY.leaseDuration),
    renewDeadlineMs: read.get(AVAILABILITY.renewDeadline),
    retryMs: read.get(AVAILABILITY.retryPeriod),
  }
}

function storeSettings({ configuration, environment, log: warn }: AvailabilityOptions): ObjectStoreSettings {
  return { configuration, environment, random: Math.random, schedule: systemSchedule, warn }
}
