/**
 * One process of a simulated deployment: a JobManager, the program with its enumerators, and slots, each a party of its own. It has its share of the store and nothing else of
 * the processes before it.
 */
import { StreamExecutionEnvironment } from '../../api/environment.ts'
import type { CheckpointStore } from '../../checkpoint/checkpoint-store.ts'
import type { ObjectStore } from '../../checkpoint/object-store.ts'
import { openCheckpointStore } from '../../checkpoint/open-checkpoint-store.ts'
import { savepointsOf } from '../../checkpoint/savepoints.ts'
import { TaskStateStore } from '../../checkpoint/task-state-store.ts'
import { errorToData, TailraceError } from '../../core/errors.ts'
import type { Election, Term } from '../../ha/election.ts'
import { readRegistry } from '../../ha/registry.ts'
import { Dispatcher } from '../../jobmanager/dispatcher.ts'
import type { JobStorage, OpenStorage } from '../../jobmanager/job-checkpoints.ts'
import type { JobMaster } from '../../jobmanager/job-master.ts'
import { type ProgramHost, ProgramSession, type SessionEnd } from '../../jobmanager/program-session.ts'
import { SlotPool } from '../../jobmanager/slot-pool.ts'
import { endedBefore, endOfEarlierRun } from '../../processes/earlier-run.ts'
import { type Leadership, takeOverRegistry } from '../../processes/high-availability.ts'
import { JobManagerPort } from '../../processes/jobmanager-port.ts'
import { JobManager } from '../../processes/jobmanager-process.ts'
import { parseAddress } from '../../processes/leader-address.ts'
import type { ExecutionContext } from '../../program/context.ts'
import { programError, rebuild } from '../../program/load.ts'
import { SubmitContext } from '../../program/submit-context.ts'
import type { ToSlotData } from '../../rpc/messages/to-slot.ts'
import type { FromProgram, ToProgram } from '../../rpc/program-messages.ts'
import type { Deployment, ProgramRef, SlotHost, StateStorage, ToSlotThread } from '../../rpc/slot-messages.ts'
import { TaskManager } from '../../taskmanager/task-manager.ts'
import type { Elections } from './elections.ts'
import type { Main } from './main.ts'
import { leadershipWith, type PlantedBug, plantInPeer } from './planted.ts'
import { type Network, simulatedPorts } from './ports.ts'
import { SimulatedSlot } from './slot-host.ts'
import type { SocketHost, SocketNet } from './sockets.ts'
import { RPC_PORT, socketTime } from './task-manager.ts'
import { messageOf, type Party, type World } from './world.ts'

export interface ProcessOptions {
  world: World
  /** Unique. */
  name: string
  slots: number
  network: Network
  planted: PlantedBug | undefined
  /** Runs in the program's thread, and again in each slot. */
  main: Main
  /** Its slots are in TaskManagers that are processes of their own; absent where it has slots itself. */
  leads?: Leads
  /** The store at a URL. */
  store(party: Party, url: string): ObjectStore
  /** Of the deployment, below {@link CHECKPOINTS}. */
  folder: string
  /** Its JobManager has taken over the checkpoints. */
  onOpened(process: SimulatedProcess, store: CheckpointStore): void
  /** This is said to a slot. */
  onPost(process: SimulatedProcess, message: ToSlotThread): void
  onEnd(process: SimulatedProcess, end: SessionEnd): void
}

/** A JobManager among processes. */
export interface Leads {
  net: SocketNet
  configuration: Readonly<Record<string, string>>
  /** Above that of all before, where there are no elections. */
  epoch: number
  elections: Elections | undefined
  /** It has lost its lead, and is gone. */
  onGone(): void
  /** It says this to a thread of a TaskManager. */
  onPost(process: SimulatedProcess, to: ThreadRef, message: ToSlotData): void
}

/** A thread as a JobManager knows it. */
export interface ThreadRef {
  taskManager: string
  slot: number
  thread: number
}

export const CHECKPOINTS = '/checkpoints'
const REGISTRY = 'cluster'
/** How long bytes may lie that nobody names; longer than checkpoints take here. */
const GRACE_MS = 60_000

