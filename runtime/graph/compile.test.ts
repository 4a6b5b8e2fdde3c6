import { describe, expect, test } from 'vitest'
import type { DataStream, SingleOutputStreamOperator } from '../api/data-stream.ts'
import { StreamExecutionEnvironment } from '../api/environment.ts'
import { isTailraceError } from '../core/errors.ts'
import { ProcessFunction } from '../core/functions.ts'
import { OutputTag } from '../core/output-tag.ts'
import { compileJobGraph } from './compile.ts'
import type { JobGraph, LogicalNode } from './model.ts'

const tag = new OutputTag<number>('side')
class Split extends ProcessFunction<number, number> {
  processElement(): void {}
}

function environment(): StreamExecutionEnvironment {
  return new StreamExecutionEnvironment(undefined)
}

/** Names of the vertices, with their parallelism where it is not 1, and the edges between them. */
function shape(graph: JobGraph): string[] {
  const vertices = graph.vertices.map((v) => (v.parallelism === 1 ? v.name : `${v.name} x${v.parallelism}`))
  const nameOf = (id: string) => graph.vertices.findIndex((v) => v.id === id)
  return [...vertices, ...graph.edges.map((e) => `${nameOf(e.from)} ${e.partitioner.kind} ${nameOf(e.to)}`)]
}

function compile(env: StreamExecutionEnvironment): JobGraph {
  return compileJobGraph(env.getStreamGraph('test'))
}

/** `numbers` → map a → map b → sink, with a change to each. */
function line(change: {
  env?: (env: StreamExecutionEnvironment) => void
  source?: (s: SingleOutputStreamOperator<number>) => DataStream<number>
  a?: (s: SingleOutputStreamOperator<number>) => DataStream<number>
  b?: (s: SingleOutputStreamOperator<number>) => DataStream<number>
}): string[] {
  const env = environment()
  change.env?.(env)
  const same = (s: DataStream<number>) => s
  const source = (change.source ?? same)(env.fromSequence(1, 2).name('numbers'))
  const a = (change.a ?? same)(source.map((n) => n).name('a'))
  const b = (change.b ?? same)(a.map((n) => n).name('b'))
  b.print().name('out')
  return shape(compile(env))
}

const NUMBERS = 'Source: numbers'
const OUT = 'Sink: out'

