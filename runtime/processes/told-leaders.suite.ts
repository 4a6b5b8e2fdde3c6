/**
 * JobManagers that follow each other in one deployment, each told what its generation begins with, and each killed at a moment that a test chooses: registry and checkpoints are real ones in memory,
 * slots and program say what those of a counting job say. The job counts up when the test has it count, and commits what it has counted with each checkpoint.
 */
import { MemoryObjects, memoryStore } from '../checkpoint/memory-store.ts'
import { openCheckpointStore } from '../checkpoint/open-checkpoint-store.ts'
import type { RestoreDirective } from '../checkpoint/restore-directive.ts'
import { savepointsOf } from '../checkpoint/savepoints.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { VirtualTime } from '../core/virtual-time.suite.ts'
import { openRegistry, readRegistry } from '../ha/registry.ts'
import { Dispatcher } from '../jobmanager/dispatcher.ts'
import { twoVertexPlan } from '../jobmanager/fake-slots.suite.ts'
import type { OpenStorage } from '../jobmanager/job-checkpoints.ts'
import { ProgramSession } from '../jobmanager/program-session.ts'
import { SlotPool } from '../jobmanager/slot-pool.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'
import type { FromSlot, ToSlot } from '../rpc/slot-messages.ts'
import { endedBefore, endOfEarlierRun } from './earlier-run.ts'
import { KeptPrograms } from './kept-programs.ts'

const APPLICATION = 'application'
const STATS = { startDelayMs: 0, alignmentMs: 0, syncMs: 0, asyncMs: 0, bytesWritten: 1, bytes: 1 }
const CONFIGURATION = {
  'execution.checkpointing.dir': '/checkpoints',
  'execution.checkpointing.interval': '1000',
  'execution.checkpointing.savepoint-dir': '/savepoints',
  'restart-strategy.type': 'none',
}

/** Before or after what a leader does to the store of its cluster: `endJob`, `complete`, `writeSavepoint`, … */
export interface Death {
  call: string
  when: 'before' | 'after'
  /** Of its calls; the first unless given. */
  nth?: number
}

/** What outlives all leaders. */
export class ToldDeployments {
  /** What results have been committed up to. */
  committed = 0
  /** Where each start of the job began to count. */
  readonly starts: number[] = []
  /** Whether the last start knew that what it began with was committed by another job. */
  knewCommitted = false
  readonly registry = new MemoryObjects()
  readonly #places = new Map<string, MemoryObjects>()
  #leaders = 0

