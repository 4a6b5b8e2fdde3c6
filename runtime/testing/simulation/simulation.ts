/**
 * A run: a deployment from its first process to the end of its job, through everything that the seed has planned for it, and then a look at what came out.
 *
 * @example
 * const report = await simulate({ seed: 17 })
 */
import type { DataStream } from '../../api/data-stream.ts'
import type { StreamExecutionEnvironment } from '../../api/environment.ts'
import type { CheckpointStore } from '../../checkpoint/checkpoint-store.ts'
import type { ObjectStore } from '../../checkpoint/object-store.ts'
import type { JobMaster } from '../../jobmanager/job-master.ts'
import type { SessionEnd } from '../../jobmanager/program-session.ts'
import type { Requirements } from '../../rpc/views.ts'
import { Cluster } from './cluster.ts'
import type { ClusterPlan } from './cluster-plan.ts'
import { Elections } from './elections.ts'
import { Hazards } from './hazards.ts'
import type { Here } from './here.ts'
import { type Event, inEventTime, laneSource } from './input.ts'
import { Invariants, WatchedObjects } from './invariants.ts'
import { Ledger } from './ledger.ts'
import type { Main } from './main.ts'
import { type PlantedBug, storeWith } from './planted.ts'
import { Network } from './ports.ts'
import { type Leads, SimulatedProcess } from './process.ts'
import type { Random } from './random.ts'
import { Results } from './results.ts'
import {
  describeScenario,
  drawScenario,
  type Fault,
  type PlannedFault,
  type Scenario,
  type Topology,
} from './scenario.ts'
import { ledgerSink } from './sinks.ts'
import { SlotInvariants } from './slot-invariants.ts'
import { StoreTrouble, simulatedStore } from './storage.ts'
import type { SimulatedTaskManager } from './task-manager.ts'
import { warmUp } from './warm-up.ts'
import { messageOf, type Party, World } from './world.ts'

export interface SimulateOptions {
  seed: number
  /** Clusters of processes have the even seeds, if not given. */
  topology?: Topology
  /** Gets every event in words. */
  follow?: (line: string) => void
  /** To see whether the run finds it. */
  planted?: PlantedBug
}

export interface Report {
  seed: number
  topology: Topology
  job: string
  /** What went wrong, or was asked for, in order. */
  faults: readonly Fault[]
  events: number
  virtualMs: number
  /** Of these, after all that went wrong was over. */
  leftAloneMs: number
  /** One more than the times that the job was stopped and went on from its savepoint. */
  deployments: number
  /** With TaskManagers. */
  processes: number
  /** Checkpoints that were complete. */
  checkpoints: number
  /** Of all processes: how often the job got another parallelism; how often it began again. */
  rescales: number
  restarts: number
  /** Registrations of TaskManagers. */
  registrations: number
  /** A number that tells this run from any other. */
  fingerprint: number
}

/** A run that failed, with all that it takes to understand it. */
export class FailedRun extends Error {
  readonly seed: number
  constructor(seed: number, topology: Topology, cause: Error, scenario: string, trace: readonly string[]) {
    const text = `Seed ${seed}: ${cause.message}`
    const again = `npm run simulate -- --seed ${seed}${topology === topologyOf(seed) ? '' : ` --topology "${topology}"`}`
    super(`${text}\n\n${scenario}\n\nThe last events:\n${trace.join('\n')}\n\n${text}\nRun it again: ${again}`, {
      cause,
    })
    this.seed = seed
  }
}

const EVENTS_MAX = 400_000
/** Once nothing goes wrong any more, a job ends in this time: a second or two, or longer where its restarts have to wait for each other. */
const LEFT_ALONE_MAX_MS = 180_000
/** A JobManager that was taken over from hears of it after up to this time. */
const HEARS_MS = 1_500
/** Longer than a lease: one that stands by has led for a while then. */
const HEARS_OF_END_MS = 2_500
/** A process that fails is started again after up to this time. */
const START_AGAIN_MAX_MS = 60

/** Of a seed, unless one is asked for. */
export function topologyOf(seed: number): Topology {
  return seed % 2 === 0 ? 'cluster' : 'one process'
}

