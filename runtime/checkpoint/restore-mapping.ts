/**
 * Which operator of a job goes on with which state of a checkpoint: by operator id, so by uid where there is one. `tailrace check` shows the mapping, and
 * `assignState` (assign.ts) stands on it.
 */
import { nearest } from '../core/nearest.ts'
import type { Plan, PlanOperator, PlanVertex } from '../graph/model.ts'
import type { CheckpointMetadata, OperatorMetadata } from './model.ts'
import { hasState, nameOfOperator } from './operator-state.ts'

export interface RestoreMapping {
  /** Operators of the job that the checkpoint knows, in the order of the plan. */
  mapped: { operator: PlanOperator; vertex: PlanVertex; stored: OperatorMetadata }[]
  /** Operators of the job that it does not know: they begin empty. */
  added: { operator: PlanOperator; vertex: PlanVertex }[]
  /** Operators with state that the job does not have. */
  missing: MissingOperator[]
}

export interface MissingOperator {
  stored: OperatorMetadata
  /** An operator of the job that may be meant: its uid is alike, or it has the same name and came without state. */
  suggestion: PlanOperator | undefined
}

export function mapOperators(metadata: CheckpointMetadata, plan: Plan): RestoreMapping {
  const byId = new Map(metadata.operators.map((stored) => [stored.operatorId, stored]))
  const mapped: RestoreMapping['mapped'] = []
  const added: RestoreMapping['added'] = []
  for (const vertex of plan.vertices) {
    for (const operator of vertex.operators) {
      const stored = byId.get(operator.operatorId)
      byId.delete(operator.operatorId)
      if (stored === undefined) added.push({ operator, vertex })
      else mapped.push({ operator, vertex, stored })
    }
  }
  const free = added.map(({ operator }) => operator)
  const missing = [...byId.values()]
    .filter(hasState)
    .map((stored) => ({ stored, suggestion: suggestionFor(stored, free) }))
  return { mapped, added, missing }
}

function suggestionFor(stored: OperatorMetadata, free: readonly PlanOperator[]): PlanOperator | undefined {
  const { uid, name } = stored
  if (uid !== null) {
    const like = nearest(
      uid,
      free.flatMap((operator) => operator.uid ?? []),
    )
    if (like !== undefined) return free.find((operator) => operator.uid === like)
  }
  return free.find((operator) => operator.name === name)
}

/**
 * Text for state that no operator takes; the whole list, since a user who fixes one wants to know of the next.
 *
 * @example
 * // Cannot restore the job "clicks" from savepoint 7: it has state of 1 operator that the job does not have:
 * //   "count" (uid "count-v1"): did you mean "count" (uid "count-v2")?
 */
export function describeMissing(metadata: CheckpointMetadata, plan: Plan, missing: readonly MissingOperator[]): string {
  const operators = missing.length === 1 ? '1 operator' : `${missing.length} operators`
  return [
    `Cannot restore the job "${plan.config.jobName}" from ${metadata.kind} ${metadata.checkpointId}: it has state of ${operators} that the job does not have:`,
    ...missing.map(({ stored, suggestion }) => {
      const hint = suggestion === undefined ? '' : `: did you mean ${nameOfOperator(suggestion)}?`
      return `  ${nameOfOperator(stored)}${hint}`
    }),
    'Give the operators the uid of their state, or leave that state behind with execution.state-recovery.ignore-unclaimed-state: true (--allow-non-restored-state)',
  ].join('\n')
}
