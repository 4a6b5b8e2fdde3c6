/**
 * Deals the state of a checkpoint out to the subtasks of a job that goes on from it: the job may have another parallelism, other chains, new operators, and, where it is
 * allowed, fewer. Pure: facts in, an assignment or TR-CHECKPOINT-004 out; bytes stay in their files.
 *
 * In order: operators are mapped by id (restore-mapping.ts), key groups and finished subtasks are checked (restored-max-parallelism.ts, restored-finished.ts), and what is
 * left is arithmetic (redistribute.ts).
 */
import { TailraceError } from '../core/errors.ts'
import type { TypeDescription } from '../core/types.ts'
import type { Plan } from '../graph/model.ts'
import { restoredEdgeTypes } from './edge-types.ts'
import type { CheckpointMetadata, OperatorMetadata, OperatorRestore, SubtaskRestore } from './model.ts'
import { hasKeyedState, nameOfOperator, partOfUnion } from './operator-state.ts'
import { dealKeyed, dealLists } from './redistribute.ts'
import { describeMissing, mapOperators } from './restore-mapping.ts'
import { restoredFinished } from './restored-finished.ts'
import { maxParallelismProblem } from './restored-max-parallelism.ts'

export interface AssignOptions {
  metadata: CheckpointMetadata
  /** Final: with the max parallelism that `restoredMaxParallelism` wants. */
  plan: Plan
  /** State without an operator is left behind. */
  allowNonRestoredState: boolean
}

export interface Assignment {
  /**
   * `restores[vertexId][subtask]`. An operator that the checkpoint knows is in the restore of each of its subtasks, with nothing where there is nothing for it; new
   * operators are in none.
   */
  restores: Record<string, SubtaskRestore[]>
  /** Subtasks that have nothing left to do. Their state is in `restores` all the same: a sink may have to commit what it had prepared. */
  finished: { vertexId: string; subtask: number }[]
  /** States of source enumerators by operator id. */
  coordinators: Record<string, unknown>
  /** Types agreed before, by edge id. */
  edgeTypes: Record<number, TypeDescription>
  /** For the log: what was left behind, what begins empty. */
  warnings: string[]
}

export function assignState({ metadata, plan, allowNonRestoredState }: AssignOptions): Assignment {
  const { mapped, missing } = mapOperators(metadata, plan)
  const warnings: string[] = []
  if (missing.length > 0) {
    if (!allowNonRestoredState) throw new TailraceError('TR-CHECKPOINT-004', describeMissing(metadata, plan, missing))
    for (const { stored } of missing)
      warnings.push(
        `State of operator ${nameOfOperator(stored)} in ${metadata.kind} ${metadata.checkpointId} was left behind: the job has no such operator`,
      )
  }
  const union = unionProblem(
    metadata,
    mapped.map(({ stored }) => stored),
  )
  if (union !== undefined) throw new TailraceError('TR-CHECKPOINT-004', union)
  const finished = restoredFinished(metadata, plan)
  const storedOf = new Map(mapped.map(({ operator, stored }) => [operator.operatorId, stored]))
  const restores: Assignment['restores'] = {}
  const coordinators: Assignment['coordinators'] = {}
  for (const vertex of plan.vertices) {
    const dealt: OperatorRestore[][] = []
    for (const { operatorId } of vertex.operators) {
      const stored = storedOf.get(operatorId)
      if (stored === undefined) continue
      checkKeyGroups(stored, vertex)
      if (stored.coordinator !== undefined) coordinators[operatorId] = stored.coordinator
      dealt.push(dealOperator(stored, vertex.parallelism, finished[vertex.id]!))
    }
    restores[vertex.id] = Array.from({ length: vertex.parallelism }, (_, subtask) => ({
      operators: dealt.map((bySubtask) => bySubtask[subtask]!),
    }))
  }
  return {
    restores,
    finished: plan.vertices.flatMap(({ id }) =>
      finished[id]!.flatMap((done, subtask) => (done ? [{ vertexId: id, subtask }] : [])),
    ),
    coordinators,
    edgeTypes: restoredEdgeTypes(metadata, plan),
    warnings,
  }
}

function dealOperator(stored: OperatorMetadata, parallelism: number, finished: readonly boolean[]): OperatorRestore[] {
  const { operatorId, maxParallelism, subtasks } = stored
  const keyed = dealKeyed(subtasks, maxParallelism, parallelism)
  const lists = dealLists(subtasks, parallelism)
  return keyed.map((snapshots, subtask) => ({
    operatorId,
    keyed: snapshots,
    lists: lists[subtask]!,
    finished: finished[subtask]!,
  }))
}

function checkKeyGroups(stored: OperatorMetadata, vertex: Plan['vertices'][number]): void {
  if (!hasKeyedState(stored)) return
  // A default that differs is the coordinator's to change before; set or not, rows would come to the wrong subtasks.
  const problem = maxParallelismProblem({ ...vertex, maxParallelismSet: true }, stored)
  if (problem !== undefined) throw new TailraceError('TR-CHECKPOINT-004', problem)
}

/** Why a union state cannot be given to anyone, for a message; undefined when each can. */
export function unionProblem(
  { kind, checkpointId }: CheckpointMetadata,
  operators: readonly OperatorMetadata[],
): string | undefined {
  const part = partOfUnion(operators)
  if (part === undefined) return undefined
  return `Cannot restore operator ${nameOfOperator(part.operator)} from ${kind} ${checkpointId}: some of its subtasks had finished, so its union state "${part.state}" is not whole; use a checkpoint from before or after`
}
