/**
 * Gives every node its effective settings and refuses graphs that cannot run. The first step of compile.ts; everything that a user
 * can get wrong in a graph is found here, with the operators' names and what to change.
 */
import { TailraceError } from '../core/errors.ts'
import { defaultMaxParallelism } from '../core/key-groups.ts'
import type { LogicalEdge, LogicalGraph, LogicalNode, Partitioner } from './model.ts'
import { resolvePartitioner } from './partitioning.ts'
import { checkBufferTimeout, checkMaxParallelism, checkParallelism, checkParallelismFits } from './settings.ts'

export interface ResolvedNode {
  readonly node: LogicalNode
  /** As shown: `Source: clicks`, `Sink: report`. */
  readonly name: string
  readonly parallelism: number
  readonly maxParallelism: number
  /** False where maxParallelism is the default for the parallelism. */
  readonly maxParallelismSet: boolean
  readonly slotSharingGroup: string
  readonly inputs: readonly ResolvedEdge[]
}

export interface ResolvedEdge {
  readonly from: ResolvedNode
  readonly edge: LogicalEdge
  /** Never `auto`. */
  readonly partitioner: Partitioner
  readonly bufferTimeoutMs: number
}

export const DEFAULT_SLOT_SHARING_GROUP = 'default'

/** Nodes by id, each after its inputs. Throws TR-GRAPH-…. */
export function resolveNodes(graph: LogicalGraph): Map<number, ResolvedNode> {
  checkSomethingToRun(graph)
  checkUids(graph)
  checkParallelism(graph.config.parallelism, 'the job')
  checkBufferTimeout(graph.config.bufferTimeoutMs, 'the job')
  if (graph.config.maxParallelism !== undefined) checkMaxParallelism(graph.config.maxParallelism, 'the job')
  const resolved = new Map<number, ResolvedNode>()
  for (const node of inOrder(graph.nodes)) resolved.set(node.id, resolveNode(graph, node, resolved))
  return resolved
}

function resolveNode(graph: LogicalGraph, node: LogicalNode, resolved: Map<number, ResolvedNode>): ResolvedNode {
  const who = `operator "${node.name}"`
  const parallelism = parallelismOf(graph, node)
  const maxParallelismSet = (node.maxParallelism ?? graph.config.maxParallelism) !== undefined
  const maxParallelism = node.maxParallelism ?? graph.config.maxParallelism ?? defaultMaxParallelism(parallelism)
  checkMaxParallelism(maxParallelism, who)
  checkParallelismFits(parallelism, maxParallelism, who)
  const inputs = node.inputs.map((edge): ResolvedEdge => {
    const from = resolved.get(edge.from)!
    const partitioner = resolvePartitioner(edge.partitioner, from.parallelism, parallelism)
    if (partitioner.kind === 'forward' && from.parallelism !== parallelism)
      throw unequalForward(from, node, parallelism)
    const bufferTimeoutMs = from.node.bufferTimeoutMs ?? graph.config.bufferTimeoutMs
    checkBufferTimeout(bufferTimeoutMs, `operator "${from.node.name}"`)
    return { from, edge, partitioner, bufferTimeoutMs }
  })
  return {
    node,
    name: displayName(node),
    parallelism,
    maxParallelism,
    maxParallelismSet,
    slotSharingGroup: node.slotSharingGroup ?? inheritedGroup(inputs),
    inputs,
  }
}

function parallelismOf(graph: LogicalGraph, node: LogicalNode): number {
  if (!node.forceNonParallel) {
    const parallelism = node.parallelism ?? graph.config.parallelism
    checkParallelism(parallelism, `operator "${node.name}"`)
    return parallelism
  }
  if (node.parallelism !== undefined && node.parallelism !== 1) {
    throw new TailraceError(
      'TR-GRAPH-005',
      `Cannot run operator "${node.name}" at parallelism ${node.parallelism}: it works on the whole stream in one place, so its parallelism is 1; remove setParallelism()`,
    )
  }
  return 1
}

/** The group of the inputs if they agree [RT-03]. */
function inheritedGroup(inputs: readonly ResolvedEdge[]): string {
  const groups = new Set(inputs.map((input) => input.from.slotSharingGroup))
  const [only] = groups
  return groups.size === 1 ? only! : DEFAULT_SLOT_SHARING_GROUP
}

function displayName(node: LogicalNode): string {
  if (node.isSource) return `Source: ${node.name}`
  return node.isSink ? `Sink: ${node.name}` : node.name
}

function unequalForward(from: ResolvedNode, to: LogicalNode, toParallelism: number): TailraceError {
  return new TailraceError(
    'TR-GRAPH-002',
    `Cannot forward from operator "${from.node.name}" to "${to.name}": their parallelism is ${from.parallelism} and ${toParallelism}, and forward() wants equal parallelism; set the same on both, or use rebalance() or rescale()`,
  )
}

function checkSomethingToRun(graph: LogicalGraph): void {
  if (graph.nodes.length === 0) {
    throw new TailraceError(
      'TR-GRAPH-003',
      `Cannot execute "${graph.config.jobName}": it has no operators; build a stream with fromSource() or fromData() and end it with sinkTo() or print() before execute()`,
    )
  }
  // No sink is needed: a function may count, or write somewhere by itself. But a source alone does nothing that anyone could see.
  if (graph.nodes.some((node) => !node.isSource)) return
  throw new TailraceError(
    'TR-GRAPH-003',
    `Cannot execute "${graph.config.jobName}": it has sources only, so nothing would be seen of it; end ${graph.nodes.map((node) => `"${node.name}"`).join(', ')} with sinkTo(), print() or executeAndCollect()`,
  )
}

function checkUids(graph: LogicalGraph): void {
  const byUid = new Map<string, LogicalNode>()
  for (const node of graph.nodes) {
    if (node.uid === undefined) {
      if (graph.config.autoGenerateUids) continue
      throw new TailraceError(
        'TR-GRAPH-007',
        `Cannot run operator "${node.name}" without a uid: pipeline.auto-generate-uids is false; give it one with .uid('…')`,
      )
    }
    const other = byUid.get(node.uid)
    if (other !== undefined) {
      throw new TailraceError(
        'TR-GRAPH-001',
        `Cannot use the uid "${node.uid}" for operator "${node.name}": operator "${other.name}" has it already; state is found again by uid, so give each its own`,
      )
    }
    byUid.set(node.uid, node)
  }
}

/** Every node after its inputs; otherwise in the order of building. */
function inOrder(nodes: readonly LogicalNode[]): LogicalNode[] {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const ordered = new Set<LogicalNode>()
  const add = (node: LogicalNode): void => {
    if (ordered.has(node)) return
    for (const edge of node.inputs) {
      const from = byId.get(edge.from)
      if (from === undefined) {
        throw new TailraceError(
          'TR-GRAPH-004',
          `Cannot run operator "${node.name}": its input belongs to another environment`,
        )
      }
      add(from)
    }
    ordered.add(node)
  }
  for (const node of nodes) add(node)
  return [...ordered]
}
