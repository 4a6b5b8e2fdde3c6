/**
 * Virtual time on one thread: every delay of a simulated cluster is an event here, and the seed decides which one is next.
 *
 * An event belongs to a {@link Party}: a thread or a machine that can stand still or die. What is due for a party that stands still waits for it;
 * what is due for one that is dead never happens.
 *
 * What must hold: between two events everything has been done that can be done without time. Nothing waits for real time, so a run is a function
 * of its seed.
 */
import type { Clock, Schedule } from '../../core/clock.ts'
import { EventQueue, type SimulatedEvent } from './event-queue.ts'
import { Happenings } from './happenings.ts'
import { Random } from './random.ts'
import { Trace } from './trace.ts'

/** What went wrong in a run: an invariant that does not hold, or code that threw where nobody expects it. */
export class SimulationFailure extends Error {}

/** Something that becomes true by what others do, without an event: it is looked at after each one. */
export interface Watch {
  /** Who waits for it. */
  readonly party: Party
  holds(): boolean
  then(): void
}

export interface WorldOptions {
  seed: number
  /** Lines of the trace that are kept. */
  traceMax?: number
  follow?: (line: string) => void
}

/** The date at which runs begin. */
const EPOCH_MS = 1_700_000_000_000
/** Timers fire a little late, sometimes a lot. */
const TIMER_LATE_MS = 0.4

export class World {
  readonly random: Random
  readonly trace: Trace
  readonly happenings = new Happenings()
  /** Milliseconds since the beginning. */
  nowMs = 0
  readonly #queue = new EventQueue()
  readonly #watches = new Set<Watch>()
  #failure: SimulationFailure | undefined

  constructor({ seed, traceMax = 150, follow }: WorldOptions) {
    this.random = new Random(seed)
    this.trace = new Trace(traceMax, follow)
  }

  get failure(): SimulationFailure | undefined {
    return this.#failure
  }

  /** @param wall of its machine; one that is right unless given */
  party(name: string, wall: Wall = { wrongMs: 0 }): Party {
    return new Party(this, this.#queue, name, wall)
  }

  note(party: string, what: string | (() => string)): void {
    this.trace.add(this.nowMs, party, what)
  }

  /** Ends the run. */
  fail(text: string, cause?: unknown): void {
    this.#failure ??= new SimulationFailure(text, cause === undefined ? {} : { cause })
  }

  /** Calls `then` once, right after the event that makes `holds` true. The answer prevents it. */
  watch(watch: Watch): () => void {
    this.#watches.add(watch)
    return () => this.#watches.delete(watch)
  }

  /** How long a message takes, or a call: mostly short, seldom long. */
  latencyMs(): number {
    const kind = this.random.next()
    if (kind < 0.9) return this.random.between(0.02, 0.6)
    return kind < 0.995 ? this.random.between(0.6, 8) : this.random.between(8, 150)
  }

  /**
   * Lets events happen until `until` says so, or something fails; throws the failure.
   *
   * @param check looks after each event whether all is well
   */
  async run({ until, check, eventsMax }: RunOptions): Promise<void> {
    const onRejection = (reason: unknown) =>
      this.fail(`a promise was rejected and nobody saw it: ${messageOf(reason)}`, reason)
    process.on('unhandledRejection', onRejection)
    try {
      for (let events = 0; this.#failure === undefined && !until(); events++) {
        if (events >= eventsMax) this.fail(`the run does not end: ${eventsMax} events have happened`)
        else await this.#step(check)
      }
    } finally {
      process.off('unhandledRejection', onRejection)
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  async #step(check: () => void): Promise<void> {
    const event = this.#queue.next()
    if (event === undefined) {
      this.fail('nothing is left that could happen, and the run is not over')
      return
    }
    this.nowMs = Math.max(this.nowMs, event.atMs)
    const { party, what, callback } = event
    if (event.cancelled || party.holds(event)) return
    this.note(party.name, what)
    try {
      callback()
    } catch (error) {
      this.fail(`${party.name} threw: ${messageOf(error)}`, error)
    }
    await quiet()
    for (const watch of this.#watches) {
      if (!watch.party.dead && !watch.holds()) continue
      this.#watches.delete(watch)
      if (!watch.party.dead) watch.then()
    }
    check()
  }
}

/** The clock of a machine that people set. Monotonic time goes on whatever it shows. */
export interface Wall {
  /** Ahead of the right time. */
  wrongMs: number
}

export interface RunOptions {
  until(): boolean
  check(): void
  eventsMax: number
}

/** A thread or a machine: it owns events, has a clock, and can stand still or die. */
export class Party {
  readonly name: string
  readonly world: World
  readonly clock: Clock
  /** Of its machine. */
  readonly wall: Wall
  readonly #queue: EventQueue
  /** While it stands still: what was due. */
  #held: SimulatedEvent[] | undefined
  dead = false

  /** @internal {@link World.party} makes them. */
  constructor(world: World, queue: EventQueue, name: string, wall: Wall) {
    this.world = world
    this.name = name
    this.wall = wall
    this.#queue = queue
    this.clock = { now: () => Math.floor(EPOCH_MS + world.nowMs + wall.wrongMs), monotonic: () => world.nowMs }
  }

  get paused(): boolean {
    return this.#held !== undefined
  }

  /** For code that runs in it. */
  readonly schedule: Schedule = (ms, callback) => {
    const { random } = this.world
    const lateMs = random.chance(0.98) ? random.between(0, TIMER_LATE_MS) : random.between(0, 20)
    return this.after(Math.max(0, ms) + lateMs, `timer of ${Math.round(ms)} ms`, callback)
  }

  /** Calls back after so many milliseconds, in this party, unless the answer is called before. */
  after(ms: number, what: string | (() => string), callback: () => void): () => void {
    const { nowMs, random } = this.world
    const event = { atMs: nowMs + ms, order: random.next(), party: this, what, callback, cancelled: false }
    if (ms < Number.POSITIVE_INFINITY) this.#queue.add(event)
    return () => {
      event.cancelled = true
    }
  }

  /** What is due waits. */
  pause(): void {
    this.#held ??= []
    this.world.note(this.name, 'stands still')
  }

  /** It goes on with what has waited, in order. */
  resume(): void {
    const held = this.#held ?? []
    this.#held = undefined
    this.world.note(this.name, 'goes on')
    for (const [i, event] of held.entries()) {
      event.atMs = this.world.nowMs + i * 1e-3
      this.#queue.add(event)
    }
  }

  /** Nothing happens in it any more. */
  kill(): void {
    this.dead = true
    this.#held = undefined
    this.world.note(this.name, 'is dead')
  }

  /** @internal True when the event is not to happen now, or never. */
  holds(event: SimulatedEvent): boolean {
    this.#held?.push(event)
    return this.dead || this.#held !== undefined
  }
}

/** Resolves when all promises that can go on without time have. */
function quiet(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
