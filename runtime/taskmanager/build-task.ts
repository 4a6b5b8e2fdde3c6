/**
 * Makes one task of a deployment: its channels from the wiring, its writers and gate, its chain.
 */

import type { StateHandle } from '../checkpoint/model.ts'
import { BatchReader } from '../codec/batch-reader.ts'
import { extendMsgpack } from '../codec/msgpack.ts'
import type { Clock } from '../core/clock.ts'
import { assert } from '../core/errors.ts'
import type { CopyNumbers } from '../core/hot-copy.ts'
import { keyGroupRange } from '../core/key-groups.ts'
import type { TypeDescription } from '../core/types.ts'
import type { JobEdge, JobGraph, JobVertex } from '../graph/model.ts'
import { channelsOf, sendersOf } from '../graph/partitioning.ts'
import type { MetricsPage } from '../metrics/page.ts'
import { BarrierAligner } from '../network/barrier-aligner.ts'
import { BufferPool } from '../network/buffer-pool.ts'
import { ChannelReader, ChannelWriter } from '../network/channel.ts'
import { Doorbell } from '../network/doorbell.ts'
import { type InputChannel, InputGate } from '../network/input-gate.ts'
import { InputValves } from '../network/input-valves.ts'
import { Overflow } from '../network/overflow.ts'
import { RecordWriter } from '../network/record-writer.ts'
import { channelKey, type SlotLinks } from '../network/remote/slot-links.ts'
import type { Selector } from '../network/select-channel.ts'
import { exchangeSettings } from '../network/settings.ts'
import { committerSettings } from '../operators/committer-settings.ts'
import { isTwoInput } from '../operators/two-input.ts'
import type { FromSlotThread, SlotDeployment, SubtaskRef } from '../rpc/slot-messages.ts'
import { buildChain } from './chain.ts'
import type { ChunkBuffers } from './chunk-buffers.ts'
import { RestoredOperator } from './restored-state.ts'
import type { StateReads } from './state-reads.ts'
import { Task } from './task.ts'
import type { TaskRestore } from './task-options.ts'

export interface TaskSurroundings {
  graph: JobGraph
  deployment: SlotDeployment
  /** To slots of other processes. */
  links: SlotLinks | undefined
  clock: Clock
  /** From 0 to 1. */
  random: () => number
  copies: CopyNumbers
  page: MetricsPage
  buffers: ChunkBuffers
  reads: StateReads
  post(message: FromSlotThread, transfer?: ArrayBuffer[]): void
  wakeSlot(): void
}

/** A task and the readers of its input, by edge: a type that is agreed later goes to both. */
export interface BuiltTask {
  task: Task
  readers: Map<number, BatchReader>
}

export async function buildTask({ vertexId, subtask }: SubtaskRef, surroundings: TaskSurroundings): Promise<BuiltTask> {
  const { graph, deployment, links, clock, copies, page, buffers, post, wakeSlot } = surroundings
  const { checkpointing } = deployment
  const vertex = graph.vertices.find((v) => v.id === vertexId)
  assert(vertex !== undefined, `no vertex ${vertexId} in the plan`)
  extendMsgpack()
  const overflow = new Overflow(exchangeSettings(graph.config.options).overflow)
  const writers = vertex.outputs.map((edge) => buildWriter(edge, vertex, subtask, surroundings, overflow))
  const { autoWatermarkIntervalMs, options } = graph.config
  const committer = committerSettings(options)
  const chain = await buildChain(vertex, writers, { autoWatermarkIntervalMs, committer, copies })
  const readers = new Map<number, BatchReader>()
  const channels: InputChannel[] = []
  const gateMemory = deployment.wiring.gates[vertexId]![subtask]!
  const pool = new BufferPool(deployment.wiring.pools[deployment.slotIndex]!)
  const head = Task.headOf(chain)
  const inputs = isTwoInput(head) ? [head.input(0), head.input(1)] : [head]
  const inputOf: number[] = []
  for (const edge of vertex.inputs) {
    const from = graph.vertices.find((v) => v.id === edge.from)!
    const input = inputs[edge.inputIndex]!
    const reader = new BatchReader(input, edge.partitioner.kind === 'key', deployment.edgeTypes[edge.id] ?? edge.type)
    readers.set(edge.id, reader)
    for (const sender of sendersOf(edge.partitioner.kind, from.parallelism, vertex.parallelism, subtask)) {
      const slot = deployment.places[from.id]![sender]!
      const bell = deployment.wiring.doorbells[slot]
      const channel =
        bell !== undefined
          ? new ChannelReader(gateMemory, channels.length, pool, new Doorbell(bell))
          : remote(links, deployment, slot).input(slot, channelKey(edge.id, sender, subtask))
      channels.push({ channel, reader, fragments: undefined, dataEnded: false, ended: false })
      inputOf.push(edge.inputIndex)
    }
  }
  let task: Task | undefined
  const showWatermark = (timestampMs: number) => task!.inputWatermark(timestampMs)
  if (isTwoInput(head)) head.combinedTo = showWatermark
  const valves = new InputValves(inputOf, {
    watermark: (input, timestampMs) =>
      isTwoInput(head) ? head.inputWatermark(input, timestampMs) : showWatermark(timestampMs),
    status: (input, idle) => inputs[input]!.status(idle),
    end: (input) => {
      if (isTwoInput(head)) head.endInput(input)
    },
  })
  // Also without periodic checkpoints: somebody may ask for a savepoint.
  const aligner =
    channels.length === 0
      ? undefined
      : new BarrierAligner(channels.length, checkpointing?.exactlyOnce ?? true, clock, {
          aligned: (barrier, alignmentMs, startDelayMs) => task!.checkpoints.take(barrier, alignmentMs, startDelayMs),
          overtaken: (checkpointId) => post({ type: 'checkpointDeclined', vertexId, subtask, checkpointId }),
        })
  const gate = vertex.inputs.length === 0 ? undefined : new InputGate(channels, valves, aligner)
  const parameters = graph.config.parameters
  task = new Task({
    vertex,
    subtask,
    attempt: deployment.attempt,
    clock,
    parameters,
    chain,
    writers,
    gate,
    overflow,
    page,
    checkpointing: checkpointing !== undefined,
    checkpointTimes: checkpointing?.times,
    ownerEpoch: deployment.storage?.epoch,
    buffers,
    restored: restoreOf(vertex, subtask, surroundings),
    aligner,
    post,
    wakeSlot,
  })
  return { task, readers }
}