  place(url: string): MemoryObjects {
    if (!this.#places.has(url)) this.#places.set(url, new MemoryObjects())
    return this.#places.get(url)!
  }

  /** Folders of savepoints that are complete. */
  get savepoints(): string[] {
    return [...this.place('/savepoints').objects.keys()].filter((key) => key.endsWith('/_metadata'))
  }

  /** The next JobManager, until it has nothing more to do by itself or is dead. */
  async lead(restore: RestoreDirective, death?: Death): Promise<ToldLeader> {
    const leader = new ToldLeader(this, ++this.#leaders, death)
    void leader.begin(restore)
    await leader.settle()
    return leader
  }
}

export class ToldLeader {
  dead = false
  /** What it shows instead of running the program. */
  endedBefore: string | undefined
  /** How its program has ended. */
  ended: string | undefined
  error: string | undefined
  readonly time = new VirtualTime(1_790_000_000_000)
  readonly #world: ToldDeployments
  readonly #number: number
  readonly #death: Death | undefined
  readonly #inbox: (() => void)[] = []
  /** What the job had counted when a checkpoint began, by its id. */
  readonly #counted = new Map<number, number>()
  #count = 0
  #calls = 0
  #dispatcher: Dispatcher | undefined

  constructor(world: ToldDeployments, number: number, death: Death | undefined) {
    this.#world = world
    this.#number = number
    this.#death = death
  }

  get job() {
    return this.#dispatcher?.list()[0]
  }
  get dispatcher(): Dispatcher {
    return this.#dispatcher!
  }

  kill(): void {
    this.dead = true
  }

  /** The job counts so far, and takes a checkpoint if one is due. */
  async count(to: number, { checkpoint = false } = {}): Promise<void> {
    this.#count = to
    if (checkpoint) this.time.advance(1_000)
    await this.settle()
  }

  /** A task of the job fails. */
  async fail(): Promise<void> {
    const error = errorToData(new TailraceError('TR-TASK-001', 'boom'))
    this.dispatcher.job(this.job!.id)!.fail(error)
    await this.settle()
  }

  stop(triggerId: string): Promise<void> {
    this.dispatcher.trigger(this.job!.id, { kind: 'stop', triggerId, drain: false })
    return this.settle()
  }
  savepoint(triggerId: string): Promise<void> {
    this.dispatcher.trigger(this.job!.id, { kind: 'savepoint', triggerId })
    return this.settle()
  }

  /** Lets everyone say what they have to say. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 20 && !this.dead; quiet++) {
      await new Promise((resolve) => setImmediate(resolve))
      for (const deliver of this.#inbox.splice(0)) {
        quiet = 0
        if (!this.dead) deliver()
      }
    }
  }

  async begin(restore: RestoreDirective): Promise<void> {
    const { clock, schedule } = this.time
    const owner = `leader-${this.#number}`
    const warn = () => {}
    const state = await readRegistry(memoryStore(this.#world.registry), 'c')
    const registry = this.#mortal(
      await openRegistry({
        store: memoryStore(this.#world.registry),
        folder: 'c',
        owner,
        leaderEpoch: this.#number,
        clock,
        warn,
      }),
    )
    const programs = new KeptPrograms({
      registry,
      refuseUnlessLeader: () => {},
      onLost: (why) => {
        throw new Error(why)
      },
      schedule,
      log: warn,
    })
    const open = async (url: string) => memoryStore(this.#world.place(url), { url })
    const openStorage: OpenStorage = async ({ settings }) => {
      const store = this.#mortal(
        await openCheckpointStore({
          store: await open('/checkpoints'),
          folder: 'd',
          owner: `${owner}-${this.#calls++}`,
          retained: settings.retained,
          clock,
          warn,
        }),
      )
      const random = () => ((this.#calls++ * 31 + this.#number * 7) % 97) / 97
      const savepoints = this.#mortal(savepointsOf({ open, cwd: '/', random, from: store }))
      const bound = Object.fromEntries(
        (['readSavepoint', 'checkDirectory', 'writeSavepoint', 'markCommitted', 'disposeSavepoint'] as const).map(
          (name) => [name, (...given: never[]) => (savepoints[name] as (...all: never[]) => unknown)(...given)],
        ),
      ) as unknown as typeof savepoints
      return { store, state: { directory: undefined, folder: 'd', epoch: store.epoch }, ...bound }
    }
    const pool = new SlotPool(schedule)
    pool.add({ place: { taskManager: 'tm' }, size: 1, spawn: () => this.#slot() })
    let ids = 0
    this.#dispatcher = new Dispatcher({
      pool,
      newJobId: () => `${this.#number}`.repeat(16) + `${ids++}`.padStart(16, '0'),
      clock,
      schedule,
      random: () => 0.5,
      openStorage,
      keptOperations: {
        find: (...which) => programs.findOperation(...which),
        keep: (...what) => programs.keepOperation(...what),
      },
    })
    await programs.cleanUp(openStorage)
    this.#dispatcher.showEnded(await programs.endedJobs(10))
    const before = endedBefore(state, APPLICATION)
    this.endedBefore = await endOfEarlierRun(programs, APPLICATION, { before, generation: restore.generation })
    if (this.endedBefore !== undefined) return
    const program = { url: 'file:///job.ts', args: [], parameters: {}, options: {} }
    const record = await programs.record(APPLICATION, program)
    const session = new ProgramSession({
      host: this.#program(),
      program,
      dispatcher: this.#dispatcher,
      schedule,
      record,
      restore,
    })
    void session.ended.then(({ status, error }) => {
      this.ended = status
      this.error = error?.code
    })
    session.run()
  }

  /** Its calls do nothing and do not come back when this leader is dead; one of them kills it. */
  #mortal<T extends object>(target: T): T {
    const death = this.#death
    let calls = 0
    const never = () => new Promise(() => {})
    return new Proxy(target, {
      get: (it, name) => {
        const value = Reflect.get(it, name, it)
        if (typeof value !== 'function') return value
        return (...given: unknown[]) => {
          if (this.dead) return never()
          const isDeadly = death?.call === name && ++calls === (death.nth ?? 1)
          if (isDeadly && death.when === 'before') {
            this.kill()
            return never()
          }
          const result = value.apply(it, given)
          if (!(result instanceof Promise)) return result
          return result.then(
            (answer) => {
              if (isDeadly) this.kill()
              return this.dead ? never() : answer
            },
            (error) => {
              if (this.dead) return never()
              throw error
            },
          )
        }
      },
    })
  }

  /** `main` with one execute(). */
  #program() {
    let say: (message: FromProgram) => void = () => {}
    const answer = (message: ToProgram) => {
      switch (message.type) {
        case 'run': {
          const plan = twoVertexPlan(1)
          plan.config.options = CONFIGURATION
          say({ type: 'submit', executeIndex: 0, plan, once: {}, results: [] })
          break
        }
        case 'resetEnumerators': {
          const [from] = Object.values(message.states ?? {})
          this.#count = (from as { upTo: number } | undefined)?.upTo ?? 0
          this.#world.starts.push(this.#count)
          say({ type: 'enumeratorsReset', jobId: message.jobId, attempt: message.attempt })
          break
        }
        case 'snapshotEnumerators': {
          const { jobId, checkpointId } = message
          const source = this.dispatcher.view(jobId)!.plan.vertices[0]!.id
          this.#counted.set(checkpointId, this.#count)
          say({ type: 'enumeratorStates', jobId, checkpointId, states: { [source]: { upTo: this.#count } } })
          break
        }
        case 'jobEnded':
          if (message.status === 'FINISHED') say({ type: 'finished', executes: 1 })
          else say({ type: 'failed', error: message.error! })
          break
        case 'submitFailed':
          say({ type: 'failed', error: message.error })
      }
    }
    return {
      port: {
        post: (message: ToProgram) => void this.#inbox.push(() => answer(message)),
        onMessage: (handler: typeof say) => {
          say = handler
        },
        close() {},
      },
      onExit() {},
      terminate() {},
    }
  }

  /** Runs all tasks of the job. */
  #slot() {
    let say: (message: FromSlot) => void = () => {}
    let tasks: { vertexId: string; subtask: number }[] = []
    let suspendsAt: number | undefined
    const all = (state: 'INITIALIZING' | 'RUNNING' | 'FINISHED' | 'CANCELED') => {
      for (const task of tasks) say({ type: 'taskState', ...task, state })
    }
    const answer = (message: ToSlot) => {
      switch (message.type) {
        case 'deploy':
          this.#world.knewCommitted = message.deployment.restore?.committed === true
          tasks = message.deployment.subtasks.map(({ vertexId, subtask }) => ({ vertexId, subtask }))
          say({ type: 'deployed' })
          break
        case 'start':
          all('INITIALIZING')
          all('RUNNING')
          break
        case 'triggerCheckpoint': {
          const { checkpointId, then } = message.barrier
          if (then === 'suspend') suspendsAt = checkpointId
          for (const { vertexId, subtask } of tasks) {
            const lists = [{ name: 's', mode: 'split' as const, handle: { bytes: new Uint8Array([1]) }, offsets: [0] }]
            const snapshot = { finished: false, operators: [{ operatorId: vertexId, lists }] }
            say({ type: 'checkpointAck', vertexId, subtask, checkpointId, snapshot, stats: STATS })
          }
          break
        }
        case 'checkpointComplete':
          this.#world.committed = Math.max(this.#world.committed, this.#counted.get(message.checkpointId)!)
          if (suspendsAt === message.checkpointId) all('FINISHED')
          break
        case 'cancel':
          all('CANCELED')
      }
    }
    return {
      port: {
        post: (message: ToSlot) => void this.#inbox.push(() => answer(message)),
        onMessage: (handler: typeof say) => {
          say = handler
          // As a thread does when it is loaded.
          this.#inbox.push(() => say({ type: 'ready' }))
        },
        close() {},
      },
      onExit() {},
      terminate() {},
    }
  }
}
