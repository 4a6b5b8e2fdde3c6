/**
 * A job on slots that are driven by the least JobManager that can: it wires, starts, routes splits, agrees on types, takes checkpoints and restores them.
 * Everything in one thread, the bytes of snapshots in a map.
 */
import { GraphBuilder } from '../api/graph-builder.ts'
import { type Assignment, assignState } from '../checkpoint/assign.ts'
import { storedEdgeTypes } from '../checkpoint/edge-types.ts'
import type { CheckpointMetadata, SnapshotStats, StateHandle, SubtaskSnapshot } from '../checkpoint/model.ts'
import type { Barrier } from '../core/checkpoint.ts'
import type { EnumeratorContext } from '../core/source.ts'
import type { TypeDescription } from '../core/types.ts'
import { compileJobGraph } from '../graph/compile.ts'
import type { JobConfig, JobGraph, LogicalNode, Partitioner, Plan } from '../graph/model.ts'
import { buildPlan } from '../graph/plan.ts'
import { assignSlots } from '../graph/slots.ts'
import { MetricsPage } from '../metrics/page.ts'
import { allocateWiring } from '../network/wiring.ts'
import { portPair } from '../rpc/port.ts'
import type { CheckpointingMode, FromSlotThread, SlotDeployment, ToSlotThread, Wiring } from '../rpc/slot-messages.ts'
import { Slot, type SlotOptions } from './slot.ts'
import { SnapshotUploads, type StateBytes } from './snapshot-uploads.ts'

export type AddNode = (
  name: string,
  module: string,
  options: any,
  from?: LogicalNode,
  partitioner?: Partitioner,
  isSink?: boolean,
  /** Into the second input of an operator that has two. */
  second?: { from: LogicalNode; partitioner: Partitioner },
) => LogicalNode

export type Build = (add: AddNode) => void

export interface TestJobOptions {
  parallelism: number
  build: Build
  options?: Record<string, string>
  change?: (plan: Plan) => Plan
  checkpointing?: CheckpointingMode
  /** How its slots run. */
  slot?: Pick<SlotOptions, 'pace' | 'snapshotBuffersMax'>
  /** What `checkpoint` gave. */
  restore?: { metadata: CheckpointMetadata; files: Map<string, Uint8Array>; committed?: boolean }
}

const config = (parallelism: number, options: Record<string, string>): JobConfig => ({
  jobName: 'test',
  parallelism,
  maxParallelism: undefined,
  bufferTimeoutMs: 5,
  autoWatermarkIntervalMs: 200,
  chaining: true,
  autoGenerateUids: true,
  parameters: {},
  options,
})

export class TestJob {
  readonly values: any[] = []
  readonly states: string[] = []
  readonly accumulators: Record<string, number> = {}
  readonly stats: SnapshotStats[] = []
  readonly declined: Extract<FromSlotThread, { type: 'checkpointDeclined' }>[] = []
  error: Extract<FromSlotThread, { type: 'deployFailed' }>['error'] | undefined
  readonly plan: Plan
  readonly files = new Map<string, Uint8Array>()
  /** Resolves when all tasks have ended. */
  readonly ended: Promise<void>
  /** Resolves when all that runs has ended its data. */
  readonly dataEnded: Promise<void>
  readonly #graph: JobGraph
  readonly #options: TestJobOptions
  readonly #vertices: ReturnType<typeof assignSlots>['vertices']
  readonly #assignment: Assignment | undefined
  readonly #ports: ReturnType<typeof portPair<ToSlotThread, FromSlotThread>>[0][] = []
  readonly #slots: Record<string, number[]>
  readonly #enumerators = new Map<string, any>()
  readonly #edgeTypes: Record<number, TypeDescription>
  readonly #running = new Set<string>()
  #acks: { id: number; snapshots: Map<string, SubtaskSnapshot>; wanted: number; done(): void } | undefined
  #end!: () => void
  #noData!: () => void
  #withData: number
  #left: number

