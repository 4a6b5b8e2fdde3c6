/**
 * The threads of a TaskManager's slots, over its registrations with leaders. What they run for one leader ends when the next one has taken the registration; threads that this leaves clean stay, with the program
 * loaded, and serve the next leader's attempt of the same job.
 *
 *     serving ──▶ handing over ──▶ kept ──▶ serving
 *        │              └─────────────┴───▶ ends: not clean, late, or not wanted
 *        └─▶ ends
 *
 * What must hold: a thread that is handed on has closed its tasks and its connections before; nothing that it says for one registration reaches another, and nothing that is said for an earlier one reaches it but the
 * buffers of its snapshots.
 */
import type { Schedule } from '../core/clock.ts'
import { errorToData } from '../core/errors.ts'
import { Exits, type HostExit } from '../rpc/host.ts'
import { loadedBy } from '../rpc/loaded-program.ts'
import type { FromSlotThread, SlotThreadHost, ToSlotThread } from '../rpc/slot-messages.ts'

/** For a thread to end its tasks; after it a new one costs less than the wait. */
const HAND_OVER_MS = 1_000

export interface SlotThreadsOptions {
  /** Starts a thread. */
  spawn(slot: number): SlotThreadHost
  schedule: Schedule
}

/** The threads of one registration. */
export interface RegistrationThreads {
  /** From now on threads serve this registration and none before; also with the first {@link start}. */
  enter(): void
  /** What serves the slot next: a thread that was kept, or a new one. It says `ready` when it is. */
  start(slot: number): SlotThreadHost
}

export class SlotThreads {
  readonly #options: SlotThreadsOptions
  /** Those that live, in the order of their starts. */
  readonly #threads = new Set<SlotThread>()
  #current: RegistrationThreads | undefined

  constructor(options: SlotThreadsOptions) {
    this.#options = options
  }

