/**
 * Other numbers of key groups than the program's: a job that goes on from a checkpoint takes over what its keyed state has [KG-03]. The coordinator changes the plan
 * after the program built it, so every slot that builds the graph again changes it in the same way.
 */
import type { JobGraph, Plan } from './model.ts'

/** `byVertex` has the vertices that change. The hash stays that of what the program built: slots compare it before they do the same. */
export function planWithMaxParallelism(plan: Plan, byVertex: Readonly<Record<string, number>>): Plan {
  return {
    ...plan,
    vertices: plan.vertices.map((vertex) => ({
      ...vertex,
      maxParallelism: byVertex[vertex.id] ?? vertex.maxParallelism,
    })),
  }
}

/** The graph with the numbers of the plan that is deployed; `plan` and `graph` have one hash. */
export function graphWithMaxParallelism(graph: JobGraph, plan: Plan): JobGraph {
  const byVertex = new Map(plan.vertices.map((vertex) => [vertex.id, vertex.maxParallelism]))
  return {
    ...graph,
    vertices: graph.vertices.map((vertex) => ({
      ...vertex,
      maxParallelism: byVertex.get(vertex.id) ?? vertex.maxParallelism,
    })),
  }
}