describe('compileJobGraph() chains [RT-02]', () => {
  const cases: [what: string, change: Parameters<typeof line>[0], shape: string[]][] = [
    ['everything of one parallelism', {}, [`${NUMBERS} -> a -> b -> ${OUT}`]],
    [
      'nothing when chaining is off',
      { env: (env) => env.disableOperatorChaining() },
      [NUMBERS, 'a', 'b', OUT, '0 forward 1', '1 forward 2', '2 forward 3'],
    ],
    [
      'not across an unequal parallelism',
      { b: (s) => s.setParallelism(2) },
      [`${NUMBERS} -> a`, 'b x2', OUT, '0 rebalance 1', '1 rebalance 2'],
    ],
    [
      'not over another partitioner than forward',
      { a: (s) => s.rebalance() },
      [`${NUMBERS} -> a`, `b -> ${OUT}`, '0 rebalance 1'],
    ],
    ['over an explicit forward', { a: (s) => s.forward() }, [`${NUMBERS} -> a -> b -> ${OUT}`]],
    [
      'not over keyBy, even at parallelism 1',
      { a: (s) => s.keyBy((n) => n) },
      [`${NUMBERS} -> a`, `b -> ${OUT}`, '0 key 1'],
    ],
    [
      'neither side of disableChaining',
      { a: (s) => s.disableChaining() },
      [NUMBERS, 'a', `b -> ${OUT}`, '0 forward 1', '1 forward 2'],
    ],
    ['what follows startNewChain only', { a: (s) => s.startNewChain() }, [NUMBERS, `a -> b -> ${OUT}`, '0 forward 1']],
    [
      'not across slot sharing groups; later operators inherit the group',
      { a: (s) => s.slotSharingGroup('heavy') },
      [NUMBERS, `a -> b -> ${OUT}`, '0 forward 1'],
    ],
    ['across different max parallelism', { a: (s) => s.setMaxParallelism(7) }, [`${NUMBERS} -> a -> b -> ${OUT}`]],
    [
      'not across different max parallelism when that is configured',
      {
        env: (env) => env.configure('pipeline.operator-chaining.chain-operators-with-different-max-parallelism', false),
        a: (s) => s.setMaxParallelism(7),
      },
      [NUMBERS, 'a', `b -> ${OUT}`, '0 forward 1', '1 forward 2'],
    ],
  ]
  test.each(cases)('%s', (_, change, expected) => {
    expect(line(change)).toEqual(expected)
  })

  test('to each of several consumers, as a tree', () => {
    const env = environment()
    const source = env.fromSequence(1, 2).name('numbers')
    source
      .map((n) => n)
      .name('a')
      .print()
      .name('one')
    source
      .map((n) => n)
      .name('b')
      .print()
      .name('two')
    source
      .keyBy((n) => n)
      .sum()
      .name('sums')
      .print()
      .name('three')
    const graph = compile(env)
    expect(shape(graph)).toEqual([`${NUMBERS} -> (a -> Sink: one, b -> Sink: two)`, 'sums -> Sink: three', '0 key 1'])
    expect(graph.vertices[0]!.operators.map((o) => [o.name, o.parent])).toEqual([
      [NUMBERS, -1],
      ['a', 0],
      ['Sink: one', 1],
      ['b', 0],
      ['Sink: two', 3],
    ])
    expect(graph.vertices[0]!.outputs).toEqual(graph.vertices[1]!.inputs)
    expect(graph.edges[0]!.fromOperator).toBe(0)
  })

  test('not into a union; each input is an edge, the same stream twice too', () => {
    const env = environment()
    const one = env.fromSequence(1, 2).name('one')
    const two = env.fromSequence(1, 2).name('two')
    one
      .union(two, one)
      .map((n) => n)
      .name('all')
      .print()
      .name('out')
    expect(shape(compile(env))).toEqual([
      'Source: one',
      'Source: two',
      'all -> Sink: out',
      '0 forward 2',
      '1 forward 2',
      '0 forward 2',
    ])
  })

  test('side outputs, which keep their tag', () => {
    const env = environment()
    const split = env.fromSequence(1, 2).name('numbers').process(new Split()).name('split')
    split.getSideOutput(tag).print().name('chained')
    split.getSideOutput(tag).rebalance().print().name('sent')
    const graph = compile(env)
    expect(shape(graph)).toEqual([`${NUMBERS} -> split -> Sink: chained`, 'Sink: sent', '0 rebalance 1'])
    expect(graph.vertices[0]!.operators.at(-1)).toMatchObject({ parent: 1, tag: 'side' })
    expect(graph.edges[0]).toMatchObject({ fromOperator: 1, tag: 'side' })
  })

  test('with a source of any parallelism where the head allows sources', () => {
    const env = environment()
    const source = env.fromSequence(1, 2).name('numbers')
    source
      .map((n) => n)
      .name('a')
      .map((n) => n)
      .name('b')
      .print()
      .name('out')
    const graph = env.getStreamGraph()
    const nodes = graph.nodes.map((node): LogicalNode => {
      return node.name === 'a' || node.name === 'b' ? { ...node, chaining: 'head-with-sources' } : node
    })
    expect(shape(compileJobGraph({ ...graph, nodes }))).toEqual([`${NUMBERS} -> a`, `b -> ${OUT}`, '0 forward 1'])
  })
})

