import { expect, test } from 'vitest'
import { StreamExecutionEnvironment } from '../api/environment.ts'
import { compileJobGraph } from './compile.ts'
import { graphWithNumbers, planWithMaxParallelism, planWithParallelism } from './deployed-numbers.ts'
import { buildPlan } from './plan.ts'

test('changed numbers come to the graphs of slots, which know the plan by its hash', () => {
  const env = new StreamExecutionEnvironment(undefined).setParallelism(2)
  env
    .fromSequence(1, 2)
    .keyBy((n) => n)
    .sum()
    .print()
  const graph = compileJobGraph(env.getStreamGraph('sums'))
  const plan = buildPlan(graph)
  const [source, sum] = plan.vertices
  const changed = planWithParallelism(planWithMaxParallelism(plan, { [sum!.id]: 512 }), { [source!.id]: 5 })
  const numbers = (vertices: readonly { parallelism: number; maxParallelism: number }[]) =>
    vertices.map(({ parallelism, maxParallelism }) => [parallelism, maxParallelism])
  expect(numbers(plan.vertices)).toEqual([
    [2, 128],
    [2, 128],
  ])
  expect(numbers(changed.vertices)).toEqual([
    [5, 128],
    [2, 512],
  ])
  expect(changed.hash).toBe(plan.hash)
  const deployed = graphWithNumbers(graph, changed)
  expect(numbers(deployed.vertices)).toEqual(numbers(changed.vertices))
  expect(deployed.vertices[1]!.inputs).toBe(graph.vertices[1]!.inputs)
})
