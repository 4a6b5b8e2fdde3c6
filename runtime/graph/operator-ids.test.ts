import { expect, test } from 'vitest'
import { StreamExecutionEnvironment } from '../api/environment.ts'
import { compileJobGraph } from './compile.ts'

/** Operator ids by name. */
function idsOf(build: (env: StreamExecutionEnvironment) => void): Record<string, string> {
  const env = new StreamExecutionEnvironment(undefined)
  build(env)
  const graph = compileJobGraph(env.getStreamGraph())
  return Object.fromEntries(graph.vertices.flatMap((v) => v.operators).map((o) => [o.name, o.operatorId]))
}

function clicks(env: StreamExecutionEnvironment) {
  return env.fromSequence(1, 9).name('clicks')
}

test('ids are 32 hex digits and the same each time', () => {
  const build = (env: StreamExecutionEnvironment) => {
    clicks(env)
      .map((n) => n)
      .print()
  }
  expect(idsOf(build)).toEqual(idsOf(build))
  for (const id of Object.values(idsOf(build))) expect(id).toMatch(/^[0-9a-f]{32}$/)
})

test('an id from a uid holds whatever stands around the operator', () => {
  const before = idsOf((env) =>
    clicks(env)
      .keyBy((n) => n)
      .sum()
      .name('sum')
      .uid('sum')
      .print(),
  )
  const after = idsOf((env) =>
    clicks(env)
      .filter((n) => n > 1)
      .keyBy((n) => n)
      .max()
      .name('sum')
      .uid('sum')
      .setParallelism(4)
      .print(),
  )
  expect(after.sum).toBe(before.sum)
})

test('an id from the place holds when other branches, names and parallelism change', () => {
  const before = idsOf((env) =>
    clicks(env)
      .keyBy((n) => n)
      .sum()
      .name('sum')
      .print()
      .name('out'),
  )
  const after = idsOf((env) => {
    env
      .fromSequence(1, 3)
      .name('orders')
      .map((n) => n)
      .name('other')
      .print()
      .name('elsewhere')
    const stream = clicks(env)
    stream
      .filter((n) => n > 1)
      .name('branch')
      .print()
      .name('branch out')
    stream
      .keyBy((n) => n)
      .sum()
      .name('total')
      .setParallelism(3)
      .print()
      .name('out')
  })
  expect(after.total).toBe(before.sum)
  expect(after['Sink: out']).toBe(before['Sink: out'])
})

test('an edit upstream moves an id from the place', () => {
  const before = idsOf((env) =>
    clicks(env)
      .keyBy((n) => n)
      .sum()
      .name('sum')
      .print(),
  )
  const after = idsOf((env) =>
    clicks(env)
      .filter((n) => n > 1)
      .keyBy((n) => n)
      .sum()
      .name('sum')
      .print(),
  )
  expect(after.sum).not.toBe(before.sum)
})

test('operators of equal place are told apart', () => {
  const ids = idsOf((env) => {
    const stream = clicks(env)
    for (const name of ['a', 'b', 'c'])
      stream
        .map((n) => n)
        .name(name)
        .print()
        .name(`out ${name}`)
  })
  expect(new Set(Object.values(ids)).size).toBe(Object.keys(ids).length)
})