  registration(): RegistrationThreads {
    const one: RegistrationThreads = {
      enter: () => {
        if (this.#current === one) return
        this.#current = one
        this.#handOver()
      },
      start: (slot) => {
        one.enter()
        return this.#start(slot)
      },
    }
    return one
  }

  /** Ends all of them. */
  end(): void {
    for (const thread of this.#threads) thread.end()
  }

  #handOver(): void {
    // The newest of a slot serves on; others were about to end.
    const newest = new Map([...this.#threads].map((thread) => [thread.slot, thread]))
    for (const thread of this.#threads)
      if (newest.get(thread.slot) === thread) thread.handOver(this.#options.schedule)
      else thread.end()
  }

  #start(slot: number): SlotThreadHost {
    const kept = [...this.#threads].find((thread) => thread.slot === slot && thread.awaitsTenant)
    const tenant = new Tenant()
    const fresh = () => {
      const thread = new SlotThread(slot, this.#options.spawn(slot), () => this.#threads.delete(thread))
      this.#threads.add(thread)
      thread.serve(tenant)
    }
    if (kept === undefined) fresh()
    else kept.serve(tenant, fresh)
    return tenant
  }
}

/** One thread. */
class SlotThread {
  readonly slot: number
  readonly #host: SlotThreadHost
  #tenant: Tenant | undefined
  /** Takes the tenant of one that ends before it could serve. */
  #instead: (() => void) | undefined
  #state: 'serving' | 'handing over' | 'kept' | 'ended' = 'serving'
  #ready: Extract<FromSlotThread, { type: 'ready' }> | undefined
  #loaded: string | undefined
  #retires = false
  #stopTimer: () => void = () => {}

  constructor(slot: number, host: SlotThreadHost, onGone: () => void) {
    this.slot = slot
    this.#host = host
    host.port.onMessage((message) => this.#said(message))
    host.onExit((exit) => {
      onGone()
      this.#gone(exit)
    })
  }

  /** It was handed over, or is about to be, and nobody has it yet. */
  get awaitsTenant(): boolean {
    return this.#tenant === undefined && (this.#state === 'handing over' || this.#state === 'kept')
  }

  /** @param instead gives the tenant another thread, if this one does not come to serve it */
  serve(tenant: Tenant, instead?: () => void): void {
    this.#tenant = tenant
    this.#instead = instead
    tenant.post = (message, transfer) => {
      // Buffers of snapshots come back late; all else of an earlier registration must not.
      if (this.#tenant === tenant ? this.#state === 'serving' : message.type === 'stateBuffer')
        this.#post(message, transfer)
    }
    tenant.terminate = () => {
      // One that serves says so itself when it has ended.
      if (this.#tenant === tenant) this.#state === 'serving' ? this.#host.terminate() : this.end()
    }
    if (this.#state === 'kept') this.#begin()
  }

  handOver(schedule: Schedule): void {
    this.#tenant = undefined
    this.#instead = undefined
    // Whoever was to have it has never had it.
    if (this.#state !== 'serving') return
    if (this.#retires) {
      this.end()
      return
    }
    this.#state = 'handing over'
    this.#stopTimer = schedule(HAND_OVER_MS, () => this.end())
    this.#host.port.post({ type: 'handOver' })
  }

  end(): void {
    if (this.#state === 'ended') return
    this.#host.terminate()
    this.#over()
  }

  #post(message: ToSlotThread, transfer?: ArrayBuffer[]): void {
    if (message.type === 'deploy') {
      const { jobId, program } = message.deployment
      this.#loaded = loadedBy(jobId, program)
    } else if (message.type === 'prepare') this.#loaded = loadedBy(message.jobId, message.program)
    else if (message.type === 'retire') this.#retires = true
    this.#host.port.post(message, transfer)
  }

  #said(message: FromSlotThread): void {
    if (this.#state === 'ended') return
    if (message.type === 'ready') this.#ready = message
    if (message.type === 'handedOver') this.#handedOver(message.clean)
    else if (this.#state === 'serving') this.#tenant?.hear(message)
    else this.#answer(message)
  }

  /** What it asks for while it ends its tasks. */
  #answer(message: FromSlotThread): void {
    if (message.type === 'stateChunk')
      this.#host.port.post({ type: 'stateBuffer', buffer: message.buffer }, [message.buffer])
    else if (message.type === 'readState')
      this.#host.port.post({
        type: 'stateRead',
        request: message.request,
        error: errorToData(new Error('the attempt is over')),
      })
  }

  #handedOver(clean: boolean): void {
    if (this.#state !== 'handing over') return
    if (!clean) {
      this.end()
      return
    }
    this.#stopTimer()
    this.#state = 'kept'
    if (this.#tenant !== undefined) this.#begin()
  }

  #begin(): void {
    this.#state = 'serving'
    this.#instead = undefined
    const { dataPort } = this.#ready!
    this.#tenant!.hear({
      type: 'ready',
      ...(dataPort === undefined ? {} : { dataPort }),
      ...(this.#loaded === undefined ? {} : { loaded: this.#loaded }),
    })
  }

  #gone(exit: HostExit): void {
    if (this.#state === 'serving') this.#tenant?.exits.happen(exit)
    this.#over(exit)
  }

  #over(exit: HostExit = { code: 1 }): void {
    const tenant = this.#tenant
    const instead = this.#instead
    const before = this.#state
    this.#stopTimer()
    this.#state = 'ended'
    this.#tenant = undefined
    this.#instead = undefined
    if (before === 'ended' || tenant === undefined) return
    if (instead !== undefined) instead()
    else tenant.exits.happen(exit)
  }
}

/** A thread as one registration has it. */
class Tenant implements SlotThreadHost {
  readonly exits = new Exits()
  readonly port: SlotThreadHost['port']
  post: (message: ToSlotThread, transfer?: ArrayBuffer[]) => void = () => {}
  terminate: () => void = () => {}
  #handler: ((message: FromSlotThread) => void) | undefined
  /** Said before anyone listened. */
  #early: FromSlotThread[] = []

  constructor() {
    this.port = {
      post: (message, transfer) => this.post(message, transfer),
      onMessage: (handler) => {
        this.#handler = handler
        for (const message of this.#early.splice(0)) handler(message)
      },
      close: () => this.terminate(),
    }
  }

  onExit(handler: (exit: HostExit) => void): void {
    this.exits.tell(handler)
  }

  hear(message: FromSlotThread): void {
    if (this.#handler === undefined) this.#early.push(message)
    else this.#handler(message)
  }
}
