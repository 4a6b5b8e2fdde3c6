/**
 * `tailrace jobmanager`: takes TaskManagers, runs programs in threads of its own and their jobs in the slots of those.
 */
import { randomBytes } from 'node:crypto'
import { ConfigValues } from '../config/option.ts'
import { AVAILABILITY } from '../config/options/availability.ts'
import { JOB } from '../config/options/job.ts'
import { JOB_MANAGER, SLOTS } from '../config/options/processes.ts'
import { type Clock, type Schedule, systemClock, systemSchedule } from '../core/clock.ts'
import { errorToData } from '../core/errors.ts'
import type { Listen, Listener, SocketAddress } from '../core/socket.ts'
import { Dispatcher, type DispatcherOptions } from '../jobmanager/dispatcher.ts'
import type { OpenStorage } from '../jobmanager/job-checkpoints.ts'
import { jobStorage, savepointDisposer } from '../jobmanager/job-storage.ts'
import { type ProgramHost, ProgramSession, type SessionOptions } from '../jobmanager/program-session.ts'
import { SlotPool } from '../jobmanager/slot-pool.ts'
import { type ArtifactPiece, TaskManagers } from '../jobmanager/task-managers.ts'
import { version } from '../program/running-copy.ts'
import { threadHost } from '../rpc/host.ts'
import { toJobManager, toTaskManager } from '../rpc/messages/catalog.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'
import type { ProgramRef } from '../rpc/slot-messages.ts'
import { leaderFence } from '../rpc/wire/fence.ts'
import { acceptPeers } from '../rpc/wire/open.ts'
import { readWireSettings } from '../rpc/wire/settings.ts'

export interface JobManagerOptions extends Pick<DispatcherOptions, 'onPrint' | 'historyMax' | 'operationKeptMs'> {
  configuration: Readonly<Record<string, string>>
  environment: Readonly<Record<string, string | undefined>>
  cwd: string
  listen: Listen
  /** Above that of every leader before. */
  epoch: number
  /** A newer leader is there: nothing may be changed any more. */
  onDeposed(epoch: number): void
  readArtifact(sha256: string, offset: number, length: number): Promise<ArtifactPiece>
  /** A line of the log. */
  log(text: string): void
  clock?: Clock
  schedule?: Schedule
  /** 32 hex digits that nobody has had; by chance unless given. */
  newId?(): string
  /** From 0 up to 1. */
  random?(): number
  /** Where jobs store their checkpoints; where their configuration says unless given. */
  openStorage?: OpenStorage
  /** Starts what runs a program; a thread unless given. */
  startProgram?(program: ProgramRef): ProgramHost
}

export type Watch = Pick<SessionOptions, 'onJob' | 'onJobEnd'>

export class JobManager {
  readonly dispatcher: Dispatcher
  readonly taskManagers: TaskManagers
  readonly #pool: SlotPool
  readonly #options: JobManagerOptions
  readonly #sessions = new Set<ProgramSession>()
  #listener: Listener | undefined

  private constructor(options: JobManagerOptions) {
    const { configuration, environment, cwd, clock = systemClock, schedule = systemSchedule, log } = options
    this.#options = options
    const read = new ConfigValues(configuration, 'TR-CONFIG-001')
    this.#pool = new SlotPool(schedule)
    const { newId = () => randomBytes(16).toString('hex'), random = Math.random } = options
    const storage = { clock, schedule, random, newOwner: newId, environment, cwd, warn: log }
    const { onPrint, historyMax, operationKeptMs } = options
    this.dispatcher = new Dispatcher({
      pool: this.#pool,
      waitForSlots: true,
      newJobId: newId,
      clock,
      schedule,
      random,
      timeouts: {
        slotsMs: read.get(SLOTS.requestTimeout),
        deployMs: read.get(SLOTS.deployTimeout),
        cancelMs: read.get(JOB.cancellationTimeout),
      },
      openStorage: options.openStorage ?? jobStorage(storage),
      disposeSavepoint: savepointDisposer(storage, configuration),
      ...(onPrint === undefined ? {} : { onPrint }),
      ...(historyMax === undefined ? {} : { historyMax }),
      ...(operationKeptMs === undefined ? {} : { operationKeptMs }),
    })
    this.taskManagers = new TaskManagers({
      pool: this.#pool,
      clock,
      schedule,
      readArtifact: (...piece) => options.readArtifact(...piece),
      log,
    })
  }

  /** Listens for TaskManagers. Rejects with TR-CLUSTER-003 when the port is taken. */
  static async start(options: JobManagerOptions): Promise<JobManager> {
    const { configuration, clock = systemClock, schedule = systemSchedule, epoch, listen, log, onDeposed } = options
    const jobManager = new JobManager(options)
    const read = new ConfigValues(configuration, 'TR-CONFIG-001')
    jobManager.#listener = await acceptPeers({
      listen,
      address: { host: read.get(JOB_MANAGER.bindHost), port: read.get(JOB_MANAGER.port) },
      hello: {
        version,
        clusterId: read.get(AVAILABILITY.clusterId),
        role: 'jobmanager',
        instanceId: read.get(JOB_MANAGER.id) ?? `jm-${epoch}`,
      },
      receives: toJobManager,
      sends: toTaskManager,
      fence: leaderFence(epoch, onDeposed),
      settings: readWireSettings(configuration),
      clock,
      schedule,
      otherLeader: () => undefined,
      onPeer: (peer) => jobManager.taskManagers.serve(peer),
      onRefused: (error) => log(`${error.code} ${error.message}`),
      onHandlerError: (error, type) => log(`Cannot do ${type}: ${errorToData(error).message}`),
    })
    return jobManager
  }

  /** Of the RPC. */
  get address(): SocketAddress {
    return this.#listener!.address
  }

  /** Runs a program in a thread of this process; the session ends when it and its jobs have. */
  run(program: ProgramRef, watch: Watch = {}): ProgramSession {
    const { schedule = systemSchedule, startProgram = programThread } = this.#options
    const host = startProgram(program)
    const session = new ProgramSession({ host, program, dispatcher: this.dispatcher, schedule, ...watch })
    this.#sessions.add(session)
    void session.ended.then(() => this.#sessions.delete(session))
    session.run()
    return session
  }

  /** Ends programs and jobs; `shutdown`: the TaskManagers, too. Checkpoints stay. */
  async stop({ shutdown }: { shutdown?: string } = {}): Promise<void> {
    for (const session of this.#sessions) session.stop()
    await this.#pool.stop()
    if (shutdown !== undefined) this.taskManagers.shutdown(shutdown)
    await this.#listener?.close()
  }
}

function programThread(): ProgramHost {
  return threadHost<ToProgram, FromProgram>(new URL('../program/program-thread', import.meta.url), { name: 'program' })
}
