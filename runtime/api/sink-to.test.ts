/** What `sinkTo` adds to the graph, and what a job makes of it. */
import { expect, it } from 'vitest'
import { compileJobGraph } from '../graph/compile.ts'
import { buildPlan } from '../graph/plan.ts'
import { StreamExecutionEnvironment } from '../index.ts'
import { Ledger } from '../operators/ledger.suite.ts'
import { MiniCluster } from '../testing/index.ts'

const environment = () => {
  const env = StreamExecutionEnvironment.getExecutionEnvironment()
  env.setParallelism(3)
  return env
}
const planOf = (env: StreamExecutionEnvironment) => buildPlan(compileJobGraph(env.getStreamGraph('job')))

it('sinkTo() of a sink with a global committer adds an operator of parallelism 1 behind it', () => {
  const env = environment()
  const texts = env.fromSequence(1, 9).map(String)
  texts.sinkTo(new Ledger().sink()).name('one')
  texts
    .sinkTo(new Ledger().sink({ global: true }))
    .name('other')
    .uid('ledger')
    .slotSharingGroup('late')
  const { vertices, edges } = planOf(env)
  const operators = vertices.flatMap((vertex) =>
    vertex.operators.map(({ name, uid, isSink }) => ({ name, uid, isSink, parallelism: vertex.parallelism })),
  )
  expect(operators.filter((operator) => operator.isSink)).toEqual([
    { name: 'Sink: one', uid: null, isSink: true, parallelism: 3 },
    { name: 'Sink: other', uid: 'ledger', isSink: true, parallelism: 3 },
    { name: 'Sink: other: Global Committer', uid: 'ledger: global committer', isSink: true, parallelism: 1 },
  ])
  expect(edges.at(-1)).toMatchObject({ partitioner: 'global', type: { kind: 'any' } })
  expect(vertices.at(-1)).toMatchObject({ slotSharingGroup: 'late', name: 'Sink: other: Global Committer' })
})

it('a uid of the sink is enough where every operator must have one', () => {
  const env = environment()
  env.configure('pipeline.auto-generate-uids', false)
  env
    .fromData('a')
    .uid('source')
    .sinkTo(new Ledger().sink({ global: true }))
    .uid('ledger')
  expect(() => planOf(env)).not.toThrow()
})

it.each([false, true])('a job commits once at its end (global committer: %s)', async (global) => {
  const ledger = new Ledger()
  const cluster = await MiniCluster.start({ slots: 3 })
  try {
    await cluster.runProgram(async (env) => {
      env.setParallelism(3)
      env.fromSequence(1, 300).map(String).sinkTo(ledger.sink({ global }))
      await env.execute()
    })
  } finally {
    await cluster.stop()
  }
  expect(ledger.visible.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 300 }, (_, i) => i + 1))
  expect(ledger.calls.filter((call) => call.startsWith('global'))).toHaveLength(global ? 1 : 0)
})
