/**
 * Logical graph → job graph: which operators run in one task, and which edges leave it.
 *
 * Algorithm: resolve settings (resolve.ts); decide for each edge whether it is chained [RT-02]; every operator without a chained
 * input heads a vertex, and the operators reached from it over chained edges are its chain, a tree in depth-first order. A node
 * with several consumers chains to each that qualifies. Pure: the same graph gives the same result in every thread.
 */

import { JOB } from '../config/options/job.ts'
import type { ChainedOperator, JobEdge, JobGraph, JobVertex, LogicalGraph } from './model.ts'
import { operatorIds } from './operator-ids.ts'
import { type ResolvedEdge, type ResolvedNode, resolveNodes } from './resolve.ts'

const DIFFERENT_MAX_PARALLELISM = JOB.chainDifferentMaxParallelism.key

/** Throws TailraceError TR-GRAPH-… when the graph cannot run. */
export function compileJobGraph(graph: LogicalGraph): JobGraph {
  const nodes = [...resolveNodes(graph).values()]
  const ids = operatorIds(nodes.map((n) => n.node))
  const chainedTo = chainedConsumers(nodes, graph)
  const chained = new Set([...chainedTo.values()].flat().map((link) => link.to))

  const vertices = nodes
    .filter((node) => !chained.has(node))
    .map((head) => new VertexUnderWay(head, collectChain(head, chainedTo, ids)))
  const place = new Map<ResolvedNode, { vertex: VertexUnderWay; index: number }>()
  for (const vertex of vertices) {
    for (const [index, node] of vertex.members.entries()) place.set(node, { vertex, index })
  }

  const edges: JobEdge[] = []
  for (const vertex of vertices) {
    for (const input of vertex.head.inputs) {
      const { vertex: from, index } = place.get(input.from)!
      const edge: JobEdge = {
        id: edges.length,
        from: from.vertex.id,
        fromOperator: index,
        tag: input.edge.tag,
        to: vertex.vertex.id,
        inputIndex: input.edge.inputIndex,
        partitioner: input.partitioner,
        bufferTimeoutMs: input.bufferTimeoutMs,
        // A declared type is that of the main output.
        type: input.edge.tag === undefined ? input.from.node.outputType : undefined,
      }
      edges.push(edge)
      vertex.inputs.push(edge)
      from.outputs.push(edge)
    }
  }
  return { config: graph.config, vertices: sourcesFirst(vertices.map((v) => v.vertex)), edges }
}

interface Link {
  readonly to: ResolvedNode
  readonly tag: string | undefined
}

function chainedConsumers(nodes: readonly ResolvedNode[], graph: LogicalGraph): Map<ResolvedNode, Link[]> {
  const differentMax = graph.config.options[DIFFERENT_MAX_PARALLELISM] !== 'false'
  const consumers = new Map<ResolvedNode, Link[]>()
  for (const to of nodes) {
    const [input] = to.inputs
    if (input === undefined || to.inputs.length > 1) continue
    if (!graph.config.chaining || !isChainable(input, to, differentMax)) continue
    const links = consumers.get(input.from) ?? []
    links.push({ to, tag: input.edge.tag })
    consumers.set(input.from, links)
  }
  return consumers
}

function isChainable({ from, partitioner }: ResolvedEdge, to: ResolvedNode, differentMax: boolean): boolean {
  const strategyAllows =
    to.node.chaining === 'always' || (to.node.chaining === 'head-with-sources' && from.node.isSource)
  return (
    partitioner.kind === 'forward' &&
    from.parallelism === to.parallelism &&
    from.slotSharingGroup === to.slotSharingGroup &&
    from.node.chaining !== 'never' &&
    strategyAllows &&
    (differentMax || from.maxParallelism === to.maxParallelism)
  )
}

/** The chain in depth-first order, consumers in the order of building. */
function collectChain(
  head: ResolvedNode,
  chainedTo: Map<ResolvedNode, Link[]>,
  ids: Map<number, string>,
): { node: ResolvedNode; operator: ChainedOperator }[] {
  const chain: { node: ResolvedNode; operator: ChainedOperator }[] = []
  const add = (node: ResolvedNode, parent: number, tag: string | undefined): void => {
    const index = chain.length
    const operatorId = ids.get(node.node.id)!
    chain.push({ node, operator: { operatorId, node: node.node, name: node.name, parent, tag } })
    for (const link of chainedTo.get(node) ?? []) add(link.to, index, link.tag)
  }
  add(head, -1, undefined)
  return chain
}

/** A vertex whose edges are still being added. */
class VertexUnderWay {
  readonly head: ResolvedNode
  readonly members: readonly ResolvedNode[]
  readonly inputs: JobEdge[] = []
  readonly outputs: JobEdge[] = []
  readonly vertex: JobVertex

  constructor(head: ResolvedNode, chain: { node: ResolvedNode; operator: ChainedOperator }[]) {
    this.head = head
    this.members = chain.map((c) => c.node)
    const operators = chain.map((c) => c.operator)
    this.vertex = {
      id: operators[0]!.operatorId,
      name: vertexName(operators),
      parallelism: head.parallelism,
      // The head's: behind keyBy it alone owns key groups.
      maxParallelism: head.maxParallelism,
      maxParallelismSet: head.maxParallelismSet,
      slotSharingGroup: head.slotSharingGroup,
      operators,
      inputs: this.inputs,
      outputs: this.outputs,
    }
  }
}

/** `a -> b -> c`; where the chain forks, `a -> (b -> c, d)`. */
function vertexName(operators: readonly ChainedOperator[]): string {
  const nameFrom = (index: number): string => {
    const children = operators.flatMap((o, i) => (o.parent === index ? [nameFrom(i)] : []))
    const name = operators[index]!.name
    if (children.length === 0) return name
    return `${name} -> ${children.length === 1 ? children[0] : `(${children.join(', ')})`}`
  }
  return nameFrom(0)
}

/** Already each after its inputs; sources keep their order and come first. */
function sourcesFirst(vertices: JobVertex[]): JobVertex[] {
  const isSource = (v: JobVertex) => v.inputs.length === 0
  return [...vertices.filter(isSource), ...vertices.filter((v) => !isSource(v))]
}
