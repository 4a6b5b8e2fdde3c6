/**
 * Which subtasks of a restored job have nothing left to do [CC-04], so that they end at once.
 *
 * A vertex whose operators had all finished everywhere is finished, at any parallelism. Where only some subtasks had, a subtask stays finished when the parallelism is the
 * same and all that feeds it has finished, too: it has already pushed what its operators push at the end of their input, and would do so twice. Sources are all or nothing:
 * their enumerator knows no more which reader had finished, and gives splits to any.
 */
import { TailraceError } from '../core/errors.ts'
import type { Plan, PlanVertex } from '../graph/model.ts'
import { type PartitionerKind, sendersOf } from '../graph/partitioning.ts'
import type { CheckpointMetadata, OperatorMetadata } from './model.ts'
import { finishedPart } from './operator-state.ts'

/** By vertex id and subtask. Throws TR-CHECKPOINT-004 where records would come to an operator that has finished. */
export function restoredFinished(metadata: CheckpointMetadata, plan: Plan): Record<string, boolean[]> {
  const stored = new Map(metadata.operators.map((operator) => [operator.operatorId, operator]))
  const vertices = new Map(plan.vertices.map((vertex) => [vertex.id, vertex]))
  const refuse = (why: string) =>
    new TailraceError(
      'TR-CHECKPOINT-004',
      `Cannot restore the job "${plan.config.jobName}" from ${metadata.kind} ${metadata.checkpointId}: ${why}; what is new or has changed needs new uids from there to the sinks`,
    )
  const finished: Record<string, boolean[]> = {}
  // Each vertex comes after its inputs.
  for (const vertex of plan.vertices) {
    const operators = vertex.operators.map((operator) => stored.get(operator.operatorId))
    const whole = operators.map((operator) => operator !== undefined && finishedPart(operator) === 'all')
    if (whole.includes(true) && whole.includes(false)) {
      const [done, other] = [whole.indexOf(true), whole.indexOf(false)].map((i) => vertex.operators[i]!.name)
      throw refuse(`operator "${done}" had finished, and "${other}" in the same chain had not or is new`)
    }
    const isWhole = !whole.includes(false)
    const senders = plan.edges
      .filter((edge) => edge.to === vertex.id)
      .map((edge) => ({ from: vertices.get(edge.from)!, kind: edge.partitioner as PartitionerKind }))
    finished[vertex.id] = Array.from({ length: vertex.parallelism }, (_, subtask) => {
      if (!isWhole && !hadFinished(vertex, operators, subtask)) return false
      return senders.every(({ from, kind }) =>
        sendersOf(kind, from.parallelism, vertex.parallelism, subtask).every((sender) => finished[from.id]![sender]),
      )
    })
    if (isWhole && finished[vertex.id]!.includes(false)) {
      const open = senders.find(({ from }) => finished[from.id]!.includes(false))!.from.name
      throw refuse(
        `"${vertex.name}" had finished, and "${open}" before it had not or is new: its records would be lost`,
      )
    }
  }
  return finished
}

/** One subtask of a vertex of which others had not. */
function hadFinished(
  vertex: PlanVertex,
  operators: readonly (OperatorMetadata | undefined)[],
  subtask: number,
): boolean {
  if (vertex.isSource) return false
  return operators.every(
    (operator) => operator?.parallelism === vertex.parallelism && operator.finished[subtask] === true,
  )
}
