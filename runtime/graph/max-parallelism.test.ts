import { expect, test } from 'vitest'
import { StreamExecutionEnvironment } from '../api/environment.ts'
import { compileJobGraph } from './compile.ts'
import { graphWithMaxParallelism, planWithMaxParallelism } from './max-parallelism.ts'
import { buildPlan } from './plan.ts'

test('a changed max parallelism comes to the graphs of slots, which know the plan by its hash', () => {
  const env = new StreamExecutionEnvironment(undefined)
  env
    .fromSequence(1, 2)
    .keyBy((n) => n)
    .sum()
    .print()
  const graph = compileJobGraph(env.getStreamGraph('sums'))
  const plan = buildPlan(graph)
  const changed = planWithMaxParallelism(plan, { [plan.vertices[1]!.id]: 512 })
  expect([plan, changed].map((p) => p.vertices.map((v) => v.maxParallelism))).toEqual([
    [128, 128],
    [128, 512],
  ])
  expect(changed.hash).toBe(plan.hash)
  const deployed = graphWithMaxParallelism(graph, changed)
  expect(deployed.vertices.map((v) => v.maxParallelism)).toEqual([128, 512])
  expect(deployed.vertices[1]!.inputs).toBe(graph.vertices[1]!.inputs)
})
