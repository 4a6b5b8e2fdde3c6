/**
 * A TaskManager's registration with one leader, from the connection to its loss: starts and ends threads as the JobManager says, and passes messages between them.
 *
 * What must hold: messages of a thread stay in order, also behind a deployment whose program has to be fetched first; a thread that has ended says so last.
 */
import { errorToData, TailraceError } from '../core/errors.ts'
import { type MetricName, MetricsPage } from '../metrics/page.ts'
import type { HostExit } from '../rpc/host.ts'
import type { ToJobManager, ToTaskManager } from '../rpc/messages/catalog.ts'
import { pageValues } from '../rpc/messages/metrics.ts'
import type { SlotInventory } from '../rpc/messages/parts/slot-inventory.ts'
import { exitToData } from '../rpc/messages/slot-ended.ts'
import type { DeploymentData } from '../rpc/messages/to-slot/deploy.ts'
import type { ToSlotData } from '../rpc/messages/to-slot.ts'
import type { FromSlot, ProgramRef, SlotHost } from '../rpc/slot-messages.ts'
import type { LogPiece, LogView } from '../rpc/views.ts'
import type { Handlers } from '../rpc/wire/catalog.ts'
import type { Peer } from '../rpc/wire/peer.ts'
import type { MeasuredWork } from './measured-jobs.ts'
import { SlotWork } from './slot-work.ts'
import type { SplitsHeld } from './snapshot-uploads.ts'

export type JobManagerPeer = Peer<ToTaskManager, ToJobManager>

export interface SessionOptions {
  peer: JobManagerPeer
  slots: number
  /** Starts a thread. */
  start(slot: number, onSplits: (message: SplitsHeld) => void): SlotHost
  /** The program as this process can load it: fetches what is not here. */
  localProgram(program: ProgramRef): Promise<ProgramRef>
  /** A job has ended for good. */
  onJobEnded(jobId: string): void
  /** Told to end. */
  onShutdown(reason: string): void
  /** Of the process, for REST. */
  threadDump(): Promise<{ name: string; text: string }[]>
  listLogs(): Promise<LogView[]>
  /** undefined: there is none of this name. */
  readLog(name: string, offset: number, length: number): Promise<LogPiece | undefined>
}

interface Thread {
  slot: number
  thread: number
  host: SlotHost
  /** Of metrics so far, in the order of their indexes: so many values of the page are used. */
  names: MetricName[]
  page: SharedArrayBuffer | undefined
  /** Since its deployment. */
  work: SlotWork | undefined
  /** What was said to it is done in order. */
  behind: Promise<void>
  waiting: number
}

export class JobManagerSession {
  readonly #options: SessionOptions
  readonly #threads = new Map<string, Thread>()
  #ended = false

  constructor(options: SessionOptions) {
    this.#options = options
  }

  /** What it does with messages of the JobManager. */
  handlers(): Handlers<ToTaskManager> {
    const { onJobEnded, onShutdown, threadDump, listLogs, readLog } = this.#options
    return {
      startSlot: ({ slot, thread }) => this.#start(slot, thread),
      toSlot: ({ slot, thread, message }) => this.#toSlot(slot, thread, message),
      endSlot: ({ slot, thread }) => this.#end(slot, thread),
      jobEnded: ({ jobId }) => onJobEnded(jobId),
      threadDump: async () => ({ threads: await threadDump() }),
      listLogs: async () => ({ logs: await listLogs() }),
      readLog: async ({ name, offset, length }) => (await readLog(name, offset, length)) ?? { offset: 0, size: 0 },
      shutdown: ({ reason }) => onShutdown(reason),
    }
  }

