/**
 * A slot: one loop that hosts one subtask of each vertex, in a worker thread or inline in the caller's thread.
 *
 * The loop gives each task a turn, those downstream first, until none has work; then it sleeps on its doorbell until data or credit
 * comes or something is due. After SLICE_MS it lets the event loop run: messages, timers and callbacks of connectors.
 */
import { type Clock, systemClock } from '../core/clock.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import { type CopyNumbers, copiesOfThread } from '../core/hot-copy.ts'
import { compileJobGraph } from '../graph/compile.ts'
import { graphWithNumbers } from '../graph/deployed-numbers.ts'
import type { LogicalGraph } from '../graph/model.ts'
import { buildPlan, firstDifference } from '../graph/plan.ts'
import { MetricsPage } from '../metrics/page.ts'
import { BufferPool } from '../network/buffer-pool.ts'
import { Doorbell } from '../network/doorbell.ts'
import { SlotLinks, type SlotLinksOptions } from '../network/remote/slot-links.ts'
import type { Port } from '../rpc/port.ts'
import type { FromSlotThread, ProgramRef, ProgramReplay, SlotDeployment, ToSlotThread } from '../rpc/slot-messages.ts'
import { type BuiltTask, buildTask } from './build-task.ts'
import { ChunkBuffers } from './chunk-buffers.ts'
import { type SlotPace, threadPace } from './slot-pace.ts'
import { StateReads } from './state-reads.ts'
import type { Task } from './task.ts'

/** The loop gives way to the event loop after this time. */
const SLICE_MS = 2
/** … with channels to other processes: what it has made goes out then, and credit comes in. */
const REMOTE_SLICE_MS = 0.25
/** … when one of them waits for credit. Measured (tumble10k over two TaskManagers): 13.0 M/s, and 11.0 with 0.5 ms in any case. */
const STARVED_SLICE_MS = 0.1
/** Counters move into shared memory at least this often. */
const PUBLISH_MS = 50
/** A sleep that is this short, or the first ones after work, block the thread: it delays messages by no more, and wakes up cheaply. */
const BLOCK_MS = 0.5
const BLOCKS_AFTER_WORK = 4
/** The first sleep after work, which no ring ends: batches that come meanwhile are taken together, and their writers make no system calls. */
const NAP_MS = 0.1
/** Sleep without anything due. */
const SLEEP_MS = 1000

export interface SlotOptions {
  port: Port<FromSlotThread, ToSlotThread>
  clock?: Clock
  /** The thread is the slot's own, so it may block for a moment. */
  ownThread?: boolean
  /** Gives way and sleeps. */
  pace?: SlotPace
  /** From 0 to 1; Math.random by default. */
  random?: () => number
  /** Buffers of snapshots that may be under way to the store. */
  snapshotBuffersMax?: number
  /** How it reaches slots of other processes, and they it; without it, there are none. */
  data?: SlotData
  /** Copies of operators' modules; those of the thread by default. */
  copies?: CopyNumbers
  /** Runs the program again and gives the graph of execute number `replay.executeIndex`. */
  buildGraph(program: ProgramRef, replay: ProgramReplay): Promise<LogicalGraph>
}

/** Of what goes between processes. */
export type SlotData = Pick<SlotLinksOptions, 'dataPort' | 'connect' | 'compression'>

export class Slot {
  readonly #port: Port<FromSlotThread, ToSlotThread>
  readonly #clock: Clock
  readonly #buildGraph: SlotOptions['buildGraph']
  readonly #ownThread: boolean
  readonly #pace: SlotPace
  readonly #random: () => number
  readonly #copies: CopyNumbers
  /** Its sockets have had a turn since there was work. */
  #socketsRead = false
  /** Blocking sleeps since there was work. */
  #blocks = 0
  #built: BuiltTask[] = []
  /** Downstream first. */
  #tasks: Task[] = []
  #bell: Doorbell | undefined
  #page: MetricsPage | undefined
  /** Counts deployments and cancellations: what awaits something looks whether it still holds. */
  #attempt = 0
  /** The graph of a deployment that was announced. */
  #prepared: { program: ProgramRef; executeIndex: number; graph: Promise<LogicalGraph> } | undefined
  /** Of the last deployment; undefined: there was none. */
  #deployment: 'deployed' | 'started' | undefined
  /** The end of what was cancelled last. */
  #cancelled: Promise<void> | undefined
  #running = false
  #asleep = false
  #publishedMs = 0
  /** Lets go of the process. */
  #letGo: () => void = () => {}
  #stopClock: (() => void) | undefined
  /** Splits and types that came before the tasks were open. */
  #early: ToSlotThread[] | undefined = []
  /** To slots of other processes. */
  readonly #links: SlotLinks | undefined
  readonly #buffers: ChunkBuffers
  readonly #reads: StateReads

