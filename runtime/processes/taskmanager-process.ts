/**
 * `tailrace taskmanager`: hosts slots for whoever leads. Connects to the leader, registers, does what it is told, and connects again when the connection is lost. Slots go on meanwhile, until another
 * registration: the leader that takes it begins anew from its newest checkpoint.
 */
import { randomBytes } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { availableParallelism, hostname, totalmem } from 'node:os'
import type { ObjectStore } from '../checkpoint/object-store.ts'
import { openObjectStore } from '../checkpoint/open-object-store.ts'
import { ConfigValues } from '../config/option.ts'
import { AVAILABILITY } from '../config/options/availability.ts'
import { NETWORK } from '../config/options/network.ts'
import { CLUSTER, SLOTS, TASK_MANAGER } from '../config/options/processes.ts'
import { backgroundSchedule, type Clock, type Schedule, systemClock, systemSchedule } from '../core/clock.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import type { Dial } from '../core/socket.ts'
import { mainThread } from '../metrics/main-thread.ts'
import { ProcessReader } from '../metrics/process-reader.ts'
import { type MeasuredProcess, MetricsReader } from '../metrics/reader.ts'
import { poolBytes } from '../network/remote/memory.ts'
import { version } from '../program/running-copy.ts'
import { threadHost } from '../rpc/host.ts'
import { toJobManager, toTaskManager } from '../rpc/messages/catalog.ts'
import type { ProgramRef, SlotThreadHost } from '../rpc/slot-messages.ts'
import type { ProcessInspection } from '../rpc/views.ts'
import { backOff } from '../rpc/wire/back-off.ts'
import { followerFence } from '../rpc/wire/fence.ts'
import { dialPeer } from '../rpc/wire/open.ts'
import { readWireSettings } from '../rpc/wire/settings.ts'
import { JobStores } from '../taskmanager/job-stores.ts'
import { type JobManagerPeer, JobManagerSession } from '../taskmanager/jobmanager-session.ts'
import { LocalCopies, type LocalDisk } from '../taskmanager/local-copies.ts'
import { measuredJobs } from '../taskmanager/measured-jobs.ts'
import type { DataPortSettings } from '../taskmanager/slot-data.ts'
import type { SlotThreadData } from '../taskmanager/slot-thread.ts'
import { SlotThreads } from '../taskmanager/slot-threads.ts'
import type { UploadSizes } from '../taskmanager/snapshot-uploads.ts'
import { TaskManager } from '../taskmanager/task-manager.ts'
import { type DataPorts, dataPorts } from './data-ports.ts'
import type { LeaderAddress } from './leader-address.ts'
import { MemoryGuard, type ProcessMemory, processMemory } from './memory-guard.ts'

export interface TaskManagerProcessOptions {
  configuration: Readonly<Record<string, string>>
  environment: Readonly<Record<string, string | undefined>>
  leader: LeaderAddress
  dial: Dial
  /** The program as this process can load it. */
  localProgram(program: ProgramRef, peer: JobManagerPeer): Promise<ProgramRef>
  /** A line of the log. */
  log(text: string): void
  /** What was logged and printed; nothing unless given. */
  logs?: Pick<ProcessInspection, 'listLogs' | 'readLog'>
  clock?: Clock
  schedule?: Schedule
  random?: () => number
  /** Starts what runs a slot; a thread unless given. */
  startThread?(slot: number): SlotThreadHost
  /** Where jobs store their state; unless given by URL. */
  openStore?(url: string): Promise<ObjectStore>
  /** Where local copies of state lie; there are none unless given. */
  localDisk?: LocalDisk
  /** Of files with state; as in production unless given. */
  sizes?: UploadSizes
  /** What it tells of its machine. */
  machine?: Machine
}

/** What a TaskManager tells of the machine that it is on. */
export interface Machine {
  memoryBytes: number
  /** Of the container, if that bounds it. */
  containerBytes?: number | undefined
  cpus: number
  nodeVersion: string
  /** Metrics of the process, as they are when {@link look} was called. */
  metrics: MeasuredProcess
}

/** Values of metrics pages go to the JobManager so often. */
const METRICS_MS = 1000
/** Local copies of jobs that nobody speaks of are looked for so often. */
const SWEEP_MS = 60_000

