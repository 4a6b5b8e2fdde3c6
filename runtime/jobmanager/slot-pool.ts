/**
 * The slots of a cluster, of all its TaskManagers: threads that wait with the runtime loaded, each leased to one job and then replaced.
 *
 *     starting ──▶ free ──▶ busy ──▶ (ends, a new one is started)
 *
 * What must hold: a slot serves one job, since modules never unload and user timers survive; a thread that ends by itself is
 * replaced, and its job is told once.
 */
import { backgroundSchedule, type Schedule } from '../core/clock.ts'
import { type ErrorData, errorToData, TailraceError } from '../core/errors.ts'
import type { HostExit } from '../rpc/host.ts'
import type { FromSlot, SlotHost, SlotPlace, ToSlot } from '../rpc/slot-messages.ts'
import type { SlotView } from '../rpc/views.ts'
import { chooseSlots, type SlotChoice, type SlotUse, wishedSlots } from './slot-choice.ts'

/** A slot in the hands of a job. */
export interface SlotLease {
  /** Number of the slot in the cluster. */
  readonly slot: number
  readonly place: SlotPlace
  post(message: ToSlot): void
  /** `onExit` is called when it ends without having been released. */
  listen(onMessage: (message: FromSlot) => void, onExit: (error: ErrorData) => void): void
  /** The job needs it no more. `hard`: it does not answer, so it gets no time to write out what is buffered. */
  release(hard: boolean): void
}

/** Which slots a job wants. */
export interface SlotWishes {
  choice?: SlotChoice
  wished?: readonly string[]
  /** As threads name its program that have served it under an earlier leader (rpc/loaded-program.ts). */
  loaded?: string
}

/** The slots of one TaskManager. */
export interface SlotSource {
  place: SlotPlace
  /** `as needed`: started with the job that wants it, without bound (hosts without threads of their own). */
  size: number | 'as needed'
  /** Starts what serves the slot next; `slot` counts from 0 in this source. */
  spawn(slot: number): SlotHost
  /** Host of a process of its own: a job gets a slot when it has said where it takes data, not before. */
  host?: string
}

/** A retiring thread is ended after this time. */
const RETIRE_MS = 500
/** Pause before a replacement is started: a program that ends with its job needs none. */
const REPLACE_MS = 50
/** A thread that ended before it was ready is started again after this, doubled with each time, up to the second. */
const RESPAWN_MS = 200
const RESPAWN_MAX_MS = 10_000

export class SlotPool {
  readonly #schedule: Schedule
  #slots: PooledSlot[] = []
  #elastic: SlotSource | undefined
  #numbered = 0
  #stopped = false
  #listener: () => void = () => {}
  #telling = false

  /** @param schedule pauses before replacements, and patience with threads that retire */
  constructor(schedule: Schedule = backgroundSchedule) {
    this.#schedule = schedule
  }

