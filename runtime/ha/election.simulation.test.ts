/**
 * Elections on one thread, from a seed: candidates that are killed, stand still, are cut off, are started anew, with clocks that run at other speeds and jump, over a record whose
 * place delays, fails, answers late, and takes up requests after they were given up. What must hold at every moment:
 * - at most one candidate is leader by its own guard;
 * - epochs rise strictly in the order of elections;
 * and when all is calm: a leader is there within the lease's duration and a retry; a released lease, and one of the same identity, is taken at once.
 *
 * A failing seed is in the message; TAILRACE_SEED=n runs it alone.
 */
import { describe, expect, it } from 'vitest'
import { MemoryObjects } from '../checkpoint/memory-store.ts'
import type { Clock, Schedule } from '../core/clock.ts'
import { StoreTrouble, simulatedStore } from '../testing/simulation/storage.ts'
import { type Party, World } from '../testing/simulation/world.ts'
import { type Candidacy, type Election, LEASE_TIMING, type Leader, type Term } from './election.ts'
import { kubernetesLease } from './kubernetes-lease.ts'
import { openElection } from './lease-election.ts'
import type { LeaseStore } from './lease-store.ts'
import { openObjectLease } from './object-lease.ts'
import { SimulatedLeases } from './simulated-leases.suite.ts'

const SEEDS = 200
const CHAOS_MS = 45_000
const { leaseMs, retryMs } = LEASE_TIMING
/** Of requests and timers of a simulated network on a good day: some take 150 ms, and a take-over needs several. */
const SLACK_MS = 900

/** Where the record lies, and what can happen to that place. */
interface Place {
  store(party: Party, schedule: Schedule, isCutOff: () => boolean): LeaseStore
  trouble: { failShare: number; slowMs: number }
  happen(): void
}

const PLACES: Record<string, (world: World) => Place> = {
  'a lock file'(world) {
    const objects = new MemoryObjects(() => world.nowMs)
    const trouble = new StoreTrouble()
    return {
      trouble,
      store(party, _, isCutOff) {
        const store = simulatedStore(party, objects, trouble, '/ha')
        // As a hanging disk, or a connection that times out in the end.
        const hang = () =>
          new Promise<never>((_, reject) => {
            party.after(world.random.next() * 12_000, 'gives up', () => reject(new Error('timed out')))
          })
        const cut =
          <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
          (...args: A) =>
            isCutOff() ? hang() : call(...args)
        const { putIfAbsent, get, list } = store
        const reachable = { ...store, putIfAbsent: cut(putIfAbsent), get: cut(get), list: cut(list) }
        return openObjectLease({ store: reachable, prefix: 'leader/', pollMs: 250, warn: () => {} })
      },
      happen() {},
    }
  },
  'the Lease of Kubernetes'(world) {
    const trouble = new StoreTrouble()
    const leases = new SimulatedLeases(world, trouble)
    const { random } = world
    return {
      trouble,
      store: (party, schedule, isCutOff) =>
        kubernetesLease({ client: leases.client(party, isCutOff), schedule, random: random.next, warn: () => {} }),
      happen() {
        const what = random.below(5)
        if (what === 0) leases.delete()
        else if (what === 1) leases.compact()
        else leases.endWatches((['peace', 'deaf', 'error'] as const)[what - 2]!)
      },
    }
  },
}

/** One process of a candidate. */
class Process {
  readonly party: Party
  readonly terms: Term[] = []
  readonly election: Election
  readonly candidacy: Candidacy
  cutOff = false
  wallMs = 0
  leader: Leader | undefined

  constructor(cluster: Cluster, identity: string, number: number) {
    const { world } = cluster
    this.party = world.party(`${identity}.${number}`, { wrongMs: world.random.whole(-3_600_000, 3_600_000) })
    const rate = world.random.between(0.93, 1.07)
    const { party } = this
    const clock: Clock = { now: () => party.clock.now() + this.wallMs, monotonic: () => party.clock.monotonic() * rate }
    const schedule: Schedule = (ms, callback) => party.schedule(ms / rate, callback)
    const store = cluster.place.store(party, schedule, () => this.cutOff)
    const { random } = world
    this.election = openElection({
      store,
      clock,
      schedule,
      random: random.next,
      warn: () => {},
      epochFloor: async () => cluster.epochMax,
    })
    this.election.watch((leader) => {
      this.leader = leader
    })
    const candidate = { identity, startId: `${identity}-${number}`, address: `${identity}:6123` }
    this.candidacy = this.election.campaign(candidate, {
      elected: (term) => {
        world.note(party.name, `is elected with epoch ${term.epoch}`)
        if (term.epoch <= cluster.epochMax)
          world.fail(`epoch ${term.epoch} of ${party.name} is not above ${cluster.epochMax}`)
        cluster.epochMax = Math.max(cluster.epochMax, term.epoch)
        this.terms.push(term)
      },
      lost: ({ kind, text }) => world.note(party.name, `has lost: ${kind}, ${text}`),
    })
  }

  get leads(): boolean {
    return !this.party.dead && this.terms.some(({ remainingMs }) => remainingMs > 0)
  }
}

class Cluster {
  readonly world: World
  readonly place: Place
  readonly identities = ['a', 'b', 'c']
  readonly processes = new Map<string, Process>()
  readonly #driver: Party
  epochMax = 0
  #starts = 0

