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
import { errorToData } from '../../core/errors.ts'
import { Dispatcher } from '../../jobmanager/dispatcher.ts'
import type { JobStorage, OpenStorage } from '../../jobmanager/job-checkpoints.ts'
import type { JobMaster } from '../../jobmanager/job-master.ts'
import { type ProgramHost, ProgramSession, type SessionEnd } from '../../jobmanager/program-session.ts'
import { SlotPool } from '../../jobmanager/slot-pool.ts'
import type { ExecutionContext } from '../../program/context.ts'
import { programError, rebuild } from '../../program/load.ts'
import { SubmitContext } from '../../program/submit-context.ts'
import type { FromProgram, ToProgram } from '../../rpc/program-messages.ts'
import type { Deployment, ProgramRef, SlotHost, StateStorage, ToSlotThread } from '../../rpc/slot-messages.ts'
import { TaskManager } from '../../taskmanager/task-manager.ts'
import type { PlantedBug } from './planted.ts'
import { type Network, simulatedPorts } from './ports.ts'
import { SimulatedSlot } from './slot-host.ts'
import type { Party, World } from './world.ts'

export interface ProcessOptions {
  world: World
  /** Unique. */
  name: string
  slots: number
  network: Network
  planted: PlantedBug | undefined
  /** Runs in the program's thread, and again in each slot. */
  main(env: StreamExecutionEnvironment, party: Party): Promise<unknown>
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

export const CHECKPOINTS = '/checkpoints'
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
  ended = false

  constructor(options: ProcessOptions) {
    const { world, name } = options
    this.#options = options
    this.name = name
    const skewMs = world.random.whole(-500, 500)
    this.main = world.party(`${name}/main`, skewMs)
    this.program = world.party(`${name}/program`, skewMs)
    this.main.after(world.random.between(1, 40), 'starts', () => this.#start())
  }

  get dead(): boolean {
    return this.main.dead
  }
  get paused(): boolean {
    return this.main.paused
  }
  /** That have not ended. */
  get slots(): readonly SimulatedSlot[] {
    return this.#slots.filter(({ party }) => !party.dead)
  }

  /** kill -9. */
  kill(): void {
    for (const party of this.#parties()) if (!party.dead) party.kill()
  }
  /** @param alone only the JobManager stands still */
  pause(alone: boolean): void {
    for (const party of alone ? [this.main] : this.#parties()) if (!party.paused && !party.dead) party.pause()
  }
  resume(): void {
    for (const party of this.#parties()) if (party.paused && !party.dead) party.resume()
  }

  #parties(): Party[] {
    return [this.main, this.program, ...this.#slots.map(({ party }) => party)]
  }

  #start(): void {
    const { world, name, slots, main, onEnd } = this.#options
    const { clock, schedule } = this.main
    const ref: ProgramRef = { url: `simulated:${name}`, args: [], parameters: {}, options: {} }
    let spawned = 0
    const spawn = (slot: number): SimulatedSlot => {
      const party = world.party(`${name}/slot-${slot}.${spawned++}`, this.main.skewMs)
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
    this.store = opened
    onOpened(this, opened)
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
      if (message.type === 'run') void run(context)
      else context.receive(message)
    })
    return { port: near, onExit: () => {}, terminate: () => party.after(0, 'is ended', () => context.close()) }
  }
}