  /** A line for each thread, for people. */
  threads(): string[] {
    return [...this.#threads.values()].map(({ slot, thread, page }) => {
      return `slot ${slot}: thread ${thread}, ${page === undefined ? 'without a job' : 'with a job'}`
    })
  }

  /** Values of all pages, now. */
  pages(): { slot: number; thread: number; values: Uint8Array }[] {
    return [...this.#threads.values()].flatMap(({ slot, thread, page, names }) =>
      page === undefined || names.length === 0 ? [] : [{ slot, thread, values: pageValues(page, used(names)) }],
    )
  }

  /** What its slots run, and what they count, for metrics. */
  measured(): MeasuredWork[] {
    return [...this.#threads.values()].flatMap(({ work, page, names }) =>
      work === undefined || page === undefined ? [] : [{ ...work.measured(), page, names }],
    )
  }

  /** What its slots run, for the next registration. */
  inventory(): SlotInventory[] {
    return [...this.#threads.values()].flatMap(({ slot, thread, work }) => work?.inventory(slot, thread) ?? [])
  }

  /** Another leader, or nobody, has this process: nothing goes between threads and this one any more. They are their owner's. */
  end(): void {
    this.#ended = true
    this.#threads.clear()
  }

  #start(slot: number, thread: number): void {
    if (slot >= this.#options.slots)
      throw new TailraceError('TR-RPC-006', `Cannot start slot ${slot}: there are ${this.#options.slots}`)
    const fresh = { names: [], page: undefined, work: undefined, behind: Promise.resolve(), waiting: 0 }
    const host = this.#options.start(slot, (message) => one.work?.splitsHeld(message))
    const one: Thread = { slot, thread, host, ...fresh }
    this.#threads.set(keyOf(slot, thread), one)
    host.port.onMessage((message) => this.#fromSlot(one, message))
    host.onExit((exit) => this.#exited(one, exit))
  }

  #fromSlot(one: Thread, message: FromSlot): void {
    if (this.#ended) return
    const { slot, thread } = one
    one.work?.said(message)
    if (message.type === 'metricNames') one.names.push(...message.names)
    try {
      this.#options.peer.send({ type: 'fromSlot', slot, thread, message })
    } catch (error) {
      // A value of the user's that cannot travel.
      this.#options.peer.send({
        type: 'fromSlot',
        slot,
        thread,
        message: { type: 'deployFailed', error: errorToData(error) },
      })
    }
  }

  #exited(one: Thread, exit: HostExit): void {
    const { slot, thread } = one
    this.#threads.delete(keyOf(slot, thread))
    if (!this.#ended) this.#options.peer.send({ type: 'slotEnded', slot, thread, exit: exitToData(exit) })
  }

  #end(slot: number, thread: number): void {
    const one = this.#threads.get(keyOf(slot, thread))
    if (one === undefined) this.#options.peer.send({ type: 'slotEnded', slot, thread, exit: { code: 0 } })
    else one.host.terminate()
  }

  #toSlot(slot: number, thread: number, message: ToSlotData): void {
    const one = this.#threads.get(keyOf(slot, thread))
    if (one === undefined) return
    one.work?.told(message)
    if (message.type !== 'deploy' && message.type !== 'prepare' && one.waiting === 0) {
      one.host.port.post(message)
      return
    }
    one.waiting++
    one.behind = one.behind.then(async () => {
      try {
        if (message.type === 'deploy') await this.#deploy(one, message.deployment)
        else if (message.type === 'prepare') await this.#prepare(one, message)
        else one.host.port.post(message)
      } finally {
        one.waiting--
      }
    })
  }

  async #prepare(one: Thread, message: Extract<ToSlotData, { type: 'prepare' }>): Promise<void> {
    try {
      one.host.port.post({ ...message, program: await this.#options.localProgram(message.program) })
    } catch {
      // Its deployment will tell.
    }
  }

  async #deploy(one: Thread, deployment: DeploymentData): Promise<void> {
    try {
      const program = await this.#options.localProgram(deployment.program)
      one.page = MetricsPage.allocate()
      one.work = new SlotWork(deployment, this.#options.peer.hello.epoch)
      one.names = []
      one.host.port.post({ type: 'deploy', deployment: { ...deployment, program, page: one.page } })
    } catch (error) {
      this.#fromSlot(one, { type: 'deployFailed', error: errorToData(error) })
    }
  }
}

/** Values of a page that have names. */
const used = (names: readonly MetricName[]): number => names.at(-1)!.index + 1

const keyOf = (slot: number, thread: number): string => `${slot}/${thread}`
