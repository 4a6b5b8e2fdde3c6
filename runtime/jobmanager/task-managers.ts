/**
 * The TaskManagers of a JobManager: each registers over its connection, gives its slots to the pool, and takes them away when the connection is lost.
 *
 * What must hold: a registration with the id of one that is there replaces it, since the same process would not register twice; nothing that a TaskManager runs for an earlier leader or
 * registration is taken up: jobs go on from their newest checkpoint.
 */
import type { WriterRef } from '../checkpoint/task-state-store.ts'
import type { Clock, Schedule } from '../core/clock.ts'
import { type ErrorData, errorToData, isTailraceError, TailraceError } from '../core/errors.ts'
import type { ToJobManager, ToTaskManager } from '../rpc/messages/catalog.ts'
import type { Registered, RegisterTaskManager } from '../rpc/messages/register-task-manager.ts'
import { exitFromData } from '../rpc/messages/slot-ended.ts'
import type { ProcessInspection, TaskManagerView } from '../rpc/views.ts'
import type { Peer } from '../rpc/wire/peer.ts'
import { RemoteSlot } from './remote-slot.ts'
import type { SlotPool } from './slot-pool.ts'

export interface TaskManagersOptions {
  pool: SlotPool
  clock: Clock
  schedule: Schedule
  /** A piece of an artifact; throws TR-ARTIFACT-004 when there is none of this hash. */
  readArtifact(sha256: string, offset: number, length: number): Promise<ArtifactPiece>
  /** Throws TR-HA-001 when this process does not lead any more: then no TaskManager is told anything. */
  refuseUnlessLeader?(what: string): void
  /** For the log: one has come or gone. */
  log(text: string): void
}

export interface ArtifactPiece {
  bytes: Uint8Array
  size: number
  name: string
}

type TaskManagerPeer = Peer<ToJobManager, ToTaskManager>

export class TaskManagers {
  readonly #options: TaskManagersOptions
  /** By id. */
  readonly #registered = new Map<string, RegisteredTaskManager>()
  #registrations = 0

  constructor(options: TaskManagersOptions) {
    this.#options = options
  }

  get count(): number {
    return this.#registered.size
  }