  /** Starts the slots of a TaskManager. The answer takes them away again, because of `error`: jobs on them see them end. */
  add(source: SlotSource): (error: ErrorData) => void {
    if (source.size === 'as needed') {
      this.#elastic = source
      return () => {
        this.#elastic = undefined
      }
    }
    const slots = Array.from({ length: source.size }, (_, i) => this.#add(source, i))
    for (const slot of slots) slot.start()
    this.#changed()
    return (error) => {
      this.#slots = this.#slots.filter((slot) => !slots.includes(slot))
      for (const slot of slots) slot.lose(error)
      this.#changed()
    }
  }

  get total(): number {
    return this.#slots.length
  }

  /** Without a bound where slots are started as needed. */
  get free(): number {
    if (this.#elastic !== undefined) return Number.POSITIVE_INFINITY
    return this.#free
  }

  get #free(): number {
    return this.#slots.filter((slot) => slot.isFree).length
  }

  views(): SlotView[] {
    return this.#slots.map((slot) => slot.view())
  }

  /** Calls the handler soon after slots have come, gone or become free. */
  onChange(handler: () => void): void {
    this.#listener = handler
  }

  #changed(): void {
    if (this.#telling) return
    this.#telling = true
    queueMicrotask(() => {
      this.#telling = false
      this.#listener()
    })
  }

  /** Slots that are about to be free: their threads are started anew. */
  get starting(): number {
    return this.#slots.filter((slot) => slot.jobId === undefined && !slot.isFree).length
  }

  /** `count` slots for a job, first one of each `wished` TaskManager that has a free one; undefined when there are not as many. */
  acquire(
    jobId: string,
    count: number,
    { choice = 'in order', wished = [], loaded }: SlotWishes = {},
  ): SlotLease[] | undefined {
    if (this.#elastic !== undefined) while (this.#free < count) this.#add(this.#elastic, this.#slots.length)
    const all = this.#slots.filter((slot) => slot.isFree)
    if (this.#stopped || all.length < count) return undefined
    const free = all.filter((slot) => slot.loaded === undefined || slot.loaded === loaded)
    if (free.length < count) {
      // Threads that wait for other jobs make way.
      for (const slot of all) if (!free.includes(slot)) slot.renew()
      return undefined
    }
    // What is loaded would serve nobody else: it comes first.
    free.sort((a, b) => Number(b.loaded !== undefined) - Number(a.loaded !== undefined))
    const near = wishedSlots(free, wished.slice(0, count))
    const others = free.filter((slot) => !near.includes(slot))
    return [...near, ...chooseSlots(others, count - near.length, choice, this.#uses(jobId))]
      .sort((a, b) => a.index - b.index)
      .map((slot) => slot.lease(jobId))
  }

  /** By TaskManager. */
  #uses(jobId: string): Map<string, SlotUse> {
    const uses = new Map<string, SlotUse>()
    for (const slot of this.#slots) {
      const use = uses.get(slot.taskManager) ?? { total: 0, busy: 0, own: 0 }
      use.total++
      if (slot.jobId !== undefined) use.busy++
      if (slot.jobId === jobId) use.own++
      uses.set(slot.taskManager, use)
    }
    return uses
  }

  /** Ends all slots; jobs on them see them end. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#slots.map((slot) => slot.stop()))
  }

  #add({ place, spawn, size, host }: SlotSource, ordinal: number): PooledSlot {
    const prewarm = size !== 'as needed'
    const onFree = () => this.#changed()
    const slot = new PooledSlot(this.#numbered++, place, () => spawn(ordinal), this.#schedule, prewarm, host, onFree)
    this.#slots.push(slot)
    return slot
  }
}

class PooledSlot {
  readonly index: number
  jobId: string | undefined
  ready = false
  /** The program that its thread has loaded for a job of an earlier leader: it serves no other. */
  loaded: string | undefined
  #place: SlotPlace
  /** Of its process, where that is another. */
  readonly #address: string | undefined
  readonly #spawn: () => SlotHost
  readonly #prewarm: boolean
  readonly #onFree: () => void
  #host: SlotHost | undefined
  /** A released slot still sends what it had under way. */
  readonly #listeners = new WeakMap<SlotHost, (message: FromSlot) => void>()
  /** Of the job that has it. */
  #onExit: ((error: ErrorData) => void) | undefined
  readonly #schedule: Schedule
  #stopTimer: () => void = () => {}
  #failedStarts = 0
  #ending: Promise<void> | undefined
  #stopped = false

  constructor(
    index: number,
    place: SlotPlace,
    spawn: () => SlotHost,
    schedule: Schedule,
    prewarm: boolean,
    address: string | undefined,
    onFree: () => void,
  ) {
    this.#onFree = onFree
    this.index = index
    this.#place = place
    this.#address = address
    this.#spawn = spawn
    this.#schedule = schedule
    this.#prewarm = prewarm
  }

  get taskManager(): string {
    return this.#place.taskManager
  }

  get isFree(): boolean {
    return this.jobId === undefined && (this.ready || this.#address === undefined)
  }

  view(): SlotView {
    const { index, jobId, taskManager } = this
    if (jobId !== undefined) return { index, state: 'busy', taskManager, jobId }
    return { index, state: this.ready ? 'free' : 'starting', taskManager }
  }

  start(): SlotHost {
    this.#stopTimer()
    if (this.#host !== undefined) return this.#host
    const host = this.#spawn()
    this.#host = host
    host.port.onMessage((message) => this.#received(host, message))
    host.onExit((exit) => this.#exited(host, exit))
    return host
  }

  lease(jobId: string): SlotLease {
    this.jobId = jobId
    const host = this.start()
    let released = false
    return {
      slot: this.index,
      place: this.#place,
      post: (message) => host.port.post(message),
      listen: (onMessage, onExit) => {
        this.#listeners.set(host, onMessage)
        this.#onExit = onExit
      },
      release: (hard) => {
        if (released) return
        released = true
        if (this.#host === host) this.#forget()
        this.jobId = undefined
        this.#onExit = undefined
        this.#ending = retire(host, hard, this.#schedule)
        if (this.#host === undefined) this.#startIn(REPLACE_MS)
        this.#onFree()
      },
    }
  }

  /** Its thread waits for another job than the one that needs a slot: a new one takes its place. */
  renew(): void {
    const host = this.#host
    if (host === undefined) return
    this.#forget()
    this.#ending = retire(host, false, this.#schedule)
    this.#startIn(0)
  }

  /** Its TaskManager is gone, and so is what served it. */
  lose(error: ErrorData): void {
    this.#stopped = true
    this.#stopTimer()
    this.#forget()
    this.#onExit?.(error)
  }

  async stop(): Promise<void> {
    const host = this.#host
    this.lose(errorToData(new TailraceError('TR-CLUSTER-002', 'The cluster was stopped')))
    await Promise.all([this.#ending, host === undefined ? undefined : retire(host, false, this.#schedule)])
  }

  #forget(): void {
    this.#host = undefined
    this.ready = false
    this.loaded = undefined
  }

  #startIn(ms: number): void {
    if (this.#stopped || !this.#prewarm) return
    this.#stopTimer()
    this.#stopTimer = this.#schedule(ms, () => void this.start())
  }

  #received(host: SlotHost, message: FromSlot): void {
    if (message.type !== 'ready') {
      this.#listeners.get(host)?.(message)
    } else if (this.#host === host) {
      this.ready = true
      this.loaded = message.loaded
      this.#failedStarts = 0
      if (this.#address === undefined) return
      const { dataPort: port } = message
      if (port !== undefined) this.#place = { ...this.#place, data: { host: this.#address, port } }
      this.#onFree()
    }
  }

  #exited(host: SlotHost, exit: HostExit): void {
    if (this.#host !== host) return
    const wasReady = this.ready
    this.#forget()
    this.#onExit?.(errorToData(exitError(this.index, exit)))
    if (!wasReady) this.#failedStarts++
    if (this.jobId === undefined)
      this.#startIn(wasReady ? REPLACE_MS : Math.min(RESPAWN_MAX_MS, RESPAWN_MS * 2 ** this.#failedStarts))
  }
}

/** Lets a thread write out what it has buffered and then end; ends it when it does not. Resolves at its end. */
function retire(host: SlotHost, hard: boolean, schedule: Schedule): Promise<void> {
  return new Promise((resolve) => {
    const stopTimer = hard ? () => {} : schedule(RETIRE_MS, () => host.terminate())
    host.onExit(() => {
      stopTimer()
      resolve()
    })
    if (hard) host.terminate()
    else host.port.post({ type: 'retire' })
  })
}

/** TR-TASK-002 in words that say what to do about it. */
export function exitError(slot: number, { code, error }: HostExit): TailraceError {
  if (error?.code === 'ERR_WORKER_OUT_OF_MEMORY') {
    return new TailraceError(
      'TR-TASK-002',
      `Slot ${slot} ran out of memory: its heap reached the limit of a slot thread. ` +
        'Raise "taskmanager.memory.task.heap.size" (-D taskmanager.memory.task.heap.size=2g), or keep less in memory per slot',
      { cause: error },
    )
  }
  if (error?.code === 'TR-TASK-002') {
    return new TailraceError(
      'TR-TASK-002',
      `Slot ${slot} was ended: ${error.message}. Raise the memory, start more TaskManagers, or keep less in memory per slot`,
      { cause: error },
    )
  }
  if (error !== undefined) {
    return new TailraceError(
      'TR-TASK-002',
      `Slot ${slot} ended with exit code ${code}: an error was thrown outside of any task (a timer, an event or a promise of user code): ${error.message}`,
      { cause: error },
    )
  }
  return new TailraceError(
    'TR-TASK-002',
    `Slot ${slot} ended with exit code ${code} and no error: user code called process.exit(), or native code ended the thread`,
  )
}
