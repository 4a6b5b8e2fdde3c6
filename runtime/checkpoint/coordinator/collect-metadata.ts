/** Puts together what `_metadata` says of a checkpoint, from what tasks and enumerators gave. Pure. */
import type { TypeDescription } from '../../core/types.ts'
import type { Plan } from '../../graph/model.ts'
import { storedEdgeTypes } from '../edge-types.ts'
import type { CheckpointMetadata, OperatorSnapshot, SubtaskSnapshot } from '../model.ts'
import type { TaskPlace } from './checkpoint-plan.ts'
import type { PendingCheckpoint } from './pending-checkpoint.ts'

export interface CollectFacts {
  checkpoint: Pick<PendingCheckpoint, 'id' | 'barrier' | 'enumerators' | 'snapshots'>
  plan: Plan
  places: readonly TaskPlace[]
  jobId: string
  epoch: number
  edgeTypes: Readonly<Record<number, TypeDescription>>
  /** What tasks that have finished have left, by number; see {@link leftBy}. */
  left: ReadonlyMap<number, SubtaskSnapshot>
}

export function collectMetadata(facts: CollectFacts): CheckpointMetadata {
  const { checkpoint, plan, places, jobId, epoch, edgeTypes, left } = facts
  const byVertex = new Map<string, { finished: boolean; operators: Map<string, OperatorSnapshot> }[]>()
  for (const [task, { vertexId }] of places.entries()) {
    const snapshot = checkpoint.snapshots.get(task) ?? left.get(task)
    const subtasks = byVertex.get(vertexId) ?? []
    byVertex.set(vertexId, subtasks)
    subtasks.push({
      // A task that was not asked has finished.
      finished: snapshot?.finished ?? true,
      operators: new Map(snapshot?.operators.map((operator) => [operator.operatorId, operator])),
    })
  }
  return {
    formatVersion: 1,
    checkpointId: checkpoint.id,
    kind: checkpoint.barrier.kind,
    timestampMs: checkpoint.barrier.timestampMs,
    jobId,
    jobName: plan.config.jobName,
    // No store of a deployment knows a savepoint.
    epoch: checkpoint.barrier.kind === 'savepoint' ? 0 : epoch,
    edgeTypes: storedEdgeTypes(plan, edgeTypes),
    operators: plan.vertices.flatMap(({ id, operators, parallelism, maxParallelism }) => {
      const subtasks = byVertex.get(id)!
      return operators.map(({ operatorId, name, uid }) => {
        const coordinator = checkpoint.enumerators[operatorId]
        return {
          operatorId,
          name,
          uid,
          parallelism,
          maxParallelism,
          subtasks: subtasks.map((subtask) => subtask.operators.get(operatorId) ?? null),
          finished: subtasks.map((subtask) => subtask.finished),
          ...(coordinator === undefined ? {} : { coordinator }),
        }
      })
    }),
  }
}

/**
 * What later checkpoints still hold of a task that has finished, given the one that holds its end: its elements of union states, which every subtask wants all of
 * after a restore. All else is done with: rows belong to keys that get no more records, and what a sink had prepared is committed.
 */
export function leftBy({ operators }: SubtaskSnapshot): SubtaskSnapshot {
  return {
    finished: true,
    operators: operators.flatMap(({ operatorId, lists }) => {
      const unions = lists.filter(({ mode }) => mode === 'union')
      return unions.length === 0 ? [] : [{ operatorId, lists: unions }]
    }),
  }
}