  views(): TaskManagerView[] {
    return [...this.#registered.values()].map((one) => one.view())
  }

  /** A TaskManager that registered, by its id. */
  find(id: string): RegisteredTaskManager | undefined {
    return this.#registered.get(id)
  }

  /** What is asked of it over its connection; undefined: there is none of this id. */
  inspection(id: string): ProcessInspection | undefined {
    const peer = this.#registered.get(id)?.peer
    if (peer === undefined) return undefined
    return {
      threadDump: async () => (await peer.call({ type: 'threadDump' })).threads,
      listLogs: async () => (await peer.call({ type: 'listLogs' })).logs,
      readLog: async (name, offset, length) => {
        const { bytes, ...place } = await peer.call({ type: 'readLog', name, offset, length })
        return bytes === undefined ? undefined : { bytes, ...place }
      },
    }
  }

  /** A TaskManager has connected. */
  serve(peer: TaskManagerPeer): void {
    let own: RegisteredTaskManager | undefined
    peer.handle({
      registerTaskManager: (message): Registered => {
        this.#options.refuseUnlessLeader?.(`register TaskManager ${message.taskManagerId}`)
        own?.lose(new TailraceError('TR-CLUSTER-005', 'it has registered again'))
        own = this.#register(peer, message)
        return { outcome: 'registered', adopted: [], number: own.number }
      },
      fromSlot: ({ slot, thread, message }) => own?.slot(slot, thread)?.received(message),
      slotEnded: ({ slot, thread, exit }) => own?.ended(slot, thread, exitFromData(exit)),
      metrics: (message) => own?.measured(message),
      fetchArtifact: ({ hash, offset, length }) => this.#options.readArtifact(hash, offset, length),
    })
    peer.onLost((error) => own?.lose(error))
  }

  /** The one that has local copies of what a writer has written for the job. `ours`: the writer is a registration with this JobManager, and none with an earlier one. */
  holderOf(jobId: string, writer: WriterRef, ours: boolean): string | undefined {
    for (const [id, one] of this.#registered) if (one.holds(jobId, writer, ours)) return id
    return undefined
  }

  /** Nothing that they keep for the job's next attempt is of use. */
  jobEnded(jobId: string): void {
    for (const one of this.#registered.values()) one.jobEnded(jobId)
  }

  /** Ends all of them: the cluster ends. */
  shutdown(reason: string): void {
    for (const one of this.#registered.values()) one.peer.send({ type: 'shutdown', reason })
  }

  #register(peer: TaskManagerPeer, message: RegisterTaskManager): RegisteredTaskManager {
    const { clock, log, pool, schedule, refuseUnlessLeader = () => {} } = this.#options
    const id = message.taskManagerId
    this.#registered.get(id)?.lose(new TailraceError('TR-CLUSTER-005', 'a process with its id has registered'))
    const one = new RegisteredTaskManager({
      peer,
      message,
      number: ++this.#registrations,
      clock,
      refuseUnlessLeader,
      onLost: (error) => {
        if (this.#registered.get(id) === one) this.#registered.delete(id)
        const { code, message: why } = error
        const text = `TaskManager ${id} at ${message.host} is lost: ${why}`
        remove(errorToData(new TailraceError('TR-CLUSTER-005', text, { cause: error })))
        log(code === 'TR-CLUSTER-005' ? text : `${code} ${text}`)
      },
    })
    this.#registered.set(id, one)
    let remove: (error: ErrorData) => void = () => {}
    // Threads are started behind the answer.
    schedule(0, () => {
      if (one.isLost) return
      remove = pool.add({
        place: { taskManager: id },
        size: message.slots,
        host: message.host,
        spawn: (slot) => one.spawn(slot),
      })
    })
    log(`TaskManager ${id} at ${message.host} has registered with ${message.slots} slots`)
    return one
  }
}

interface RegisteredOptions {
  peer: TaskManagerPeer
  message: RegisterTaskManager
  number: number
  clock: Clock
  refuseUnlessLeader(what: string): void
  onLost(error: TailraceError): void
}

export class RegisteredTaskManager {
  readonly peer: TaskManagerPeer
  readonly number: number
  readonly #options: RegisteredOptions
  readonly #sinceMs: number
  /** By slot and thread. */
  readonly #threads = new Map<string, RemoteSlot>()
  #spawned = 0
  #lost = false
  #process: Readonly<Record<string, number>> = {}
  #measuredMs: number

  constructor(options: RegisteredOptions) {
    this.peer = options.peer
    this.number = options.number
    this.#options = options
    this.#sinceMs = options.clock.now()
    this.#measuredMs = options.clock.monotonic()
  }

  get isLost(): boolean {
    return this.#lost
  }

  view(): TaskManagerView {
    const { message, clock } = this.#options
    const { taskManagerId: id, host, slots, memory, cpus, version, nodeVersion, startedMs } = message
    return {
      id,
      host,
      slots,
      memory,
      cpus,
      version,
      nodeVersion,
      startedMs,
      registeredMs: this.#sinceMs,
      lastHeardMs: Math.round(clock.now() - (clock.monotonic() - this.#measuredMs)),
      process: this.#process,
    }
  }

  holds(jobId: string, { epoch, writer }: WriterRef, ours: boolean): boolean {
    if (ours && writer === this.number) return true
    const { copies } = this.#options.message
    return copies.some((one) => one.jobId === jobId && one.epoch === epoch && one.writer === writer)
  }

  jobEnded(jobId: string): void {
    this.#send(() => this.peer.send({ type: 'jobEnded', jobId }))
  }

  spawn(slot: number): RemoteSlot {
    const thread = ++this.#spawned
    const { peer } = this
    const ref = { slot, thread }
    const host = new RemoteSlot({
      send: (message) => this.#send(() => peer.send({ type: 'toSlot', ...ref, message })),
      end: () => this.#send(() => peer.send({ type: 'endSlot', ...ref })),
    })
    this.#threads.set(keyOf(slot, thread), host)
    if (this.#lost) queueMicrotask(() => host.ended({ code: 1 }))
    else this.#send(() => peer.send({ type: 'startSlot', ...ref }))
    return host
  }

  slot(slot: number, thread: number): RemoteSlot | undefined {
    return this.#threads.get(keyOf(slot, thread))
  }

  ended(slot: number, thread: number, exit: Parameters<RemoteSlot['ended']>[0]): void {
    this.slot(slot, thread)?.ended(exit)
    this.#threads.delete(keyOf(slot, thread))
  }

  measured({
    pages,
    process,
  }: {
    pages: { slot: number; thread: number; values: Uint8Array }[]
    process: Record<string, number>
  }): void {
    this.#measuredMs = this.#options.clock.monotonic()
    this.#process = process
    for (const { slot, thread, values } of pages) this.slot(slot, thread)?.measured(values)
  }

  lose(error: TailraceError): void {
    if (this.#lost) return
    this.#lost = true
    this.#options.onLost(error)
    this.peer.close({ code: error.code, message: error.message })
    for (const host of this.#threads.values()) host.ended({ code: 1, error })
    this.#threads.clear()
  }

  /** What a user's value makes impossible to send ends its slot, not the process. */
  #send(send: () => void): void {
    const { refuseUnlessLeader, message } = this.#options
    try {
      refuseUnlessLeader(`tell TaskManager ${message.taskManagerId} what to do`)
      send()
    } catch (error) {
      if (!isTailraceError(error)) throw error
      this.lose(error)
    }
  }
}

const keyOf = (slot: number, thread: number): string => `${slot}/${thread}`
