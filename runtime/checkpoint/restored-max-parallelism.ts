/**
 * How many key groups each vertex of a restored job has [KG-03]: what its keyed state was cut into. Asked before the plan is final; the coordinator puts the
 * answer into it with `planWithMaxParallelism` (graph/deployed-numbers.ts).
 */
import { TailraceError } from '../core/errors.ts'
import type { Plan, PlanVertex } from '../graph/model.ts'
import type { CheckpointMetadata, OperatorMetadata } from './model.ts'
import { hasKeyedState, nameOfOperator } from './operator-state.ts'

/**
 * Vertices that need another number than the plan has, by id. Throws TR-CHECKPOINT-004 where the program sets another number than the state has, or runs
 * more subtasks than there are key groups.
 */
export function restoredMaxParallelism(metadata: CheckpointMetadata, plan: Plan): Record<string, number> {
  const stored = new Map(metadata.operators.map((operator) => [operator.operatorId, operator]))
  const changed: Record<string, number> = {}
  for (const vertex of plan.vertices) {
    const keyed = vertex.operators.flatMap(({ operatorId }) => stored.get(operatorId) ?? []).filter(hasKeyedState)
    const [first] = keyed
    if (first === undefined) continue
    const other = keyed.find(({ maxParallelism }) => maxParallelism !== first.maxParallelism)
    const problem =
      other === undefined
        ? maxParallelismProblem(vertex, first)
        : `Cannot restore operators ${nameOfOperator(first)} and ${nameOfOperator(other)} in one chain: their states have ${first.maxParallelism} and ${other.maxParallelism} key groups; take the chain apart with startNewChain() or disableChaining()`
    if (problem !== undefined) throw new TailraceError('TR-CHECKPOINT-004', problem)
    if (first.maxParallelism !== vertex.maxParallelism) changed[vertex.id] = first.maxParallelism
  }
  return changed
}

/** Why the vertex cannot take the operator's key groups, for a message; undefined when it can. */
export function maxParallelismProblem(vertex: PlanVertex, operator: OperatorMetadata): string | undefined {
  const { maxParallelism } = operator
  const who = `operator ${nameOfOperator(operator)}`
  const state = `its state has ${maxParallelism} key groups, which cannot change`
  if (vertex.parallelism > maxParallelism)
    return `Cannot restore ${who} at parallelism ${vertex.parallelism}: ${state}; run it at ${maxParallelism} or less`
  if (vertex.maxParallelismSet && vertex.maxParallelism !== maxParallelism)
    return `Cannot restore ${who} with max parallelism ${vertex.maxParallelism}: ${state}; set it to ${maxParallelism}, or leave setMaxParallelism() and pipeline.max-parallelism out`
  return undefined
}