/** Throws {@link FailedRun}. */
export async function simulate({
  seed,
  topology = topologyOf(seed),
  follow,
  planted,
}: SimulateOptions): Promise<Report> {
  await warmUp()
  const world = new World({ seed, ...(follow === undefined ? {} : { follow }) })
  const scenario = drawScenario(world.random.fork(), topology)
  const run = new Run(world, scenario, planted)
  try {
    await run.toTheEnd()
  } catch (error) {
    throw new FailedRun(seed, topology, error as Error, describeScenario(scenario), world.trace.last())
  }
  return {
    seed,
    topology,
    job: scenario.job.name,
    faults: run.faults,
    events: world.trace.count,
    virtualMs: world.nowMs,
    leftAloneMs: run.leftAloneMs,
    deployments: run.deployments,
    processes: run.processes.length + run.taskManagers,
    checkpoints: run.objects.completeCount,
    rescales: run.count(({ job }) => job?.view().numRescales),
    restarts: run.count(({ job }) => job?.view().numRestarts),
    registrations: run.count(({ registrations }) => registrations),
    fingerprint: world.random.below(2 ** 32),
  }
}

/** A deployment: a job that was stopped with a savepoint goes on in another one. */
interface Place {
  folder: string
  /** What it begins from. */
  savepoint: string | undefined
  invariants: Invariants
}

class Run {
  readonly objects: WatchedObjects
  readonly processes: SimulatedProcess[] = []
  readonly faults: Fault[] = []
  readonly #planted: PlantedBug | undefined
  readonly #world: World
  readonly #scenario: Scenario
  readonly #hazards: Hazards
  readonly #ledger: Ledger
  readonly #trouble = new StoreTrouble()
  readonly #network = new Network()
  readonly #results: Results
  readonly #places: Place[] = []
  readonly #placeOf = new Map<SimulatedProcess, Place>()
  readonly #programs = new Map<string, Main>()
  readonly #slotInvariants: SlotInvariants
  readonly #elections: Elections | undefined
  /** TaskManagers in processes of their own. */
  readonly #cluster: Cluster | undefined
  /** What starts processes and plans faults; never dead. */
  readonly #fate: Party
  /** The job's end is known to whoever would start it again. */
  #finished = false
  /** Nothing of what went wrong lasts longer. */
  #wrongUntilMs = 0

  constructor(world: World, scenario: Scenario, planted: PlantedBug | undefined) {
    this.#planted = planted
    const { job, inputs, exactly, faults } = scenario
    this.#world = world
    this.#scenario = scenario
    this.#hazards = new Hazards(world)
    this.objects = new WatchedObjects(() => Math.floor(world.nowMs), world.happenings)
    const { sums = false, mayLack = false } = job
    this.#results = new Results(world, job.expected(inputs.first, inputs.second), { exactly, sums, mayLack })
    this.#ledger = new Ledger(world, (values, by) => this.#results.shown(values, by))
    this.#fate = world.party('fate')
    this.#slotInvariants = new SlotInvariants(world, scenario.cluster?.foundOutMs ?? 0)
    this.#elections = scenario.cluster?.isElected === true ? new Elections(world, this.#trouble, planted) : undefined
    this.#cluster = scenario.cluster === undefined ? undefined : this.#newCluster(scenario.cluster)
    for (const fault of faults) this.#plan(fault)
    this.#newPlace(undefined)
    for (let i = 0; i < (scenario.cluster?.jobManagers ?? 1); i++) this.#start()
  }

  async toTheEnd(): Promise<void> {
    const check = () => {
      this.#place.invariants.check()
      this.#checkLeaders()
      this.#slotInvariants.check(this.#process, this.#cluster?.gone ?? [])
      if (this.leftAloneMs > LEFT_ALONE_MAX_MS)
        this.#world.fail(`the job has not ended, though nothing has gone wrong for ${LEFT_ALONE_MAX_MS / 1000} s`)
    }
    await this.#world.run({ until: () => this.#finished && this.#isQuiet(), check, eventsMax: EVENTS_MAX })
    this.#results.checkEnd()
    if (this.#world.failure !== undefined) throw this.#world.failure
  }

  /** Processes that were taken over from have found out. */
  #isQuiet(): boolean {
    return this.processes.every((process) => process.dead || process.ended)
  }

