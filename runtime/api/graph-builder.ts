/**
 * The logical graph while the program builds it. Nodes added since the last execute are pending; a graph holds them and all that
 * they are fed by, also nodes of earlier jobs, so that a stream can be used again after execute.
 */
import { TailraceError } from '../core/errors.ts'
import type { Chaining, JobConfig, LogicalEdge, LogicalGraph, LogicalNode, Partitioner } from '../graph/model.ts'
import type { OperatorSpec } from '../graph/operator-spec.ts'

/** What a stream stands for: an output of a node, and how its consumer will read it. A union has several. */
export interface StreamInput {
  readonly node: LogicalNode
  /** Side output of the node; undefined is its main output. */
  readonly tag: string | undefined
  readonly partitioner: Partitioner
}

export interface NewNode {
  name: string
  spec: OperatorSpec
  inputs: readonly StreamInput[]
  /** Of the second input of an operator that has two. */
  secondInputs?: readonly StreamInput[]
  isSource?: boolean
  isSink?: boolean
  parallelism?: number
  chaining?: Chaining
  forceNonParallel?: boolean
}

/** `what` as in "Cannot connect streams of two environments". */
export function checkSameEnvironment(what: string, one: object, other: object): void {
  if (one === other) return
  throw new TailraceError('TR-GRAPH-004', `Cannot ${what} streams of two environments: build both on one`)
}

export class GraphBuilder {
  readonly #nodes = new Map<number, LogicalNode>()
  #pending: LogicalNode[] = []

  /** The id that {@link add} gives next. */
  get nextId(): number {
    return this.#nodes.size + 1
  }

  add(node: NewNode): LogicalNode {
    const edges = (inputs: readonly StreamInput[], inputIndex: number) =>
      inputs.map(({ node, tag, partitioner }): LogicalEdge => ({ from: node.id, tag, partitioner, inputIndex }))
    const added: LogicalNode = {
      id: this.nextId,
      spec: node.spec,
      isSource: node.isSource ?? false,
      isSink: node.isSink ?? false,
      inputs: [...edges(node.inputs, 0), ...edges(node.secondInputs ?? [], 1)],
      name: node.name,
      uid: undefined,
      description: undefined,
      parallelism: node.parallelism,
      maxParallelism: undefined,
      slotSharingGroup: undefined,
      chaining: node.chaining ?? 'always',
      bufferTimeoutMs: undefined,
      forceNonParallel: node.forceNonParallel ?? false,
      outputType: undefined,
    }
    this.#nodes.set(added.id, added)
    this.#pending.push(added)
    return added
  }

  /** The pending nodes and what feeds them, in the order of building. */
  build(config: JobConfig): LogicalGraph {
    const needed = new Set<number>()
    const need = (id: number): void => {
      if (needed.has(id)) return
      needed.add(id)
      for (const edge of this.#nodes.get(id)!.inputs) need(edge.from)
    }
    for (const node of this.#pending) need(node.id)
    const nodes = [...needed].sort((a, b) => a - b).map((id) => this.#nodes.get(id)!)
    return { nodes, config }
  }

  /** Execute has taken the graph. */
  clearPending(): void {
    this.#pending = []
  }
}