export class TaskManagerProcess {
  /** Resolves when it was told to end, or nobody has led for too long. */
  readonly ended: Promise<{ reason: string; failed: boolean }>
  readonly id: string
  readonly #options: TaskManagerProcessOptions
  readonly #read: ConfigValues
  readonly #clock: Clock
  readonly #schedule: Schedule
  /** For what need not hold the process. */
  readonly #background: Schedule
  readonly #machine: Machine
  readonly #fence = followerFence()
  readonly #startedMs: number
  readonly #slots: number
  readonly #memory: ProcessMemory
  readonly #slotHeapBytes: number
  readonly #guard: MemoryGuard
  readonly #dataPorts: DataPorts
  readonly #threads: SlotThreads
  readonly #end: (end: { reason: string; failed: boolean }) => void
  #session: { session: JobManagerSession; stores: JobStores; peer: JobManagerPeer } | undefined
  /** Of state, for whatever leads; undefined: none are kept. */
  readonly #copies: LocalCopies | undefined
  #stopSweeps: () => void = () => {}
  readonly #unwatch: () => void
  /** The address that the leader was reached from. */
  #localHost = ''
  /** Rejects when another leads than the one that is registered with, or tried. */
  #turn: PromiseWithResolvers<never> = Promise.withResolvers()
  #stopped = false
  #registered = false