  get leftAloneMs(): number {
    return this.#world.nowMs - this.#wrongUntilMs
  }
  get deployments(): number {
    return this.#places.length
  }
  count(of: (process: SimulatedProcess) => number | undefined): number {
    return this.processes.reduce((sum, process) => sum + (of(process) ?? 0), 0)
  }

  /** Processes with slots, so far. */
  get taskManagers(): number {
    return this.#cluster?.started ?? 0
  }
  /** That leads, or led last; else the newest. */
  get #process(): SimulatedProcess {
    const elected = this.processes.filter(({ dead, term }) => !dead && term !== undefined)
    return elected.at(-1) ?? this.processes.at(-1)!
  }
  get #place(): Place {
    return this.#places.at(-1)!
  }

  // --- deployments and their processes

  #newPlace(savepoint: string | undefined): void {
    const folder = `d${this.#places.length + 1}`
    const invariants = new Invariants(this.#world, this.objects, folder)
    this.#places.push({ folder, savepoint, invariants })
    this.#world.note('fate', `the job is deployed as ${folder}${savepoint === undefined ? '' : `, from ${savepoint}`}`)
  }

  #newCluster(plan: ClusterPlan): Cluster {
    return new Cluster({
      world: this.#world,
      plan,
      network: this.#network,
      planted: this.#planted,
      leader: () => this.#leader(),
      elections: this.#elections,
      mainOf: ({ url }) => this.#programs.get(url)!,
      store: (party, url) => this.#store(party, url),
    })
  }

  /** As a TaskManager sees it: now and then it is the one before. */
  #leader(): string | undefined {
    const { random } = this.#world
    return (this.processes.at(random.chance(0.95) ? -1 : -2) ?? this.processes.at(-1))?.name
  }

  #store(party: Party, url: string): ObjectStore {
    return storeWith(this.#planted, simulatedStore(party, this.objects, this.#trouble, url))
  }

  #start(): void {
    const { random } = this.#world
    const { parallelismMax } = this.#scenario
    const before = this.processes.at(-1)
    const place = this.#place
    const parallelism = random.whole(1, parallelismMax)
    const places = Array.from({ length: 3 }, () => random.whole(1, parallelismMax))
    const name = `p${this.processes.length + 1}`
    this.#world.note('fate', `${name} is started with parallelism ${parallelism}`)
    const main: Main = (env, party) => this.#main(env, party, { parallelism, places, savepoint: place.savepoint })
    const process = new SimulatedProcess({
      world: this.#world,
      name,
      slots: parallelismMax + random.below(2),
      network: this.#network,
      planted: this.#planted,
      main,
      ...this.#leads(place),
      store: (party, url) => this.#store(party, url),
      folder: place.folder,
      onOpened: (process, store) => this.#opened(process, place, store),
      onPost: (process, message) => place.invariants.toSlot(process, message),
      onEnd: (process, end) => this.#ended(process, place, end),
    })
    this.#placeOf.set(process, place)
    this.#programs.set(process.url, main)
    this.processes.push(process)
    if (this.#cluster === undefined || this.#elections !== undefined || before === undefined) return
    // Whoever led hears of it in the end.
    const hears = (): void => {
      if (before.dead || before.ended) return
      if (before.paused || before.jobManager === undefined)
        this.#fate.after(HEARS_MS, `${before.name} has heard nothing`, hears)
      else before.depose('another one was started')
    }
    this.#fate.after(random.between(0, HEARS_MS), `${before.name} may hear that another one leads`, hears)
  }

  #leads({ invariants }: Place): { leads?: Leads } {
    const { cluster } = this.#scenario
    if (this.#cluster === undefined || cluster === undefined) return {}
    return {
      leads: {
        net: this.#cluster.net,
        configuration: cluster.configuration,
        epoch: this.processes.length + 1,
        elections: this.#elections,
        onGone: () => this.#whatNext(),
        onPost: (process, to, message) => {
          invariants.toSlot(process, message)
          this.#slotInvariants.posted(process, to, message)
        },
      },
    }
  }

  async #main(env: StreamExecutionEnvironment, party: Party, setting: ProcessSetting): Promise<void> {
    const { job, inputs, assignment, pace, sink, cluster } = this.#scenario
    const options = { ...this.#scenario.options, ...cluster?.options }
    const planted = this.#planted
    const world = this.#world
    for (const [key, value] of Object.entries(options)) env.configure(key, value)
    if (planted === 'barriers are not aligned') env.configure('execution.checkpointing.mode', 'AT_LEAST_ONCE')
    if (setting.savepoint !== undefined) env.configure('execution.state-recovery.path', setting.savepoint)
    env.setParallelism(setting.parallelism)
    const here: Here = {
      world,
      party,
      hazards: this.#hazards,
      ledger: this.#ledger,
      pace,
      planted,
      pause: (ms) => new Promise((resolve) => party.after(ms, 'has waited', resolve)),
    }
    const streams: Partial<Record<'first' | 'second', DataStream<Event>>> = {}
    job.build({
      env,
      here,
      inputs,
      read: (which) =>
        (streams[which] ??= env.fromSource(laneSource(inputs[which], assignment, here), inEventTime, which).uid(which)),
      sink: (stream: DataStream<string>, name) => {
        stream.sinkTo(ledgerSink(name, sink, here)).uid(`sink ${name}`)
      },
      parallelism: (place) => setting.places[place]!,
    })
    await env.execute(job.name)
  }

  #opened(process: SimulatedProcess, place: Place, store: CheckpointStore): void {
    if (place === this.#place && !this.objects.of(place.folder).over) {
      place.invariants.opened(process, store)
      return
    }
    // The registry says what has ended, before its checkpoints are given up.
    if (place === this.#place && process.term?.isLeaderNow() === true)
      this.#world.fail(`${process.name} leads and begins the job anew, which has ended`)
    // It would begin the job anew. Whoever starts processes knows of the job's end by now, and stops it.
    this.#world.note('fate', `${process.name} came after the end`)
    place.invariants.over()
    process.kill()
    // One that stood by since the deployment before may have been the last.
    if (place === this.#place || this.#elections !== undefined) this.#whatNext()
  }

  #ended(process: SimulatedProcess, place: Place, { status, error }: SessionEnd): void {
    this.#world.note(process.name, `ends ${status}${error === undefined ? '' : `: ${error.message}`}`)
    if (status !== 'FINISHED' && !FAILURES.includes(error?.code ?? ''))
      this.#world.fail(`${process.name} ends ${status}: ${error?.message}`)
    // Where there are elections it may have stood by since the deployment before, and be the last.
    const concerns = place === this.#place && (status === 'FINISHED' || process === this.#process)
    if (concerns || this.#elections !== undefined) this.#whatNext()
  }

  /** A process has ended, or died: after a while somebody looks, and starts what is missing. */
  #whatNext(): void {
    const inMs = this.#world.random.between(0, START_AGAIN_MAX_MS)
    const place = this.#place
    this.#fate.after(inMs, 'looks whether a process is missing', () => {
      if (this.#finished || place !== this.#place) return
      const { over, stoppedAt } = this.objects.of(place.folder)
      if (stoppedAt !== undefined) {
        this.#newPlace(stoppedAt)
        this.#start()
      } else if (over) this.#finish()
      else if (this.#isMissing) this.#start()
    })
  }

  get #isMissing(): boolean {
    const isGone = (process: SimulatedProcess) => process.dead || process.ended
    return this.#elections === undefined ? isGone(this.#process) : this.processes.every(isGone)
  }

  #finish(): void {
    this.#finished = true
    if (this.#elections === undefined) return
    // Those that stand by are not needed any more, but may lead before they hear of it, and are to find that nothing is left to do.
    const inMs = this.#world.random.pick([0, HEARS_OF_END_MS])
    this.#fate.after(inMs, 'nobody needs to stand by', () => {
      for (const process of this.processes) if (!process.dead && !process.ended) process.kill()
    })
  }

  #checkLeaders(): void {
    if (this.#elections === undefined) return
    const leaders = this.processes.filter(({ dead, term }) => !dead && term?.isLeaderNow() === true)
    if (leaders.length > 1) this.#world.fail(`${leaders.map(({ name }) => name).join(' and ')} lead at once`)
  }

  // --- what goes wrong

  #plan(planned: PlannedFault): void {
    const { afterMs, moment } = planned.when
    const happens = () => {
      if (!this.#finished) this.#happens(planned)
    }
    if (moment === undefined) this.#fate.after(afterMs, planned.fault, happens)
    else
      this.#world.happenings.wait(moment.name, moment.nth, () => {
        if (afterMs > 0) this.#fate.after(afterMs, planned.fault, happens)
        else {
          this.#world.note('fate', `${planned.fault}, as "${moment.name}" comes true`)
          happens()
        }
      })
  }

  #happens({ fault, forMs }: PlannedFault): void {
    this.faults.push(fault)
    this.#wrongUntilMs = Math.max(this.#wrongUntilMs, this.#world.nowMs + forMs)
    const { random } = this.#world
    const process = this.#process
    const slots = this.#cluster?.slots ?? process.slots
    const later = (what: string, then: () => void) => this.#fate.after(forMs, what, then)
    const standStill = (party: Party) => {
      if (party.paused || party.dead) return
      party.pause()
      later(`${party.name} may go on`, () => {
        if (!party.dead) party.resume()
      })
    }
    switch (fault) {
      case 'a function throws':
        this.#hazards.throwNext()
        break
      case 'a slot dies':
        if (slots.length > 0) random.pick(slots).end({ code: 1, error: new Error('a planned crash') })
        break
      case 'a slot stands still':
        if (slots.length > 0) standStill(random.pick(slots).party)
        break
      case 'the program stands still':
        standStill(process.program)
        break
      case 'the store fails':
        this.#trouble.failShare = random.between(0.05, 0.9)
        later('the store is well', () => {
          this.#trouble.failShare = 0
        })
        break
      case 'the store is slow':
        this.#trouble.slowMs = random.between(10, 800)
        later('the store is fast', () => {
          this.#trouble.slowMs = 0
        })
        break
      case 'the ledger loses calls':
        this.#ledger.lostShare = random.between(0.05, 0.7)
        later('the ledger is well', () => {
          this.#ledger.lostShare = 0
        })
        break
      case 'messages are lost':
        this.#network.lostShare = random.between(0.05, 0.7)
        later('messages arrive', () => {
          this.#network.lostShare = 0
        })
        break
      case 'the process dies':
        process.kill(this.#cluster !== undefined && random.chance(0.3))
        this.#whatNext()
        break
      case 'the process stands still':
        this.#pause(process, later)
        break
      case 'a clock jumps':
        this.#jump(this.#whoseClock(process))
        break
      case 'another process takes over':
        this.#start()
        break
      case 'another process takes over from one that stands still':
        this.#pause(process, later)
        this.#start()
        break
      case 'a checkpoint is asked for':
        this.#ask(process, fault, (job) => job.takeCheckpoint())
        break
      case 'a savepoint is asked for':
        this.#ask(process, fault, (job) => job.takeSavepoint('/savepoints'))
        break
      case 'the job is stopped with a savepoint':
        this.#stop(process, fault)
        break
      default:
        if (this.#cluster !== undefined) this.#happensInCluster(this.#cluster, fault, forMs, later)
    }
  }

  #happensInCluster(
    cluster: Cluster,
    fault: Fault,
    forMs: number,
    later: (what: string, then: () => void) => void,
  ): void {
    const { random } = this.#world
    const one = cluster.taskManagers.length === 0 ? undefined : random.pick(cluster.taskManagers)
    const { links } = cluster.net
    const link = links.length === 0 ? undefined : random.pick(links)
    switch (fault) {
      case 'a TaskManager dies':
        if (one !== undefined) cluster.kill(one, random.chance(0.3), forMs)
        break
      case 'a TaskManager stands still':
        if (one === undefined || one.paused) break
        one.pause()
        later(`${one.name} may go on`, () => one.resume())
        break
      case 'a TaskManager is cut off':
        if (one !== undefined) cluster.stall(one.host, forMs)
        break
      case 'a connection is cut':
        link?.cut()
        break
      case 'a connection falls silent':
        link?.silence()
        break
      case 'the network is slow':
        cluster.slowMs = random.between(1, 60)
        later('the network is fast', () => {
          cluster.slowMs = 0
        })
        break
      case 'other requirements are set':
        this.#ask(this.#process, fault, async (job) => job.parallelism.set(drawRequirements(job, cluster, random)))
    }
  }

  /** Somebody asks the JobManager. */
  #ask(process: SimulatedProcess, what: string, ask: (job: JobMaster) => Promise<unknown>): void {
    process.main.after(this.#world.latencyMs(), what, () => {
      if (process.job === undefined) return
      const answer = (text: string) => this.#world.note(process.main.name, `answers: ${text}`)
      ask(process.job).then(
        (result) => answer(JSON.stringify(result)),
        (error) => answer(messageOf(error)),
      )
    })
  }

  #stop(process: SimulatedProcess, what: string): void {
    const { folder, invariants } = this.#placeOf.get(process)!
    this.#network.stops = true
    this.#ask(process, what, async (job) => {
      const result = await job.stopWithSavepoint(`/stops/${folder}`, false)
      invariants.stopped(process)
      return result
    })
  }

  /** Often that of a JobManager that judges the lease of another. */
  #whoseClock(process: SimulatedProcess): SimulatedProcess | SimulatedTaskManager {
    const { random } = this.#world
    const alive = this.processes.filter(({ dead }) => !dead)
    const standBy = this.#elections === undefined ? [] : alive.filter(({ term }) => term === undefined)
    if (standBy.length > 0 && random.chance(0.5)) return random.pick(standBy)
    return random.pick([process, ...alive, ...(this.#cluster?.taskManagers ?? [])])
  }

  /** By seconds or hours, back and forth: somebody has set it, or a machine has slept. */
  #jump({ name, main: { wall } }: SimulatedProcess | SimulatedTaskManager): void {
    const { random } = this.#world
    const byMs = Math.round(random.between(-1, 1) * random.pick([5_000, 60_000, 7_200_000]))
    this.#world.note('fate', `the clock of ${name} jumps by ${byMs} ms`)
    wall.wrongMs += byMs
  }

  #pause(process: SimulatedProcess, later: (what: string, then: () => void) => void): void {
    if (process.dead || process.paused) return
    process.pause(this.#world.random.chance(0.5))
    later(`${process.name} may go on`, () => process.resume())
  }
}

/** Bounds that the cluster can fulfil once all are there. */
function drawRequirements({ program }: JobMaster, { slotsMax }: Cluster, random: Random): Requirements {
  return Object.fromEntries(
    program.vertices.map(({ id, maxParallelism, nonParallel }) => {
      const upperBound = random.whole(1, nonParallel === true ? 1 : Math.min(maxParallelism, slotsMax))
      return [id, { lowerBound: random.pick([1, upperBound]), upperBound }]
    }),
  )
}

interface ProcessSetting {
  parallelism: number
  /** Of operators that have one of their own. */
  places: readonly number[]
  savepoint: string | undefined
}

/** With which a process may end, once it is not restarted any more. */
const FAILURES: readonly string[] = [
  'TR-TASK-001',
  'TR-TASK-002',
  'TR-CHECKPOINT-001',
  'TR-CHECKPOINT-002',
  'TR-CHECKPOINT-005',
  'TR-CHECKPOINT-007',
  'TR-SINK-001',
  'TR-SINK-002',
  'TR-SOURCE-001',
  'TR-PROGRAM-001',
  'TR-CLUSTER-001',
  'TR-CLUSTER-005',
  'TR-EXCHANGE-001',
  'TR-EXCHANGE-002',
]
