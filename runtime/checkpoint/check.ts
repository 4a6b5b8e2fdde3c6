/**
 * Whether a job can go on from a checkpoint, before anything starts: what each operator would get, and all that would stop it, not the first thing only. The same decisions as at a real start
 * (assign.ts). What it cannot know is what functions do with their state when they run: another kind or type under an old name is found when they ask for it.
 */
import { isTailraceError } from '../core/errors.ts'
import { planWithMaxParallelism } from '../graph/deployed-numbers.ts'
import { type AssignOptions, assignState, unionProblem } from './assign.ts'
import { describeCheckpoint, type OperatorDescription } from './describe.ts'
import { hasState, nameOfOperator } from './operator-state.ts'
import { describeMissing, mapOperators } from './restore-mapping.ts'
import { restoredFinished } from './restored-finished.ts'
import { restoredMaxParallelism } from './restored-max-parallelism.ts'

export interface RestoreCheck {
  fits: boolean
  /** Of the job in the order of its plan, then those that it does not have. */
  operators: CheckedOperator[]
  /** Texts of TR-CHECKPOINT-004. */
  problems: string[]
  warnings: string[]
}

export interface CheckedOperator {
  operatorId: string
  name: string
  uid: string | null
  /**
   * `restored`: goes on with its state. `known`: is in the checkpoint and has no state there. `new`: begins empty. `missing`: has state and is not in the job. `left behind`: the
   * same, and that is allowed.
   */
  outcome: 'restored' | 'known' | 'new' | 'missing' | 'left behind'
  /** In the checkpoint; null: it is not there. */
  stored: OperatorDescription | null
  /** In the job; null: it is not there. */
  planned: { parallelism: number; maxParallelism: number } | null
  /** All of its data is done with, so nothing of it runs. */
  finished: boolean
  /** An operator of the job that may be meant. */
  suggestion?: string
}

export function checkRestore({ metadata, plan, allowNonRestoredState }: AssignOptions): RestoreCheck {
  const { mapped, missing } = mapOperators(metadata, plan)
  const stored = new Map(describeCheckpoint(metadata).operators.map((operator) => [operator.operatorId, operator]))
  const problems: string[] = []
  if (missing.length > 0 && !allowNonRestoredState) problems.push(describeMissing(metadata, plan, missing))
  const changed: Record<string, number> = {}
  for (const vertex of plan.vertices) {
    const own = collect(problems, () => restoredMaxParallelism(metadata, { ...plan, vertices: [vertex] }))
    Object.assign(changed, own)
  }
  const finished = collect(problems, () => restoredFinished(metadata, plan)) ?? {}
  const union = unionProblem(
    metadata,
    mapped.map((one) => one.stored),
  )
  if (union !== undefined) problems.push(union)
  const final = planWithMaxParallelism(plan, changed)
  // Whatever the start would refuse is refused here, too.
  const assignment =
    problems.length > 0
      ? undefined
      : collect(problems, () => assignState({ metadata, plan: final, allowNonRestoredState }))
  const operators = [
    ...final.vertices.flatMap((vertex) =>
      vertex.operators.map(({ operatorId, name, uid }): CheckedOperator => {
        const known = mapped.find(({ operator }) => operator.operatorId === operatorId)
        return {
          operatorId,
          name,
          uid,
          outcome: known === undefined ? 'new' : hasState(known.stored) ? 'restored' : 'known',
          stored: stored.get(operatorId) ?? null,
          planned: { parallelism: vertex.parallelism, maxParallelism: vertex.maxParallelism },
          finished: finished[vertex.id]?.every((done) => done) ?? false,
        }
      }),
    ),
    ...missing.map(
      ({ stored: { operatorId, name, uid }, suggestion }): CheckedOperator => ({
        operatorId,
        name,
        uid,
        outcome: allowNonRestoredState ? 'left behind' : 'missing',
        stored: stored.get(operatorId)!,
        planned: null,
        finished: false,
        ...(suggestion === undefined ? {} : { suggestion: nameOfOperator(suggestion) }),
      }),
    ),
  ]
  const warnings = [...(assignment?.warnings ?? []), ...withoutUid(operators)]
  return { fits: problems.length === 0, operators, problems, warnings }
}

/** Their state was found by their place in the graph, which the next edit may change. */
function withoutUid(operators: readonly CheckedOperator[]): string[] {
  return operators
    .filter(({ outcome, uid }) => outcome === 'restored' && uid === null)
    .map(
      ({ name }) =>
        `Operator "${name}" has state and no uid: it is found by its place in the graph, which an edit may change`,
    )
}

function collect<T>(problems: string[], decide: () => T): T | undefined {
  try {
    return decide()
  } catch (error) {
    if (!isTailraceError(error) || error.code !== 'TR-CHECKPOINT-004') throw error
    problems.push(error.message)
    return undefined
  }
}