  constructor(world: World, place: Place) {
    this.world = world
    this.place = place
    this.#driver = world.party('driver')
  }

  get all(): Process[] {
    return [...this.processes.values()]
  }
  get leader(): Process | undefined {
    return this.all.find(({ leads }) => leads)
  }

  start(identity: string): void {
    this.processes.set(identity, new Process(this, identity, ++this.#starts))
  }

  async pass(ms: number, until: () => boolean = () => false): Promise<void> {
    const endMs = this.world.nowMs + ms
    const stop = this.#driver.after(ms, 'time has passed', () => {})
    await this.world.run({
      until: () => until() || this.world.nowMs >= endMs,
      check: () => this.check(),
      eventsMax: 200_000,
    })
    stop()
  }

  check(): void {
    const leaders = this.all.filter(({ leads }) => leads)
    if (leaders.length > 1)
      this.world.fail(`${leaders.map(({ party }) => party.name).join(' and ')} lead at one moment`)
  }

  /** Something bad, or good. */
  happen(): void {
    const { random } = this.world
    const identity = random.pick(this.identities)
    // The leader is where it hurts.
    const process = random.chance(0.5) ? (this.leader ?? this.processes.get(identity)!) : this.processes.get(identity)!
    const { party } = process
    switch (random.below(8)) {
      case 0:
        return void this.#driver.after(0, 'a process is killed', () =>
          this.restart(process, random.next() ** 2 * 9_000),
        )
      case 1:
        party.pause()
        return void this.#driver.after(
          random.next() * 11_000,
          'a process goes on',
          () => party.paused && !party.dead && party.resume(),
        )
      case 2:
        process.cutOff = true
        return void this.#driver.after(random.next() * 9_000, 'a process is reached', () => {
          process.cutOff = false
        })
      case 3:
        process.wallMs += random.between(-7_200_000, 7_200_000)
        return
      case 4:
        void process.candidacy.release().then(() => this.restart(process, 0))
        return
      case 5:
        this.place.trouble.failShare = random.pick([0, 0.1, 0.5, 0.9])
        return
      case 6:
        this.place.trouble.slowMs = random.pick([0, 200, 2_500])
        return
      default:
        this.place.happen()
    }
  }

  restart(process: Process, afterMs: number): void {
    if (process.party.dead) return
    process.party.kill()
    const [identity] = [...this.processes].find(([, one]) => one === process)!
    this.#driver.after(afterMs, `${identity} is started`, () => this.start(identity))
  }

  /** As an event, after which all is done that needs no time. */
  release(process: Process): void {
    this.#driver.after(0, 'a leader gives up', () => void process.candidacy.release())
  }

  calm(): void {
    this.place.trouble.failShare = 0
    this.place.trouble.slowMs = 0
    for (const process of this.all) {
      process.cutOff = false
      if (process.party.paused) process.party.resume()
    }
  }
}

async function run(seed: number, place: (world: World) => Place): Promise<void> {
  const world = new World({ seed })
  try {
    await runIn(world, place)
  } catch (error) {
    throw new Error(`seed ${seed}: ${(error as Error).message}\n${world.trace.last().slice(-60).join('\n')}`, {
      cause: error,
    })
  }
}

async function runIn(world: World, place: (world: World) => Place): Promise<void> {
  const { random } = world
  const cluster = new Cluster(world, place(world))
  const expectLeader = async (withinMs: number, other?: Process) => {
    const isThere = () => cluster.leader !== undefined && cluster.leader !== other
    await cluster.pass(withinMs, isThere)
    if (!isThere()) throw new Error(`nobody leads after ${Math.round(withinMs)} ms`)
    return cluster.leader!
  }
  for (const identity of cluster.identities) cluster.start(identity)
  while (world.nowMs < CHAOS_MS) {
    await cluster.pass(random.next() * 3_000)
    cluster.happen()
  }
  // What was sent before may take effect for a while, and whoever was killed comes again.
  cluster.calm()
  await cluster.pass(15_000)
  const first = await expectLeader(leaseMs + retryMs + SLACK_MS)
  for (const { leader } of cluster.all) expect(leader?.epoch).toBe(cluster.epochMax)

  await cluster.pass(random.next() * 3_000)
  cluster.release(first)
  const second = await expectLeader(SLACK_MS, first)
  await cluster.pass(random.next() * 3_000)
  if (cluster.leader !== second) throw new Error('the leader changed on a calm day')
  second.party.kill()
  const third = await expectLeader(leaseMs + retryMs + SLACK_MS, second)
  await cluster.pass(random.next() * 3_000)
  cluster.restart(third, 0)
  await cluster.pass(1)
  const again = await expectLeader(SLACK_MS, third)
  expect(again.party.name[0]).toBe(third.party.name[0])
}

describe.each(Object.entries(PLACES))('an election by %s', (_, place) => {
  const given = process.env.TAILRACE_SEED
  const seeds = given === undefined ? Array.from({ length: SEEDS }, (_, i) => i + 1) : [Number(given)]
  it(`has one leader at a time, rising epochs, and a leader soon (${seeds.length} seeds)`, {
    timeout: 120_000,
  }, async () => {
    for (const seed of seeds) await run(seed, place)
  })
})