  constructor(options: SlotOptions) {
    this.#port = options.port
    this.#buffers = new ChunkBuffers(options.snapshotBuffersMax)
    this.#reads = new StateReads((message) => this.#port.post(message))
    this.#clock = options.clock ?? systemClock
    this.#buildGraph = options.buildGraph
    this.#ownThread = options.ownThread ?? false
    this.#pace = options.pace ?? threadPace
    this.#random = options.random ?? Math.random
    this.#copies = options.copies ?? copiesOfThread
    this.#port.onMessage((message) => this.#receive(message))
    const { data } = options
    this.#links = data === undefined ? undefined : new SlotLinks({ ...data, wake: () => this.#wake() })
    if (this.#links !== undefined) this.#links.onLost = (_, error) => this.#linkLost(error)
    this.#port.post({ type: 'ready', ...(data === undefined ? {} : { dataPort: data.dataPort.address.port }) })
  }

  #receive(message: ToSlotThread): void {
    switch (message.type) {
      case 'deploy':
        void this.#deploy(message.deployment)
        break
      case 'start':
        void this.#start()
        break
      case 'cancel':
        this.#cancel()
        break
      case 'prepare': {
        const { program, replay } = message
        const graph = this.#buildGraph(program, replay)
        // The deployment builds it again, and tells.
        graph.catch(() => {})
        this.#prepared = { program, executeIndex: replay.executeIndex, graph }
        break
      }
      case 'handOver':
        void this.#handOver()
        break
      case 'stateBuffer':
        this.#buffers.returned(message.buffer)
        // A snapshot may wait for it.
        this.#wake()
        break
      case 'stateRead':
        this.#reads.answered(message.request, message.bytes, message.error)
        break
      default:
        if (this.#early !== undefined) this.#early.push(message)
        else this.#deliver(message)
    }
  }

  #deliver(message: ToSlotThread): void {
    switch (message.type) {
      case 'edgeType':
        for (const { task, readers } of this.#built) {
          readers.get(message.edgeId)?.setType(message.edgeType)
          task.setEdgeType(message.edgeId, message.edgeType)
        }
        this.#wake()
        break
      case 'splits':
        this.#task(message)?.source?.addSplits(message.splits)
        break
      case 'noMoreSplits':
        this.#task(message)?.source?.noMoreSplits()
        break
      case 'sourceEvent':
        this.#task(message)?.source?.handleEvent(message.event)
        break
      case 'triggerCheckpoint':
        this.#task(message)?.checkpoints.trigger(message.barrier)
        break
      case 'checkpointComplete':
        for (const task of this.#tasks) task.checkpoints.complete(message.checkpointId)
        break
      case 'checkpointAborted':
        for (const task of this.#tasks) task.checkpoints.aborted(message.checkpointId)
        break
      case 'drain':
        this.#task(message)?.source?.drain()
        break
      case 'collectAck':
        for (const task of this.#tasks)
          if (task.subtask === message.subtask) task.collectAcks.get(message.collectId)?.(message.count)
        this.#wake()
        break
    }
  }

  #task({ vertexId, subtask }: { vertexId: string; subtask: number }): Task | undefined {
    return this.#tasks.find((t) => t.vertexId === vertexId && t.subtask === subtask)
  }

  /** Also the next attempt of the job, once the one before was cancelled. */
  async #deploy(deployment: SlotDeployment): Promise<void> {
    const attempt = ++this.#attempt
    await this.#cancelled
    if (attempt !== this.#attempt) return
    this.#deployment = 'deployed'
    this.#built = []
    this.#tasks = []
    this.#early = []
    try {
      const compiled = compileJobGraph(await this.#graphOf(deployment))
      const plan = buildPlan(compiled)
      if (plan.hash !== deployment.plan.hash) {
        throw new TailraceError(
          'TR-PROGRAM-001',
          `The program built another graph in a slot than at submission: ${firstDifference(deployment.plan, plan) ?? 'a function differs'}. ` +
            'Make main depend on its arguments and parameters only, and compute everything else with env.once()',
        )
      }
      const graph = graphWithNumbers(compiled, deployment.plan)
      this.#bell = new Doorbell(deployment.wiring.doorbells[deployment.slotIndex]!)
      this.#page = new MetricsPage(deployment.page, (names) => this.#port.post({ type: 'metricNames', names }))
      this.#beginLinks(deployment)
      const surroundings = {
        graph,
        deployment,
        links: this.#links,
        clock: this.#clock,
        random: this.#random,
        copies: this.#copies,
        page: this.#page,
        buffers: this.#buffers,
        reads: this.#reads,
        post: (message: FromSlotThread, transfer?: ArrayBuffer[]) => this.#port.post(message, transfer),
        wakeSlot: () => this.#wake(),
      }
      const order = new Map(graph.vertices.map((v, i) => [v.id, i]))
      const subtasks = [...deployment.subtasks].sort((a, b) => order.get(b.vertexId)! - order.get(a.vertexId)!)
      const built = await Promise.all(subtasks.map((subtask) => buildTask(subtask, surroundings)))
      if (attempt !== this.#attempt) {
        for (const { task } of built) task.options.chain.release()
        return
      }
      this.#built = built
      this.#tasks = built.map((b) => b.task)
      // A slot that has nothing to say to others is deployed at once.
      await this.#links?.open()
      if (attempt !== this.#attempt) return
      this.#port.post({ type: 'deployed' })
    } catch (error) {
      if (attempt !== this.#attempt) return
      this.#port.post({ type: 'deployFailed', error: errorToData(error) })
    }
  }

  #graphOf({ program, replay }: SlotDeployment): Promise<LogicalGraph> {
    const prepared = this.#prepared
    this.#prepared = undefined
    const build = () => this.#buildGraph(program, replay)
    const isIt =
      prepared?.executeIndex === replay.executeIndex && JSON.stringify(prepared.program) === JSON.stringify(program)
    return isIt ? prepared.graph.catch(build) : build()
  }

  #beginLinks({ jobId, attempt, slotIndex, slots, token, wiring }: SlotDeployment): void {
    const own = slots[slotIndex]!.taskManager
    const peers = slots.flatMap(({ taskManager, data }, index) =>
      taskManager === own || data === undefined ? [] : [[index, data] as const],
    )
    const pool = new BufferPool(wiring.pools[slotIndex]!)
    this.#links?.begin({ jobId, attempt, slotIndex, peers: Object.fromEntries(peers), token, pool })
  }

  /** A slot that this one has channels with does not answer: what is between them is lost. */
  #linkLost(error: TailraceError): void {
    this.#tasks.find((task) => task.state === 'RUNNING' || task.state === 'INITIALIZING')?.fail(error)
    this.#wake()
  }

  async #start(): Promise<void> {
    const attempt = this.#attempt
    this.#deployment = 'started'
    for (const task of this.#tasks) {
      try {
        await task.open()
      } catch (error) {
        task.fail(error)
        return
      }
      if (attempt !== this.#attempt) return
    }
    if (attempt !== this.#attempt) return
    const early = this.#early ?? []
    this.#early = undefined
    for (const message of early) this.#deliver(message)
    this.#running = true
    this.#letGo = this.#pace.hold()
    this.#stopClock = this.#clock.onMove?.(() => this.#wake())
    this.#run()
  }

  #cancel(): void {
    this.#attempt++
    this.#running = false
    this.#cancelled = this.#endTasks()
  }

  /** Nothing of what it ran is left when it answers. */
  async #handOver(): Promise<void> {
    this.#cancel()
    const attempt = this.#attempt
    await this.#cancelled
    this.#links?.close()
    if (attempt !== this.#attempt) return
    const isClean = this.#tasks.every(({ state }) => state === 'CANCELED' || state === 'FINISHED')
    this.#port.post({ type: 'handedOver', clean: isClean && this.#deployment !== 'deployed' })
  }

  async #endTasks(): Promise<void> {
    for (const task of this.#tasks) await task.cancel()
    this.#links?.end()
    this.#publish()
    this.#release()
  }

  #release(): void {
    this.#letGo()
    this.#stopClock?.()
    for (const { task } of this.#built) task.options.chain.release()
    this.#built = []
  }

  // --- the loop

  /** One pass over all tasks; true when any had work. For hosts that step the slot by hand. */
  step(): boolean {
    let worked = false
    let nowMs = this.#clock.monotonic()
    for (const task of this.#tasks) {
      if (task.turn(nowMs)) worked = true
      nowMs = this.#clock.monotonic()
      task.endTurn(nowMs)
    }
    return worked
  }

  readonly #run = (): void => {
    this.#asleep = false
    if (!this.#running) return
    const startMs = this.#clock.monotonic()
    const links = this.#links?.active === true ? this.#links : undefined
    for (let pass = 1; ; pass++) {
      if (this.step()) {
        this.#blocks = 0
        this.#socketsRead = false
      } else if (this.#sleep()) return
      const nowMs = this.#clock.monotonic()
      const sliceMs = links === undefined ? SLICE_MS : links.starved ? STARVED_SLICE_MS : REMOTE_SLICE_MS
      if (nowMs - startMs > sliceMs || pass >= this.#pace.passesMax) {
        if (nowMs - this.#publishedMs > PUBLISH_MS) this.#publish()
        // One write for all that several passes have made.
        links?.flush()
        this.#pace.giveWay(this.#run)
        return
      }
    }
  }

  /** True when the loop is asleep and will be called again. */
  #sleep(): boolean {
    const bell = this.#bell!
    if (this.#links?.active === true) {
      this.#links.flush()
      if (!this.#socketsRead) {
        this.#socketsRead = true
        this.#pace.giveWay(this.#run)
        return true
      }
    }
    // A thread that blocks does not see its sockets.
    const mayBlock =
      this.#ownThread && this.#links?.active !== true && !this.#tasks.some((task) => task.waitsForCallback)
    if (mayBlock && this.#blocks === 0) {
      this.#blocks++
      bell.nap(NAP_MS)
      return false
    }
    const sequence = bell.announceSleep()
    // Whoever published before it could see the announcement is found by one more look.
    if (this.step()) {
      bell.stayAwake()
      return false
    }
    const nowMs = this.#clock.monotonic()
    if (this.#tasks.every((task) => task.atEnd)) {
      this.#links?.flush()
      this.#publish()
      this.#running = false
      this.#release()
      return true
    }
    let dueMs = nowMs + SLEEP_MS
    for (const task of this.#tasks) dueMs = Math.min(dueMs, task.nextTurnMs(nowMs))
    if (dueMs <= nowMs) {
      bell.stayAwake()
      return false
    }
    if (mayBlock && (dueMs - nowMs <= BLOCK_MS || this.#blocks < BLOCKS_AFTER_WORK)) {
      this.#blocks++
      if (nowMs - this.#publishedMs > PUBLISH_MS) this.#publish()
      bell.block(sequence, Math.min(dueMs - nowMs, BLOCK_MS))
      return false
    }
    this.#publish()
    const attempt = this.#attempt
    const sleeps = this.#pace.sleep(bell, sequence, dueMs - nowMs, () => {
      if (attempt === this.#attempt) this.#run()
    })
    if (sleeps) this.#asleep = true
    return sleeps
  }

  #wake(): void {
    if (this.#asleep) this.#bell?.ring()
  }

  #publish(): void {
    this.#publishedMs = this.#clock.monotonic()
    for (const task of this.#tasks) task.measures.publish()
    this.#page?.flushNames()
  }
}
