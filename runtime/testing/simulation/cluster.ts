/** The TaskManagers of a run, and the network between them and their JobManagers. */
import type { ObjectStore } from '../../checkpoint/object-store.ts'
import type { ProgramRef } from '../../rpc/slot-messages.ts'
import type { ClusterPlan } from './cluster-plan.ts'
import type { Elections } from './elections.ts'
import type { Main } from './main.ts'
import type { PlantedBug } from './planted.ts'
import type { Network } from './ports.ts'
import type { SimulatedSlot } from './slot-host.ts'
import { SocketNet } from './sockets.ts'
import { SimulatedTaskManager } from './task-manager.ts'
import type { Party, World } from './world.ts'

export interface ClusterOptions {
  world: World
  plan: ClusterPlan
  network: Network
  planted: PlantedBug | undefined
  leader(): string | undefined
  elections: Elections | undefined
  mainOf(program: ProgramRef): Main
  store(party: Party, url: string): ObjectStore
}

/** A TaskManager that has died. */
export interface Gone {
  id: string
  startedMs: number
  atMs: number
}

/** A TaskManager that is gone is replaced after up to this time. */
const REPLACE_MAX_MS = 400

export class Cluster {
  readonly net: SocketNet
  readonly #options: ClusterOptions
  /** The process of each place, the last of them. */
  readonly #places: (SimulatedTaskManager | undefined)[]
  readonly #fate: Party
  readonly #stalledUntilMs = new Map<string, number>()
  /** What passes takes up to so much longer. */
  slowMs = 0
  #started = 0
  /** Those that are gone, with the time. */
  readonly #gone: Gone[] = []

  constructor(options: ClusterOptions) {
    const { world, plan } = options
    this.#options = options
    this.#fate = world.party('machines')
    this.#places = plan.slots.map(() => undefined)
    const { random } = world
    this.net = new SocketNet({
      random: random.next,
      latencyMs: () => world.latencyMs() + random.next() * this.slowMs,
      cut: (length) => (plan.pieces === 'whole' ? [length] : piecesOf(length, random.below(4), random.next)),
      stalledMs: (from, to) =>
        Math.max(0, ...[from, to].map((host) => (this.#stalledUntilMs.get(host) ?? 0) - world.nowMs)),
    })
    for (const [place, ms] of plan.comesMs.entries())
      this.#fate.after(ms, 'a machine is there', () => this.#start(place))
  }

  /** TaskManagers that live. */
  get taskManagers(): readonly SimulatedTaskManager[] {
    return this.#places.filter((one) => one?.dead === false) as SimulatedTaskManager[]
  }
  /** Processes so far. */
  get started(): number {
    return this.#started
  }
  get slots(): readonly SimulatedSlot[] {
    return this.taskManagers.flatMap((one) => one.slots)
  }
  /** When all are there. */
  get slotsMax(): number {
    return this.#options.plan.slots.reduce((sum, n) => sum + n, 0)
  }

  /** Nothing passes to or from a host for so long. */
  stall(host: string, ms: number): void {
    const untilMs = Math.max(this.#stalledUntilMs.get(host) ?? 0, this.#options.world.nowMs + ms)
    this.#stalledUntilMs.set(host, untilMs)
  }

  /** @param replaceMs another one comes after this time */
  kill(one: SimulatedTaskManager, silently: boolean, replaceMs: number): void {
    const place = this.#places.indexOf(one)
    one.kill(silently)
    this.#isGone(one)
    this.#fate.after(replaceMs, 'a machine is there', () => this.#start(place))
  }

  #isGone({ id, startedMs }: SimulatedTaskManager): void {
    this.#gone.push({ id, startedMs, atMs: this.#options.world.nowMs })
  }
  get gone(): readonly Gone[] {
    return this.#gone
  }

  #start(place: number): void {
    const { world, plan, network, planted, leader, elections, mainOf, store } = this.#options
    const number = ++this.#started
    const name = `t${number}`
    world.note('machines', `${name} is started`)
    const one = new SimulatedTaskManager({
      world,
      name,
      id: plan.sameIds ? `tm-${place}` : name,
      host: plan.sameHosts ? `host-${place}` : name,
      slots: plan.slots[place]!,
      configuration: plan.configuration,
      compression: plan.compression,
      net: this.net,
      network,
      planted,
      leader,
      elections,
      mainOf,
      store,
      onEnd: () => {
        this.#isGone(one)
        const ms = world.random.between(0, REPLACE_MAX_MS)
        this.#fate.after(ms, 'a machine is there', () => this.#start(place))
      },
    })
    this.#places[place] = one
  }
}

/** A write in up to so many pieces. As many draws for a long one as for a short one: texts of errors have other lengths elsewhere. */
function piecesOf(length: number, cuts: number, random: () => number): number[] {
  const ends = Array.from({ length: cuts }, () => Math.floor(random() * length)).sort((a, b) => a - b)
  return [...ends, length].map((end, i) => end - (ends[i - 1] ?? 0))
}
