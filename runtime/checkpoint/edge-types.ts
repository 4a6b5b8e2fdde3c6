/**
 * Types that the writers of an edge had agreed on, in a checkpoint: the next job begins with them, so that records need no second agreement. Edges are named by the operators
 * at their ends, since their numbers belong to one plan.
 */
import type { TypeDescription } from '../core/types.ts'
import type { Plan, PlanEdge } from '../graph/model.ts'
import type { CheckpointMetadata } from './model.ts'

/** For `CheckpointMetadata.edgeTypes`; `byEdge` has the types by edge id. */
export function storedEdgeTypes(
  plan: Plan,
  byEdge: Readonly<Record<number, TypeDescription>>,
): CheckpointMetadata['edgeTypes'] {
  const stored: CheckpointMetadata['edgeTypes'] = {}
  for (const edge of plan.edges) {
    const type = byEdge[edge.id]
    if (type !== undefined) stored[edgeName(plan, edge)] = type
  }
  return stored
}

/** The inverse for the plan of the next job. An edge whose type the program declares keeps that. */
export function restoredEdgeTypes(metadata: CheckpointMetadata, plan: Plan): Record<number, TypeDescription> {
  const byEdge: Record<number, TypeDescription> = {}
  for (const edge of plan.edges) {
    const type = metadata.edgeTypes[edgeName(plan, edge)]
    if (type !== undefined && edge.type === null) byEdge[edge.id] = type
  }
  return byEdge
}

/** `from operator id / tag / to operator id`, and the input's number where an operator has several. */
function edgeName(plan: Plan, edge: PlanEdge): string {
  const from = plan.vertices.find((vertex) => vertex.id === edge.from)!.operators[edge.fromOperator]!
  const to = plan.vertices.find((vertex) => vertex.id === edge.to)!.operators[0]!
  return [from.operatorId, edge.tag ?? '', to.operatorId, ...(edge.inputIndex === 0 ? [] : [edge.inputIndex])].join('/')
}