describe('compileJobGraph() settles', () => {
  test('parallelism, max parallelism, slot sharing groups and buffer timeouts', () => {
    const env = environment().setParallelism(100).setBufferTimeout('20 ms')
    const source = env.fromSequence(1, 2).setParallelism(2).slotSharingGroup('in').setBufferTimeout(0)
    source
      .keyBy((n) => n)
      .sum()
      .setMaxParallelism(200)
      .print()
      .setParallelism(1)
      .slotSharingGroup('default')
    const graph = compile(env)
    const settings = graph.vertices.map((v) => [v.parallelism, v.maxParallelism, v.slotSharingGroup])
    expect(settings).toEqual([
      [2, 128, 'in'],
      [100, 200, 'in'],
      [1, 128, 'default'],
    ])
    expect(graph.edges.map((e) => e.bufferTimeoutMs)).toEqual([0, 20])
  })

  test('a group is inherited only where all inputs agree', () => {
    const env = environment()
    const a = env.fromSequence(1, 2).slotSharingGroup('a')
    const b = env.fromSequence(1, 2).slotSharingGroup('b')
    a.union(b).print()
    expect(compile(env).vertices.map((v) => v.slotSharingGroup)).toEqual(['a', 'b', 'default'])
  })

  test('max parallelism of the job, and -1 as none', () => {
    const env = environment().setMaxParallelism(64)
    env.fromSequence(1, 2).print()
    expect(compile(env).vertices[0]!.maxParallelism).toBe(64)
    env.setMaxParallelism(-1)
    expect(compile(env).vertices[0]!.maxParallelism).toBe(128)
  })

  test('an operator that cannot run in parallel at 1', () => {
    const env = environment().setParallelism(3)
    env.builder.add({
      name: 'all',
      spec: { module: 'window', options: {} },
      inputs: env.fromSequence(1, 2).inputs,
      isSink: true,
      forceNonParallel: true,
    })
    expect(compile(env).vertices.map((v) => v.parallelism)).toEqual([3, 1])
  })
})

describe('compileJobGraph() refuses', () => {
  const cases: [what: string, build: (env: StreamExecutionEnvironment) => void, code: string, names: string[]][] = [
    ['an empty job', () => {}, 'TR-GRAPH-003', ['"test"', 'execute()']],
    [
      'a job of sources only',
      (env) => {
        env.fromSequence(1, 2).name('numbers')
      },
      'TR-GRAPH-003',
      ['"numbers"', 'sinkTo()'],
    ],
    [
      'one uid on two operators',
      (env) =>
        env
          .fromSequence(1, 2)
          .uid('x')
          .name('numbers')
          .map((n) => n)
          .name('again')
          .uid('x')
          .print(),
      'TR-GRAPH-001',
      ['"x"', '"numbers"', '"again"'],
    ],
    [
      'forward across unequal parallelism',
      (env) =>
        env
          .fromSequence(1, 2)
          .name('in')
          .setParallelism(2)
          .forward()
          .map((n) => n)
          .name('m')
          .print(),
      'TR-GRAPH-002',
      ['"in"', '"m"', '2 and 1', 'rebalance()'],
    ],
    [
      'a parallelism above the max parallelism',
      (env) => env.setMaxParallelism(3).setParallelism(4).fromSequence(1, 2).name('in').print(),
      'TR-GRAPH-005',
      ['"in"', '4', '3'],
    ],
    [
      'an operator without uid where uids are wanted',
      (env) => {
        env.configure('pipeline.auto-generate-uids', false)
        env
          .fromSequence(1, 2)
          .uid('a')
          .map((n) => n)
          .name('nameless')
          .print()
          .uid('b')
      },
      'TR-GRAPH-007',
      ['"nameless"', '.uid('],
    ],
    [
      'another parallelism for what runs at 1 only',
      (env) => {
        const inputs = env.fromSequence(1, 2).inputs
        const spec = { module: 'window', options: {} }
        env.builder.add({ name: 'all', spec, inputs, isSink: true, forceNonParallel: true, parallelism: 2 })
      },
      'TR-GRAPH-005',
      ['"all"', '2'],
    ],
  ]
  test.each(cases)('%s', (_, build, code, names) => {
    const env = environment()
    let error: unknown
    try {
      build(env)
      compile(env)
    } catch (e) {
      error = e
    }
    expect(isTailraceError(error) && error.code).toBe(code)
    for (const name of names) expect((error as Error).message).toContain(name)
  })
})