  constructor(options: TestJobOptions) {
    this.#options = options
    // Each slot builds the graph again, as it does from a program: function objects are its own.
    const buildGraph = () => {
      const builder = new GraphBuilder()
      options.build(
        (name, module, nodeOptions, from, partitioner = { kind: 'auto' }, isSink = false, second = undefined) => {
          const node = builder.add({
            name,
            spec: { module, options: nodeOptions },
            inputs: from === undefined ? [] : [{ node: from, tag: undefined, partitioner }],
            secondInputs:
              second === undefined ? [] : [{ node: second.from, tag: undefined, partitioner: second.partitioner }],
            isSource: module === 'source',
            isSink,
          })
          node.uid = name
          return node
        },
      )
      return builder.build(config(options.parallelism, options.options ?? {}))
    }
    this.#graph = compileJobGraph(buildGraph())
    this.plan = (options.change ?? ((plan) => plan))(buildPlan(this.#graph))
    const { slotCount, vertices } = assignSlots(this.plan)
    this.#vertices = vertices
    this.#slots = Object.fromEntries(vertices.map((v) => [v.vertexId, v.slots]))
    this.#left = this.#withData = vertices.reduce((n, v) => n + v.slots.length, 0)
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
    this.dataEnded = new Promise((resolve) => {
      this.#noData = resolve
    })
    const { restore } = options
    if (restore !== undefined) {
      this.#assignment = assignState({ metadata: restore.metadata, plan: this.plan, allowNonRestoredState: false })
      for (const [file, bytes] of restore.files) this.files.set(file, bytes)
    }
    this.#edgeTypes = { ...this.#assignment?.edgeTypes }
    const wiring = allocateWiring(
      this.plan,
      this.#slots,
      Array.from({ length: slotCount }, () => true),
    )
    const deployed = new Set<number>()
    for (let slotIndex = 0; slotIndex < slotCount; slotIndex++) {
      const [port, slotPort] = portPair<ToSlotThread, FromSlotThread>()
      this.#ports.push(port)
      const uploads = new SnapshotUploads({
        store: () => this.#store,
        toSlot: (message) => port.post(message),
        toJobManager: (message) => {
          if (message.type === 'ready') port.post({ type: 'deploy', deployment: this.#deployment(slotIndex, wiring) })
          else if (message.type === 'deployed') {
            if (deployed.add(slotIndex).size === slotCount) this.#toAll({ type: 'start' })
          } else this.#receive(message, port)
        },
      })
      port.onMessage((message) => uploads.receive(message))
      new Slot({ port: slotPort, buildGraph: async () => buildGraph(), ...this.#options.slot })
    }
  }

  cancel(): void {
    this.#toAll({ type: 'cancel' })
  }

  /** Its slots are told to run the next attempt. */
  again(): void {
    const wiring = allocateWiring(
      this.plan,
      this.#slots,
      this.#ports.map(() => true),
    )
    for (const [slotIndex, port] of this.#ports.entries())
      port.post({ type: 'deploy', deployment: { ...this.#deployment(slotIndex, wiring), attempt: 1 } })
  }

  /** Takes a checkpoint of all that runs and completes it; what the coordinator of the job does, without its reasons. */
  async checkpoint(
    checkpointId: number,
    { then = 'go on', notify = true }: { then?: Barrier['then']; notify?: boolean } = {},
  ): Promise<CheckpointMetadata> {
    const coordinators = new Map([...this.#enumerators].map(([id, enumerator]) => [id, enumerator.snapshot()]))
    const snapshots = new Map<string, SubtaskSnapshot>()
    await new Promise<void>((done) => {
      this.#acks = { id: checkpointId, snapshots, wanted: this.#running.size, done }
      const barrier: Barrier = { checkpointId, timestampMs: Date.now(), kind: 'checkpoint', then }
      for (const vertex of this.#graph.vertices) {
        const upstreamEnded = vertex.inputs.every(({ from }) => ![...this.#running].some((r) => r.startsWith(from)))
        if (!upstreamEnded) continue
        for (let subtask = 0; subtask < vertex.parallelism; subtask++)
          if (this.#running.has(`${vertex.id}/${subtask}`))
            this.#to(vertex.id, subtask, { type: 'triggerCheckpoint', vertexId: vertex.id, subtask, barrier })
      }
    })
    this.#acks = undefined
    const metadata: CheckpointMetadata = {
      formatVersion: 1,
      checkpointId,
      kind: 'checkpoint',
      timestampMs: 0,
      jobId: 'job',
      jobName: 'test',
      epoch: 1,
      edgeTypes: storedEdgeTypes(this.plan, this.#edgeTypes),
      operators: this.plan.vertices.flatMap((vertex) =>
        vertex.operators.map(({ operatorId, name, uid }) => {
          const of = (subtask: number) => snapshots.get(`${vertex.id}/${subtask}`)
          const subtasks = Array.from({ length: vertex.parallelism }, (_, i) => i)
          return {
            operatorId,
            name,
            uid,
            parallelism: vertex.parallelism,
            maxParallelism: vertex.maxParallelism,
            subtasks: subtasks.map((i) => of(i)?.operators.find((o) => o.operatorId === operatorId) ?? null),
            finished: subtasks.map((i) => of(i)?.finished ?? true),
            ...(coordinators.has(vertex.id) && vertex.operators[0]!.operatorId === operatorId
              ? { coordinator: coordinators.get(vertex.id) }
              : {}),
          }
        }),
      ),
    }
    if (notify) this.notifyComplete(checkpointId)
    return metadata
  }

  notifyComplete(checkpointId: number): void {
    this.#toAll({ type: 'checkpointComplete', checkpointId })
  }

  drain(): void {
    for (const { vertexId, slots } of this.#vertices) {
      if (this.#graph.vertices.find((v) => v.id === vertexId)!.inputs.length > 0) continue
      for (const subtask of slots.keys()) this.#to(vertexId, subtask, { type: 'drain', vertexId, subtask })
    }
  }

  readonly #store: StateBytes = {
    write: async (bytes) => {
      const file = `file-${this.files.size}-${Math.floor(performance.now() * 1000)}`
      this.files.set(file, new Uint8Array(bytes))
      return { file, offset: 0, length: bytes.length }
    },
    read: async (handle: StateHandle) => {
      if ('bytes' in handle) return handle.bytes
      return new Uint8Array(this.files.get(handle.file)!.subarray(handle.offset, handle.offset + handle.length))
    },
    discard: async () => {},
  }

  #deployment(slotIndex: number, wiring: Wiring): SlotDeployment {
    const subtasks = this.#vertices.flatMap((v) =>
      v.slots.flatMap((s, subtask) => (s === slotIndex ? [{ vertexId: v.vertexId, subtask }] : [])),
    )
    const assignment = this.#assignment
    const state: NonNullable<SlotDeployment['restore']>['state'] = {}
    for (const { vertexId, subtask } of assignment === undefined ? [] : subtasks)
      (state[vertexId] ??= {})[subtask] = assignment!.restores[vertexId]![subtask]!
    return {
      jobId: 'job',
      attempt: 0,
      slotIndex,
      program: { url: '', args: [], parameters: {}, options: {} },
      replay: { executeIndex: 0, results: [], once: {} },
      plan: this.plan,
      subtasks,
      places: this.#slots,
      slots: this.#ports.map(() => ({ taskManager: 'test' })),
      token: 'secret',
      wiring,
      page: MetricsPage.allocate(),
      edgeTypes: { ...this.#edgeTypes },
      checkpointing: this.#options.checkpointing,
      storage: undefined,
      restore:
        assignment === undefined
          ? undefined
          : {
              checkpointId: this.#options.restore!.metadata.checkpointId,
              state,
              finished: assignment.finished,
              committed: this.#options.restore!.committed ?? false,
            },
    }
  }

  #to(vertexId: string, subtask: number, message: ToSlotThread): void {
    this.#ports[this.#slots[vertexId]![subtask]!]!.post(message)
  }

  #toAll(message: ToSlotThread): void {
    for (const port of this.#ports) port.post(message)
  }

  #enumerator(vertexId: string): any {
    let known = this.#enumerators.get(vertexId)
    if (known === undefined) {
      const vertex = this.#graph.vertices.find((v) => v.id === vertexId)!
      const context: EnumeratorContext<any> = {
        parallelism: vertex.parallelism,
        readers: () => [],
        assign: (split, subtask) => this.#to(vertexId, subtask, { type: 'splits', vertexId, subtask, splits: [split] }),
        noMoreSplits: (subtask) => this.#to(vertexId, subtask, { type: 'noMoreSplits', vertexId, subtask }),
        noSplitsNow: (subtask) => this.#to(vertexId, subtask, { type: 'splits', vertexId, subtask, splits: [] }),
        sendEvent: () => {},
        callAsync: () => {},
        setIsProcessingBacklog: () => {},
      }
      const { source } = vertex.operators[0]!.node.spec.options
      const stored = this.#assignment?.coordinators[vertex.operators[0]!.operatorId]
      known = stored === undefined ? source.createEnumerator(context) : source.restoreEnumerator(context, stored)
      known.start()
      this.#enumerators.set(vertexId, known)
    }
    return known
  }

  #receive(message: FromSlotThread, port: { post(message: ToSlotThread): void }): void {
    switch (message.type) {
      case 'deployFailed':
        this.error = message.error
        this.#end()
        break
      case 'taskState': {
        const { vertexId, subtask, state } = message
        this.states.push(state)
        const isSource = this.#graph.vertices.find((v) => v.id === vertexId)!.inputs.length === 0
        if (state === 'RUNNING') this.#running.add(`${vertexId}/${subtask}`)
        else this.#running.delete(`${vertexId}/${subtask}`)
        if (state === 'RUNNING' && isSource) this.#enumerator(vertexId).addReader(subtask)
        for (const [name, value] of Object.entries(message.accumulators ?? {}))
          this.accumulators[name] = (this.accumulators[name] ?? 0) + value
        if (state === 'FAILED') {
          this.error ??= message.error!
          this.cancel()
        }
        if (['FINISHED', 'FAILED', 'CANCELED'].includes(state) && --this.#left === 0) this.#end()
        break
      }
      case 'dataEnded':
        if (--this.#withData === 0) this.#noData()
        break
      case 'checkpointAck': {
        const acks = this.#acks
        if (acks?.id !== message.checkpointId) break
        this.stats.push(message.stats)
        acks.snapshots.set(`${message.vertexId}/${message.subtask}`, message.snapshot)
        if (acks.snapshots.size === acks.wanted) acks.done()
        break
      }
      case 'checkpointDeclined':
        this.declined.push(message)
        break
      case 'splitRequest':
        this.#enumerator(message.vertexId).handleSplitRequest(message.subtask)
        break
      case 'proposeType':
        if (this.#edgeTypes[message.edgeId] !== undefined) break
        this.#edgeTypes[message.edgeId] = message.edgeType
        this.#toAll({ type: 'edgeType', edgeId: message.edgeId, edgeType: message.edgeType })
        break
      case 'collected':
        this.values.push(...message.values)
        port.post({
          type: 'collectAck',
          collectId: message.collectId,
          subtask: message.subtask,
          count: message.values.length,
        })
        break
    }
  }
}