  private constructor(options: TaskManagerProcessOptions) {
    const { configuration, clock = systemClock, schedule = systemSchedule } = options
    this.#options = options
    this.#read = new ConfigValues(configuration, 'TR-CONFIG-001')
    this.#clock = clock
    this.#schedule = schedule
    this.#background = options.schedule ?? backgroundSchedule
    this.#machine = options.machine ?? thisMachine(clock)
    this.#startedMs = clock.now()
    this.#slots = this.#read.get(SLOTS.perTaskManager) ?? 1
    this.#memory = processMemory(this.#read, TASK_MANAGER.memory, this.#machine)
    this.#slotHeapBytes = this.#slotHeap()
    this.#guard = new MemoryGuard({
      memory: this.#memory,
      residentBytes: () => process.memoryUsage.rss(),
      schedule: this.#background,
      log: options.log,
    })
    this.#dataPorts = dataPorts(this.#read, this.#slots)
    const heapBytes = this.#slotHeapBytes
    const spawn = options.startThread ?? ((slot: number) => this.#thread(slot, heapBytes))
    this.#threads = new SlotThreads({ spawn, schedule })
    this.id = this.#read.get(TASK_MANAGER.id) ?? `${hostname()}-${randomBytes(4).toString('hex')}`
    const { localDisk: disk, log } = options
    this.#copies = disk && new LocalCopies({ disk, clock, log })
    const { promise, resolve } = Promise.withResolvers<{ reason: string; failed: boolean }>()
    this.ended = promise
    this.#end = resolve
    this.#unwatch = options.leader.watch(() => this.#anotherLeads())
  }

  /** Throws TR-CONFIG-001. */
  static start(options: TaskManagerProcessOptions): TaskManagerProcess {
    const process = new TaskManagerProcess(options)
    process.#machine.metrics.start()
    process.#sweepCopies()
    void process.#serve()
    return process
  }

  /** Why it cannot serve a job now; undefined: it can. */
  get unready(): string | undefined {
    if (this.#stopped) return 'it ends'
    return this.#registered ? undefined : 'it is not registered with a JobManager'
  }

  /** Ends slots and connection. */
  async stop(reason: string, failed = false): Promise<void> {
    if (this.#stopped) return
    this.#stopped = true
    this.#unwatch()
    this.#turn.reject(new TailraceError('TR-CLUSTER-002', 'the TaskManager ends'))
    this.#machine.metrics.stop()
    this.#guard.stop()
    this.#stopSweeps()
    this.#threads.end()
    await this.#leave()
    await this.#copies?.clear()
    await this.#options.leader.close()
    this.#end({ reason, failed })
  }

  #sweepCopies(): void {
    if (this.#copies === undefined) return
    this.#stopSweeps = this.#background(SWEEP_MS, () => {
      this.#copies!.sweep(new Set(this.#session?.session.inventory().map(({ jobId }) => jobId)))
      this.#sweepCopies()
    })
  }

  async #leave(): Promise<void> {
    const session = this.#session
    this.#session = undefined
    session?.session.end()
    session?.peer.close({ code: 'TR-CLUSTER-002', message: 'the TaskManager ends' })
    await session?.stores.close()
  }

  /** Slots go on; the connection to whoever led is of no use, though nothing has broken it. */
  #anotherLeads(): void {
    const farewell = { code: 'TR-RPC-004', message: 'another JobManager leads' } as const
    this.#turn.reject(new TailraceError(farewell.code, farewell.message))
    this.#session?.peer.close(farewell)
  }

  /** One registration after the other. */
  async #serve(): Promise<void> {
    const firstMs = this.#read.get(CLUSTER.registrationFirst)
    // A JobManager that is started again must not wait for its TaskManagers.
    const mostMs = Math.min(this.#read.get(CLUSTER.registrationLongest), this.#read.get(CLUSTER.registrationErrorDelay))
    const { random = Math.random } = this.#options
    const refusedMs = this.#read.get(CLUSTER.registrationRefusedDelay)
    /** Without a leader: longer at first perhaps, as the whole cluster may be starting. */
    let patience = { ms: this.#read.get(TASK_MANAGER.registrationTimeout), key: TASK_MANAGER.registrationTimeout.key }
    let pause = backOff({ firstMs, mostMs, random })
    let aloneSinceMs = this.#clock.monotonic()
    let said = ''
    const { log } = this.#options
    while (!this.#stopped) {
      const turn = Promise.withResolvers<never>()
      turn.promise.catch(() => {
        pause = backOff({ firstMs, mostMs, random })
      })
      this.#turn = turn
      let refused = false
      try {
        const lost = await this.#register()
        patience = { ms: this.#read.get(TASK_MANAGER.leaderlessTimeout), key: TASK_MANAGER.leaderlessTimeout.key }
        pause = backOff({ firstMs, mostMs, random })
        said = ''
        const error = await lost
        if (this.#stopped) return
        log(`The JobManager is lost: ${error.message}`)
        aloneSinceMs = this.#clock.monotonic()
      } catch (error) {
        const { code, message } = errorToData(error, 'TR-RPC-001')
        if (this.#stopped) return
        if (FATAL.has(code)) {
          await this.stop(`${code} ${message}`, true)
          return
        }
        if (message !== said) log(`${code} ${message}`)
        said = message
        refused = error instanceof Refused
      }
      if (this.#clock.monotonic() - aloneSinceMs > patience.ms) {
        await this.stop(`nobody has led for ${patience.ms / 1000} s (${patience.key})`, true)
        return
      }
      await Promise.race([this.#pause(refused ? refusedMs : pause()), turn.promise]).catch(() => {})
    }
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.#schedule(ms, resolve))
  }

  /** Resolves when registered, with the loss of the connection. */
  async #register(): Promise<Promise<TailraceError>> {
    const { configuration, dial, leader, log, logs } = this.#options
    const address = await leader.find()
    if (address === undefined) throw new TailraceError('TR-RPC-004', 'Cannot register: no JobManager leads')
    const { promise: another } = this.#turn
    let localHost: string | undefined
    const dialling = dialPeer({
      dial: async (...to) => {
        const socket = await dial(...to)
        localHost = socket.localHost
        return socket
      },
      address,
      hello: {
        version,
        clusterId: this.#read.get(AVAILABILITY.clusterId),
        role: 'taskmanager',
        instanceId: `${this.id}-${this.#startedMs}`,
      },
      receives: toTaskManager,
      sends: toJobManager,
      fence: this.#fence,
      settings: readWireSettings(configuration),
      clock: this.#clock,
      schedule: this.#schedule,
      onHandlerError: (error, type) => log(`Cannot do ${type}: ${errorToData(error).message}`),
    })
    // Whoever led may be stopped in the middle of a hello.
    const dialled = await Promise.race([dialling, another]).catch((error) => {
      dialling
        .then(({ peer }) => peer?.close({ code: 'TR-RPC-004', message: 'another JobManager leads' }))
        .catch(() => {})
      throw error
    })
    if (dialled.refused !== undefined) throw new TailraceError(dialled.refused.code, dialled.refused.message)
    const { peer } = dialled
    this.#localHost = localHost ?? ''
    const { cpus, nodeVersion } = this.#machine
    const slots = this.#slots
    const slotHeapBytes = this.#slotHeapBytes
    const threads = this.#threads.registration()
    let stores: JobStores | undefined
    const taskManager = new TaskManager({
      id: this.id,
      spawn: (slot) => threads.start(slot),
      storeOf: (deployment) => stores?.of(deployment),
      ...(this.#options.sizes === undefined ? {} : { sizes: this.#options.sizes }),
    })
    const session: JobManagerSession = new JobManagerSession({
      peer,
      slots,
      start: (slot, onSplits) => taskManager.start(slot, onSplits),
      localProgram: (program) => this.#options.localProgram(program, peer),
      onJobEnded: (jobId) => this.#copies?.drop(jobId),
      onShutdown: (reason) => void this.stop(reason),
      threadDump: async () => [mainThread(this.#machine.metrics, session.threads())],
      listLogs: async () => (await logs?.listLogs()) ?? [],
      readLog: async (...piece) => await logs?.readLog(...piece),
    })
    peer.handle(session.handlers())
    const calling = peer.call({
      type: 'registerTaskManager',
      taskManagerId: this.id,
      host: this.host,
      slots,
      memory: {
        processBytes: this.#memory.bytes,
        slotHeapBytes,
        slotNetworkBytes: poolBytes(this.#read.get(NETWORK.poolBuffers)),
      },
      cpus,
      version,
      nodeVersion,
      startedMs: this.#startedMs,
      inventory: this.#session?.session.inventory() ?? [],
      copies: this.#copies?.held() ?? [],
    })
    const answer = await Promise.race([calling, another]).catch((error) => {
      calling.catch(() => {})
      peer.close({ code: 'TR-CLUSTER-002', message: 'the registration was given up' })
      throw error
    })
    if (answer.outcome === 'refused') {
      const { code, message } = answer
      peer.close({ code, message })
      throw new Refused(code, message)
    }
    // Whatever an earlier leader has begun here: this one begins anew. It starts threads when it has answered.
    threads.enter()
    await this.#leave()
    const openStore = this.#options.openStore
    stores = new JobStores({
      writer: answer.number,
      copies: this.#copies,
      open: (url, options) =>
        openStore?.(url) ??
        openObjectStore(url, {
          configuration: { ...configuration, ...options },
          environment: this.#options.environment,
          random: Math.random,
          schedule: this.#background,
          warn: log,
        }),
    })
    this.#session = { session, stores, peer }
    this.#registered = true
    log(`Registered with the JobManager at ${address.host}:${address.port}, ${slots} slots`)
    return this.#watch(peer, session)
  }

  /** Tells of metrics until the connection is lost. */
  #watch(peer: JobManagerPeer, session: JobManagerSession): Promise<TailraceError> {
    const lost = Promise.withResolvers<TailraceError>()
    let stopTimer: () => void = () => {}
    const tell = () => {
      const { metrics } = this.#machine
      metrics.look()
      const process = Object.fromEntries(metrics.values().map(({ name, value }) => [name, value]))
      peer.send({ type: 'metrics', timeMs: this.#clock.now(), pages: session.pages(), process })
      stopTimer = this.#background(METRICS_MS, tell)
    }
    tell()
    peer.onLost((error) => {
      this.#registered = false
      stopTimer()
      lost.resolve(error)
    })
    return lost.promise
  }

  /** Of this process and its slots, for whoever is not the JobManager. */
  metricsReader(): MetricsReader {
    const cluster = measuredJobs({
      taskManagerId: this.id,
      startedMs: this.#startedMs,
      host: () => this.host,
      work: () => this.#session?.session.measured() ?? [],
    })
    return new MetricsReader(cluster, this.#clock, this.#machine.metrics)
  }

  /** Where others reach its slots; known when a leader was reached. */
  get host(): string {
    const given = this.#read.get(NETWORK.taskManagerHost)
    if (given !== undefined) return given
    if (this.#read.get(NETWORK.bindPolicy) === 'name') return hostname()
    return this.#localHost === '' ? 'localhost' : this.#localHost
  }

  #thread(slot: number, heapBytes: number): SlotThreadHost {
    const entry = new URL('../taskmanager/slot-thread', import.meta.url)
    const host: SlotThreadHost = threadHost(entry, {
      name: `slot-${slot}`,
      data: { data: this.#dataPort() } satisfies SlotThreadData,
      resourceLimits: { maxOldGenerationSizeMb: Math.floor(heapBytes / 2 ** 20) },
    })
    return this.#guard.watch(host)
  }

  #dataPort(): DataPortSettings {
    const { bindHost } = TASK_MANAGER
    return {
      // The standard is every address by IPv4.
      host: this.#read.find(bindHost) === undefined && isIPv6(this.host) ? '::' : this.#read.get(bindHost),
      advertised: this.host,
      ...this.#dataPorts,
      configuration: this.#options.configuration,
    }
  }

  /** Throws TR-CONFIG-001 when the heaps have more than there is. */
  #slotHeap(): number {
    const slots = this.#slots
    const { bytes, from, isConfigured } = this.#memory
    const given = this.#read.get(SLOTS.heap)
    if (given === undefined)
      return Math.max((isConfigured ? 32 : 256) * 2 ** 20, Math.floor((HEAPS_SHARE * bytes) / slots))
    if (isConfigured && given * slots > bytes)
      throw this.#read.refusal(
        this.#read.find(SLOTS.heap)!,
        `with ${slots} slots, ${Math.floor(bytes / slots / 2 ** 20)}m or less, as all of them share the ${Math.floor(bytes / 2 ** 20)}m of ${from},`,
      )
    return given
  }
}

/** What heaps of slots have of the memory, unless they are set. */
const HEAPS_SHARE = 0.7

/** The leader has said no: asking again soon would not help. */
class Refused extends TailraceError {}

/** Nothing that comes again helps: the process ends, and whoever started it sees why. */
const FATAL: ReadonlySet<string> = new Set(['TR-RPC-002', 'TR-RPC-003', 'TR-CONFIG-001'])

function thisMachine(clock: Clock): Machine {
  const constrained = process.constrainedMemory() || Number.POSITIVE_INFINITY
  return {
    memoryBytes: Math.min(totalmem(), constrained),
    containerBytes: constrained < totalmem() ? constrained : undefined,
    cpus: availableParallelism(),
    nodeVersion: process.version,
    metrics: new ProcessReader(clock),
  }
}
