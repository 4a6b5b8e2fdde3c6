/**
 * Other numbers than the program's: a job runs with the parallelism that its slots allow, and takes over the numbers of key groups that its keyed state has [KG-03]. The
 * JobManager changes the plan after the program built it, so every slot that builds the graph again changes it in the same way.
 */
import type { JobGraph, Plan, PlanVertex } from './model.ts'

/**
 * `byVertex` has the vertices that change, by id. The hash stays that of what the program built: slots compare it before they do the same.
 *
 * @example
 * planWithParallelism(plan, { [vertexId]: 4 })
 */
export function planWithParallelism(plan: Plan, byVertex: Readonly<Record<string, number>>): Plan {
  return planWith(plan, (vertex) => ({ ...vertex, parallelism: byVertex[vertex.id] ?? vertex.parallelism }))
}

/** Likewise. */
export function planWithMaxParallelism(plan: Plan, byVertex: Readonly<Record<string, number>>): Plan {
  return planWith(plan, (vertex) => ({ ...vertex, maxParallelism: byVertex[vertex.id] ?? vertex.maxParallelism }))
}

function planWith(plan: Plan, change: (vertex: PlanVertex) => PlanVertex): Plan {
  return { ...plan, vertices: plan.vertices.map(change) }
}

/** The graph with the numbers of the plan that is deployed; `plan` and `graph` have one hash. */
export function graphWithNumbers(graph: JobGraph, plan: Pick<Plan, 'vertices'>): JobGraph {
  const byId = new Map(plan.vertices.map((vertex) => [vertex.id, vertex]))
  return {
    ...graph,
    vertices: graph.vertices.map((vertex) => {
      const { parallelism, maxParallelism } = byId.get(vertex.id) ?? vertex
      return { ...vertex, parallelism, maxParallelism }
    }),
  }
}
