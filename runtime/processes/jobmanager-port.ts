/**
 * The port that TaskManagers find a JobManager at: open before the JobManager leads, so that it can say who does, and its own from its election on.
 *
 * What must hold: nobody is served before the process leads; from then on everything goes out under the leader's epoch.
 */
import { randomBytes } from 'node:crypto'
import { ConfigValues } from '../config/option.ts'
import { AVAILABILITY } from '../config/options/availability.ts'
import { JOB_MANAGER } from '../config/options/processes.ts'
import { type Clock, type Schedule, systemClock, systemSchedule } from '../core/clock.ts'
import { errorToData, isTailraceError } from '../core/errors.ts'
import type { Listen, Listener, SocketAddress } from '../core/socket.ts'
import { parsePorts } from '../metrics/listen.ts'
import { version } from '../program/running-copy.ts'
import { type ToJobManager, type ToTaskManager, toJobManager, toTaskManager } from '../rpc/messages/catalog.ts'
import { type CandidateFence, candidateFence } from '../rpc/wire/fence.ts'
import { acceptPeers } from '../rpc/wire/open.ts'
import type { Peer } from '../rpc/wire/peer.ts'
import { readWireSettings } from '../rpc/wire/settings.ts'
import type { Leadership } from './high-availability.ts'

export type TaskManagerPeer = Peer<ToJobManager, ToTaskManager>

export interface JobManagerPortOptions {
  configuration: Readonly<Record<string, string>>
  listen: Listen
  /** A newer leader is there: nothing may be changed any more. */
  onDeposed(epoch: number): void
  /** A line of the log. */
  log(text: string): void
  clock?: Clock
  schedule?: Schedule
}

export class JobManagerPort {
  readonly #fence: CandidateFence
  #listener: Listener | undefined
  #toldPort = 0
  #serve: ((peer: TaskManagerPeer) => void) | undefined
  #leader: SocketAddress | undefined

  private constructor(onDeposed: (epoch: number) => void) {
    this.#fence = candidateFence(onDeposed)
  }

  /** Rejects with TR-CLUSTER-003 when the port is taken. */
  static async open(options: JobManagerPortOptions): Promise<JobManagerPort> {
    const { configuration, clock = systemClock, schedule = systemSchedule, listen, log, onDeposed } = options
    const port = new JobManagerPort(onDeposed)
    const read = new ConfigValues(configuration, 'TR-CONFIG-001')
    const accept = (number: number) =>
      acceptPeers({
        listen,
        address: { host: read.get(JOB_MANAGER.bindHost), port: number },
        hello: {
          version,
          clusterId: read.get(AVAILABILITY.clusterId),
          role: 'jobmanager',
          instanceId: read.get(JOB_MANAGER.id) ?? `jm-${randomBytes(4).toString('hex')}`,
        },
        receives: toJobManager,
        sends: toTaskManager,
        fence: port.#fence,
        settings: readWireSettings(configuration),
        clock,
        schedule,
        otherLeader: () => port.#otherLeader(),
        onPeer: (peer) => port.#serve!(peer),
        onRefused: (error) => {
          // Whoever asks the wrong one is told, and asks the right one.
          if (error.code !== 'TR-RPC-004') log(`${error.code} ${error.message}`)
        },
        onHandlerError: (error, type) => log(`Cannot do ${type}: ${errorToData(error).message}`),
      })
    const { bound, told } = portsOf(read)
    port.#listener = await onFirst(bound, accept)
    const { port: listens } = port.#listener.address
    port.#toldPort = told?.[bound.indexOf(listens)] ?? listens
    return port
  }

  /** What is listened on. */
  get address(): SocketAddress {
    return this.#listener!.address
  }

  /** What TaskManagers are told. */
  get toldPort(): number {
    return this.#toldPort
  }

  /** This process leads, with that epoch: `serve` gets each TaskManager that connects. */
  lead({ epoch, lead }: Leadership, serve: (peer: TaskManagerPeer) => void): void {
    this.#fence.lead(epoch, lead)
    this.#serve = serve
  }

  /** Who leads, as far as is known, while this process does not. */
  follow(leader: SocketAddress | undefined): void {
    this.#leader = leader
  }

  /** Takes no one any more; connections stay. */
  async close(): Promise<void> {
    await this.#listener?.close()
  }

  #otherLeader(): { address?: SocketAddress } | undefined {
    if (this.#serve !== undefined) return undefined
    return this.#leader === undefined ? {} : { address: this.#leader }
  }
}

/** Throws TR-CONFIG-001 for ports that are told and are no pairs with those that are listened on. */
function portsOf(read: ConfigValues): { bound: readonly number[]; told?: readonly number[] } {
  const elected = read.get(AVAILABILITY.type) !== 'none'
  const own = elected ? AVAILABILITY.port : JOB_MANAGER.port
  const told = parsePorts(read.get<string | number | undefined>(own) ?? read.get(JOB_MANAGER.port))
  const found = read.find(JOB_MANAGER.bindPort)
  if (found?.key !== JOB_MANAGER.bindPort.key) return { bound: told }
  const bound = parsePorts(read.get(JOB_MANAGER.bindPort)!)
  if (told.includes(0)) return { bound }
  if (bound.includes(0) || bound.length !== told.length)
    throw read.refusal(found, `a port for each of the ${told.length} of ${read.find(own)?.key ?? own.key}`)
  return { bound, told }
}

/** The first port that is not taken. */
async function onFirst(ports: readonly number[], accept: (port: number) => Promise<Listener>): Promise<Listener> {
  for (const port of ports.slice(0, -1)) {
    try {
      return await accept(port)
    } catch (error) {
      if (!isTailraceError(error) || error.code !== 'TR-CLUSTER-003') throw error
    }
  }
  return accept(ports.at(-1)!)
}
