/**
 * A whole cluster in one process: the one place where JobManager and TaskManager meet.
 *
 * Slots and programs are threads (`worker`), or all of it shares the caller's thread (`inline`): the same code with another host.
 * Inline, a program can also be a function or an environment under way, which no thread could import again.
 */
import { randomBytes } from 'node:crypto'
import { totalmem } from 'node:os'
import { type Clock, systemClock } from '../core/clock.ts'
import type { LogicalGraph } from '../graph/model.ts'
import { Dispatcher, type DispatcherOptions } from '../jobmanager/dispatcher.ts'
import { jobStorage, savepointDisposer } from '../jobmanager/job-storage.ts'
import { ProgramSession, type SessionOptions } from '../jobmanager/program-session.ts'
import { SlotPool } from '../jobmanager/slot-pool.ts'
import type { ExecutionContext } from '../program/context.ts'
import { threadHost } from '../rpc/host.ts'
import { portPair } from '../rpc/port.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'
import type { Deployment, ProgramRef, ProgramReplay, SlotThreadHost } from '../rpc/slot-messages.ts'
import { TaskManager } from '../taskmanager/task-manager.ts'

export interface EmbeddedOptions
  extends Pick<DispatcherOptions, 'clock' | 'timeouts' | 'historyMax' | 'onPrint' | 'operationKeptMs'> {
  host: 'worker' | 'inline'
  /** `as needed`: each job gets as many as it wants. */
  slots: number | 'as needed'
  /** `taskmanager.memory.task.heap.size`: limit of each slot thread's heap, MiB; undefined: a share of the memory. */
  slotHeapMb?: number
  /** Of the cluster: what reaches savepoints that belong to no job, such as keys of S3. */
  configuration?: Readonly<Record<string, string>>
}

/** Id of the one TaskManager. */
const EMBEDDED = 'embedded'

/** Who wants to hear of a program's jobs. */
export type Watch = Pick<SessionOptions, 'onJob' | 'onJobEnd' | 'jobId'>

/** Builds the graph of an execute again, for inline programs. */
type Rebuild = (program: ProgramRef, replay: ProgramReplay) => Promise<LogicalGraph>

export class EmbeddedCluster {
  readonly dispatcher: Dispatcher
  readonly #host: 'worker' | 'inline'
  readonly #pool: SlotPool
  readonly #rebuilds: Map<string, Rebuild>
  readonly #sessions = new Set<ProgramSession>()
  #inlinePrograms = 0

  private constructor(
    host: 'worker' | 'inline',
    pool: SlotPool,
    dispatcher: Dispatcher,
    rebuilds: Map<string, Rebuild>,
  ) {
    this.#host = host
    this.#pool = pool
    this.dispatcher = dispatcher
    this.#rebuilds = rebuilds
  }

  /** Starts the slots; does not wait for their threads. */
  static async start({
    host,
    slots,
    slotHeapMb,
    configuration = {},
    ...options
  }: EmbeddedOptions): Promise<EmbeddedCluster> {
    const rebuilds = new Map<string, Rebuild>()
    const spawn =
      host === 'worker'
        ? slotThreads(slotHeapMb ?? defaultHeapMb(slots))
        : await inlineSlots(rebuilds, options.clock ?? systemClock)
    const storeOf = ({ jobId }: Deployment) => dispatcher.job(jobId)?.store
    const taskManager = new TaskManager({ id: EMBEDDED, spawn, storeOf })
    const pool = new SlotPool()
    pool.add({ place: { taskManager: EMBEDDED }, size: slots, spawn: (slot) => taskManager.start(slot) })
    const newId = () => randomBytes(16).toString('hex')
    const storage = {
      clock: options.clock ?? systemClock,
      schedule: (ms: number, callback: () => void) => {
        const timer = setTimeout(callback, ms)
        return () => clearTimeout(timer)
      },
      random: Math.random,
      newOwner: newId,
      environment: process.env,
      cwd: process.cwd(),
      warn: (text: string) => options.onPrint?.('stderr', `${text}\n`),
    }
    const dispatcher: Dispatcher = new Dispatcher({
      pool,
      newJobId: newId,
      openStorage: jobStorage(storage),
      disposeSavepoint: savepointDisposer(storage, configuration),
      ...options,
    })
    return new EmbeddedCluster(host, pool, dispatcher, rebuilds)
  }

