/** Counts of task states, and one word for a vertex with many subtasks. */
import { EXECUTION_STATES, type ExecutionState } from '../rpc/views.ts'

export function countStates(states: readonly ExecutionState[]): Record<ExecutionState, number> {
  const counts = Object.fromEntries(EXECUTION_STATES.map((state) => [state, 0])) as Record<ExecutionState, number>
  for (const state of states) counts[state]++
  return counts
}

/** The worst state wins; a vertex is FINISHED when all of it is, and RUNNING once any of it has. As Flink's REST says it. */
export function vertexState(counts: Record<ExecutionState, number>): ExecutionState {
  for (const state of ['FAILED', 'CANCELING', 'CANCELED', 'INITIALIZING', 'RUNNING'] as const) {
    if (counts[state] > 0) return state
  }
  const total = EXECUTION_STATES.reduce((sum, state) => sum + counts[state], 0)
  if (counts.FINISHED > 0) return counts.FINISHED === total ? 'FINISHED' : 'RUNNING'
  for (const state of ['DEPLOYING', 'SCHEDULED', 'RECONCILING'] as const) if (counts[state] > 0) return state
  return 'CREATED'
}