function restoreOf(
  vertex: JobVertex,
  subtask: number,
  { deployment, reads }: TaskSurroundings,
): TaskRestore | undefined {
  const { restore } = deployment
  if (restore === undefined) return undefined
  const { maxParallelism, parallelism } = vertex
  const range = keyGroupRange(maxParallelism, parallelism, subtask)
  const { checkpointId, committed = false } = restore
  const read = (handle: StateHandle) => reads.read(handle)
  const operators = restore.state[vertex.id]?.[subtask]?.operators ?? []
  return {
    finished: restore.finished.some((ended) => ended.vertexId === vertex.id && ended.subtask === subtask),
    states: new Map(
      operators.map((operator) => [
        operator.operatorId,
        new RestoredOperator({ checkpointId, committed, restore: operator, range, maxParallelism, read }),
      ]),
    ),
  }
}

/** The links to a slot of another process. */
function remote(links: SlotLinks | undefined, { jobId, slots }: SlotDeployment, slot: number): SlotLinks {
  assert(
    links !== undefined && slots[slot]?.data !== undefined,
    `slot ${slot} of job ${jobId} is in another process, and has no data port`,
  )
  return links
}

/** Index in the gate of `to`'s subtask of the channel from `subtask` over `edge`: edges in order, senders in order. */
function channelIndex(graph: JobGraph, edge: JobEdge, subtask: number, target: number): number {
  const to = graph.vertices.find((v) => v.id === edge.to)!
  let index = 0
  for (const input of to.inputs) {
    const from = graph.vertices.find((v) => v.id === input.from)!
    const senders = sendersOf(input.partitioner.kind, from.parallelism, to.parallelism, target)
    if (input.id === edge.id) return index + senders.indexOf(subtask)
    index += senders.length
  }
  throw new Error('an edge is missing from its receiver')
}

function buildWriter(
  edge: JobEdge,
  vertex: JobVertex,
  subtask: number,
  surroundings: TaskSurroundings,
  overflow: Overflow,
): RecordWriter {
  const { graph, deployment, links, post, random } = surroundings
  const { places, wiring } = deployment
  const to = graph.vertices.find((v) => v.id === edge.to)!
  const targets = channelsOf(edge.partitioner.kind, vertex.parallelism, to.parallelism, subtask)
  const channels = targets.map((target) => {
    const slot = places[edge.to]![target]!
    const index = channelIndex(graph, edge, subtask, target)
    const gate = wiring.gates[edge.to]![target]
    if (gate === undefined) return remote(links, deployment, slot).output(slot, channelKey(edge.id, subtask, target))
    return new ChannelWriter(gate, index, new BufferPool(wiring.pools[slot]!), new Doorbell(wiring.doorbells[slot]!))
  })
  const type: TypeDescription | undefined = deployment.edgeTypes[edge.id] ?? edge.type
  return new RecordWriter({
    edgeId: edge.id,
    epoch: deployment.attempt,
    channels,
    selector: selectorOf(edge, to.maxParallelism, random),
    random,
    overflow,
    type,
    proposeType: (edgeId, edgeType) => post({ type: 'proposeType', edgeId, edgeType }),
    bufferTimeoutMs: edge.bufferTimeoutMs,
    operatorName: vertex.operators[edge.fromOperator]!.name,
    recordsMax: exchangeSettings(graph.config.options).recordsMax,
  })
}

function selectorOf(edge: JobEdge, maxParallelism: number, random: () => number): Selector {
  const partitioner = edge.partitioner
  switch (partitioner.kind) {
    case 'key':
      return { kind: 'key', keyOf: partitioner.keyOf, maxParallelism }
    case 'custom':
      return { kind: 'custom', keyOf: partitioner.keyOf, partition: partitioner.partition }
    case 'shuffle':
      return { kind: 'shuffle', random }
    case 'auto':
      throw new Error('auto is resolved when the job graph is made')
    default:
      return { kind: partitioner.kind }
  }
}