  /** Runs a program from a file. The session ends when it and its jobs have. */
  async run(program: ProgramRef, watch: Watch = {}): Promise<ProgramSession> {
    if (this.#host === 'inline') {
      const { runProgram } = await import('../program/load.ts')
      return this.#inline(program, (context) => runProgram(program, context), watch)
    }
    const host = threadHost<ToProgram, FromProgram>(new URL('../program/program-thread', import.meta.url), {
      name: 'program',
    })
    const session = this.#session(new ProgramSession({ host, program, dispatcher: this.dispatcher, ...watch }))
    session.run()
    return session
  }

  /**
   * Runs a function as a program, inline. Each slot runs it again, so that function objects are its own; it must not count on what
   * it does before execute() being done once.
   */
  async runMain(
    main: (context: ExecutionContext) => unknown,
    program: Omit<ProgramRef, 'url'>,
    watch: Watch = {},
  ): Promise<ProgramSession> {
    const { rebuild } = await import('../program/load.ts')
    const url = `inline:${++this.#inlinePrograms}`
    this.#rebuilds.set(url, (ref, replay) => rebuild(ref, replay, async (context) => void (await main(context))))
    const session = await this.#inline({ ...program, url }, async (context) => void (await main(context)), watch)
    void session.ended.then(() => this.#rebuilds.delete(url))
    return session
  }

  /** A context for a program that is under way in this thread: slots get its graphs as they are. */
  async attach(program: Omit<ProgramRef, 'url'>): Promise<ExecutionContext> {
    const { SubmitContext } = await import('../program/submit-context.ts')
    const [near, far] = portPair<ToProgram, FromProgram>()
    const ref = { ...program, url: `inline:${++this.#inlinePrograms}` }
    const context = new SubmitContext(ref, far, { replayed: false })
    far.onMessage((message) => context.receive(message))
    this.#rebuilds.set(ref.url, async (_, replay) => context.graphOf(replay.executeIndex)!)
    const host = { port: near, onExit: () => {}, terminate: () => {} }
    this.#session(new ProgramSession({ host, program: ref, dispatcher: this.dispatcher }))
    return context
  }

  /** Ends programs, jobs and slots. */
  async stop(): Promise<void> {
    for (const session of this.#sessions) session.stop()
    await this.#pool.stop()
  }

  #session(session: ProgramSession): ProgramSession {
    this.#sessions.add(session)
    void session.ended.then(() => this.#sessions.delete(session))
    return session
  }

  async #inline(
    program: ProgramRef,
    main: (context: ExecutionContext) => Promise<unknown>,
    watch: Watch,
  ): Promise<ProgramSession> {
    const { inlineProgram } = await import('./inline-program.ts')
    const host = inlineProgram(program, main)
    const session = this.#session(new ProgramSession({ host, program, dispatcher: this.dispatcher, ...watch }))
    session.run()
    return session
  }
}

function slotThreads(heapMb: number): (slot: number) => SlotThreadHost {
  const entry = new URL('../taskmanager/slot-thread', import.meta.url)
  const resourceLimits = { maxOldGenerationSizeMb: heapMb }
  return (slot) => threadHost(entry, { name: `slot-${slot}`, resourceLimits })
}

/** Slots share 70 % of what this process may use: the machine's memory, or its container's. */
function defaultHeapMb(slots: number | 'as needed'): number {
  const memory = Math.min(totalmem(), process.constrainedMemory() || Number.POSITIVE_INFINITY)
  return Math.max(256, Math.floor((0.7 * memory) / 2 ** 20 / (slots === 'as needed' ? 1 : slots)))
}

async function inlineSlots(rebuilds: Map<string, Rebuild>, clock: Clock): Promise<() => SlotThreadHost> {
  const { inlineSlot } = await import('./inline-slot.ts')
  const { buildGraph } = await import('../program/load.ts')
  const rebuildOf: Rebuild = (program, replay) =>
    rebuilds.get(program.url)?.(program, replay) ?? buildGraph(program, replay, { quiet: false })
  return () => inlineSlot(rebuildOf, clock)
}