export class SimulatedProcess {
  readonly name: string
  readonly main: Party
  readonly program: Party
  readonly #options: ProcessOptions
  readonly #slots: SimulatedSlot[] = []
  job: JobMaster | undefined
  store: CheckpointStore | undefined
  /** Of one that leads other processes. */
  jobManager: JobManager | undefined
  ended = false
  /** It has been elected. */
  term: Term | undefined
  /** TaskManagers that have connected. */
  registrations = 0
  #sockets: SocketHost | undefined
  #leaves = false
  /** It cleans up what is left of jobs that had ended. */
  #cleans = false

  constructor(options: ProcessOptions) {
    const { world, name } = options
    this.#options = options
    this.name = name
    const wall = { wrongMs: world.random.whole(-500, 500) }
    this.main = world.party(`${name}/main`, wall)
    this.program = world.party(`${name}/program`, wall)
    this.main.after(world.random.between(1, 40), 'starts', () => this.#start())
  }

  get dead(): boolean {
    return this.main.dead
  }
  get paused(): boolean {
    return this.main.paused
  }
  /** When it last went on after a pause. */
  wentOnMs = 0
  /** That have not ended. */
  get slots(): readonly SimulatedSlot[] {
    return this.#slots.filter(({ party }) => !party.dead)
  }

  /** The program's name, for who runs it elsewhere. */
  get url(): string {
    return `simulated:${this.name}`
  }

  /** kill -9, or with `silently` the loss of its machine: nobody hears of it. */
  kill(silently = false): void {
    for (const party of this.#parties()) if (!party.dead) party.kill()
    this.#sockets?.die()
    for (const link of this.#sockets?.links ?? [])
      if (silently) link.silence()
      else link.cut()
  }

  /** Another one leads: it ends in the middle of whatever it does. */
  depose(why: string): void {
    if (this.#leaves || this.dead) return
    this.#leaves = true
    this.#options.world.note(this.main.name, `leads no more: ${why}`)
    this.kill()
    if (!this.ended) this.#options.leads?.onGone()
  }
  /** @param alone only the JobManager stands still */
  pause(alone: boolean): void {
    for (const party of alone ? [this.main] : this.#parties()) if (!party.paused && !party.dead) party.pause()
  }
  resume(): void {
    for (const party of this.#parties()) if (party.paused && !party.dead) party.resume()
    this.wentOnMs = this.#options.world.nowMs
  }

  #parties(): Party[] {
    return [this.main, this.program, ...this.#slots.map(({ party }) => party)]
  }

  #start(): void {
    const ref: ProgramRef = { url: this.url, args: [], parameters: {}, options: {} }
    if (this.#options.leads === undefined) this.#startAlone(ref)
    else void this.#lead(ref, this.#options.leads)
  }

  async #lead(ref: ProgramRef, { net, configuration, epoch, elections, onPost }: Leads): Promise<void> {
    const { world, onEnd } = this.#options
    const { clock, schedule } = this.main
    const sockets = net.host(this.name, socketTime(this.main))
    this.#sockets = sockets
    const log = (text: string) => world.note(this.main.name, () => `logs: ${text}`)
    const options = {
      configuration: {
        ...configuration,
        'jobmanager.resource-id': this.name,
        'jobmanager.bind-host': this.name,
        'jobmanager.rpc.port': String(RPC_PORT),
      },
      log,
      clock,
      schedule,
    }
    const port = await JobManagerPort.open({
      ...options,
      listen: sockets.listen,
      onDeposed: (newer) => this.depose(`epoch ${newer} has begun`),
    })
    const programId = this.#options.folder
    const before = elections && (await this.#endedBefore(elections, programId))
    const election = elections?.open(this.main)
    const leadership =
      elections === undefined || election === undefined
        ? { epoch, refuseUnlessLeader: () => {} }
        : await this.#elected(election, port, elections.store(this.main))
    const jobManager = JobManager.start({
      ...options,
      environment: {},
      cwd: '/',
      port,
      leadership,
      onLost: (why) => this.depose(why),
      readArtifact: async () => {
        throw new Error('no program of the simulation is an artifact')
      },
      newId: () => world.random.hex(32),
      random: world.random.next,
      openStorage: this.#openStorage,
      startProgram: (program) => this.#programHost(program),
      onPrint: (_, text) => world.note(this.main.name, () => `prints ${text.trimEnd()}`),
    })
    if (this.dead) return
    this.jobManager = jobManager
    this.#watchPeers(jobManager, (to, message) => onPost(this, to, message))
    const ends = async (end: SessionEnd) => {
      this.ended = true
      if (this.#leaves) return
      onEnd(this, end)
      const shutdown = world.random.chance(0.5) ? { shutdown: 'the application has ended' } : {}
      await jobManager.stop(shutdown)
      if (world.random.chance(0.7)) await election?.close()
      this.main.after(0, 'ends', () => this.kill())
    }
    this.#cleans = true
    await jobManager.cleanUp()
    this.#cleans = false
    const { programs } = jobManager
    const status = programs && (await endOfEarlierRun(programs, programId, { before }))
    if (status !== undefined) return ends({ status, results: [], ...earlierFailure(status) })
    const session = await jobManager.runKept(programId, ref, {
      onJob: (job) => {
        this.job = job
      },
    })
    void session.ended.then(ends)
  }

  async #endedBefore(elections: Elections, programId: string): Promise<number | undefined> {
    try {
      return endedBefore(await readRegistry(elections.store(this.main), REGISTRY), programId)
    } catch (error) {
      this.#options.world.note(this.main.name, () => `cannot read the registry: ${messageOf(error)}`)
      return undefined
    }
  }

  /** Resolves when it leads. */
  #elected(election: Election, port: JobManagerPort, store: ObjectStore): Promise<Leadership> {
    const stopWatching = election.watch((now) => port.follow(now && parseAddress(now.address)))
    const { promise, resolve } = Promise.withResolvers<Leadership>()
    const candidate = { identity: this.name, startId: this.name, address: `${this.name}:${RPC_PORT}` }
    election.campaign(candidate, {
      elected: (term) => {
        this.#options.world.note(this.main.name, `leads epoch ${term.epoch}`)
        this.term = term
        stopWatching()
        const { clock, schedule } = this.main
        const log = (text: string) => this.#options.world.note(this.main.name, () => `logs: ${text}`)
        const onLost = (why: string) => this.depose(why)
        takeOverRegistry(term, { store, folder: REGISTRY, owner: this.name, clock, schedule, log, onLost })
          .then((leadership) => resolve(leadershipWith(this.#options.planted, leadership)))
          .catch((error) => this.depose(messageOf(error)))
      },
      lost: ({ text }) => this.depose(text),
    })
    return promise
  }

  /** Hears what the JobManager says to threads of its TaskManagers, when it says it. */
  #watchPeers({ taskManagers }: JobManager, onPost: (to: ThreadRef, message: ToSlotData) => void): void {
    const { world } = this.#options
    const serve = taskManagers.serve.bind(taskManagers)
    taskManagers.serve = (peer) => {
      this.registrations++
      world.happenings.tell('a TaskManager registers')
      const send = peer.send.bind(peer)
      peer.send = (message) => {
        if (message.type === 'toSlot') {
          const { slot, thread } = message
          world.happenings.tell(`${message.message.type} is posted`)
          onPost({ taskManager: peer.hello.instanceId, slot, thread }, message.message)
        }
        send(message)
      }
      plantInPeer(this.#options.planted, peer)
      serve(peer)
    }
  }

  #startAlone(ref: ProgramRef): void {
    const { world, name, slots, main, onEnd } = this.#options
    const { clock, schedule } = this.main
    let spawned = 0
    const spawn = (slot: number): SimulatedSlot => {
      const party = world.party(`${name}/slot-${slot}.${spawned++}`, this.main.wall)
      const host = new SimulatedSlot({
        main: this.main,
        party,
        network: this.#options.network,
        planted: this.#options.planted,
        onPost: (message) => this.#options.onPost(this, message),
        buildGraph: (program, replay) =>
          rebuild(
            program,
            replay,
            async (context) => void (await main(new StreamExecutionEnvironment(context), party)),
          ),
      })
      this.#slots.push(host)
      return host
    }
    const sizes = { fileBytes: 2048, inlineBytesMax: world.random.pick([0, 400, 20_000]) }
    // Some processes write state as TaskManagers on other machines do: by themselves, in the epoch of their JobManager.
    const alone = world.random.chance(0.5)
    const stores = new Map<string, TaskStateStore>()
    const storeOf = ({ jobId, storage }: Deployment) => {
      if (!alone || storage === undefined) return dispatcher.job(jobId)?.store
      const key = `${jobId}/${storage.epoch}`
      if (!stores.has(key)) stores.set(key, this.#taskStateStore(storage))
      return stores.get(key)
    }
    const taskManager = new TaskManager({ id: name, spawn, storeOf, sizes })
    const start = (slot: number): SlotHost => taskManager.start(slot)
    const pool = new SlotPool(schedule)
    pool.add({ place: { taskManager: name }, size: slots, spawn: start })
    const dispatcher: Dispatcher = new Dispatcher({
      pool,
      newJobId: () => world.random.hex(32),
      clock,
      schedule,
      random: world.random.next,
      timeouts: { deployMs: 5_000, cancelMs: 2_000, slotsMs: 20_000 },
      onPrint: (_, text) => world.note(this.main.name, () => `prints ${text.trimEnd()}`),
      openStorage: this.#openStorage,
    })
    const host = this.#programHost(ref)
    const session = new ProgramSession({
      host,
      program: ref,
      dispatcher,
      schedule,
      onJob: (job) => {
        this.job = job
      },
    })
    void session.ended.then((end) => {
      this.ended = true
      onEnd(this, end)
    })
    session.run()
  }

  #taskStateStore({ directory, folder, epoch }: StateStorage): TaskStateStore {
    const open = (url: string) => this.#options.store(this.main, url)
    return new TaskStateStore({
      store: open(directory!),
      folder,
      epoch,
      writer: 1,
      openOther: async (url) => open(url),
    })
  }

  readonly #openStorage: OpenStorage = async ({ settings }): Promise<JobStorage> => {
    const { world, store, folder, onOpened } = this.#options
    const { main } = this
    const open = async (url: string) => store(main, url)
    const opened = await openCheckpointStore({
      store: store(main, CHECKPOINTS),
      folder,
      owner: `${this.name}-${world.random.hex(8)}`,
      retained: settings.retained,
      clock: main.clock,
      inlineBytesMax: 100,
      graceMs: GRACE_MS,
      warn: (text) => world.note(main.name, `warns: ${text}`),
      openOther: open,
    })
    if (!this.#cleans) {
      this.store = opened
      onOpened(this, opened)
    }
    const { random } = world
    return {
      store: opened,
      state: { directory: CHECKPOINTS, folder, epoch: opened.epoch },
      ...savepointsOf({ open, cwd: '/', random: random.next, from: opened }),
    }
  }

  #programHost(ref: ProgramRef): ProgramHost {
    const { main, network } = this.#options
    const party = this.program
    const [near, far] = simulatedPorts<ToProgram, FromProgram>(this.main, party, network)
    const context = new SubmitContext(ref, far, { schedule: party.schedule })
    const run = async (context: ExecutionContext & { drain(): Promise<void>; executes: number }) => {
      try {
        await main(new StreamExecutionEnvironment(context), party)
        await context.drain()
        far.post({ type: 'finished', executes: context.executes })
      } catch (error) {
        far.post({ type: 'failed', error: errorToData(programError(ref, error)) })
      }
    }
    far.onMessage((message) => {
      if (message.type === 'jobStatus') this.#options.world.happenings.tell(`the job is ${message.status}`)
      if (message.type === 'run') void run(context)
      else context.receive(message)
    })
    return { port: near, onExit: () => {}, terminate: () => party.after(0, 'is ended', () => context.close()) }
  }
}

/** What an earlier leader has told of it is not kept. */
function earlierFailure(status: SessionEnd['status']): Pick<SessionEnd, 'error'> {
  if (status === 'FINISHED') return {}
  return { error: errorToData(new TailraceError('TR-TASK-001', 'The program has failed under an earlier leader')) }
}
