import { describe, expect, test } from 'vitest'
import { StreamExecutionEnvironment } from '../api/environment.ts'
import { types } from '../core/types.ts'
import { TumblingEventTimeWindows } from '../core/windows.ts'
import { compileJobGraph } from './compile.ts'
import { fingerprint } from './fingerprint.ts'
import type { Plan } from './model.ts'
import { buildPlan, firstDifference } from './plan.ts'

function planOf(build: (env: StreamExecutionEnvironment) => void): Plan {
  const env = new StreamExecutionEnvironment(undefined)
  build(env)
  return buildPlan(compileJobGraph(env.getStreamGraph('plan')))
}

describe('buildPlan()', () => {
  const build = (env: StreamExecutionEnvironment) => {
    env.setGlobalJobParameters({ b: 2, a: 1 })
    env
      .fromData({ user: 'u', n: 1 })
      .returns(types.row({ user: types.string, n: types.number }))
      .keyBy((row) => row.user)
      .window(TumblingEventTimeWindows.of('1 min'))
      .sum('n')
      .uid('totals')
      .print()
  }

  test('is the same each time the program runs, and after a trip as JSON', () => {
    const plan = planOf(build)
    expect(planOf(build)).toEqual(plan)
    expect(plan.hash).toMatch(/^[0-9a-f]{64}$/)
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
  })

  test('does not depend on the order in which parameters are set', () => {
    const plan = planOf((env) => {
      env.setGlobalJobParameters({ a: 1 }).setGlobalJobParameters({ b: 2 })
      env.fromData(1).print()
    })
    const turned = planOf((env) => {
      env.setGlobalJobParameters({ b: 2 }).setGlobalJobParameters({ a: 1 })
      env.fromData(1).print()
    })
    expect(turned.hash).toBe(plan.hash)
  })

  test('tells a max parallelism that was set from the same by default', () => {
    const plan = (set: boolean) =>
      planOf((env) => {
        const stream = env.fromSequence(1, 2).name('numbers')
        if (set) stream.setMaxParallelism(128)
        stream.print()
      })
    expect([false, true].map((set) => plan(set).vertices[0]!.maxParallelismSet)).toEqual([false, true])
    expect(firstDifference(plan(false), plan(true))).toBe(
      'operator "Source: numbers" has the maxParallelismSet false the first time and true the second',
    )
  })

  test('names modules, places, types and partitioners', () => {
    const plan = planOf(build)
    expect(plan.vertices.map((v) => [v.name, v.isSource, v.operators.map((o) => [o.module, o.parent, o.uid])])).toEqual(
      [
        ['Source: Collection Source', true, [['source', -1, null]]],
        [
          'TumblingEventTimeWindows -> Sink: Print to Std. Out',
          false,
          [
            ['window', -1, 'totals'],
            ['print', 0, null],
          ],
        ],
      ],
    )
    expect(plan.edges).toMatchObject([
      { id: 0, partitioner: 'key', inputIndex: 0, tag: null, bufferTimeoutMs: 5, type: { kind: 'row' } },
    ])
  })
})

describe('firstDifference()', () => {
  const base = (env: StreamExecutionEnvironment) => {
    env
      .fromData(1, 2)
      .map((n) => n + 1)
      .name('add')
      .keyBy((n) => n)
      .sum()
      .name('sum')
      .print()
      .name('out')
  }
  test('is undefined for equal plans', () => {
    expect(firstDifference(planOf(base), planOf(base))).toBeUndefined()
  })

  const cases: [what: string, build: (env: StreamExecutionEnvironment) => void, text: RegExp][] = [
    [
      'a job parameter',
      (env) => {
        env.setGlobalJobParameters({ day: 'monday' })
        base(env)
      },
      /^the job parameter "day" is not set the first time and monday the second$/,
    ],
    [
      'a configuration key',
      (env) => {
        env.configure('my.key', 1)
        base(env)
      },
      /^the configuration key "my.key" is not set the first time and 1 the second$/,
    ],
    [
      'the number of values of a source',
      (env) => {
        env
          .fromData(1, 2, 3)
          .map((n) => n + 1)
          .name('add')
          .keyBy((n) => n)
          .sum()
          .name('sum')
          .print()
          .name('out')
      },
      /^operator "Source: Collection Source" has the option source.describe collection\(2 values\) the first time and collection\(3/,
    ],
    [
      'a function',
      (env) => {
        env
          .fromData(1, 2)
          .map((n) => n + 2)
          .name('add')
          .keyBy((n) => n)
          .sum()
          .name('sum')
          .print()
          .name('out')
      },
      /^operator "add" has the option fn function \w+ the first time and function \w+ the second$/,
    ],
    [
      'a key selector',
      (env) => {
        env
          .fromData(1, 2)
          .map((n) => n + 1)
          .name('add')
          .keyBy((n) => n % 2)
          .sum()
          .name('sum')
          .print()
          .name('out')
      },
      /^operator "sum" has the option keyOf function /,
    ],
    [
      'an operator that came in between',
      (env) => {
        env
          .fromData(1, 2)
          .filter((n) => n > 0)
          .map((n) => n + 1)
          .name('add')
          .keyBy((n) => n)
          .sum()
          .name('sum')
          .print()
      },
      /^operator "add" of the first time is "Filter" the second \(operator 2 of the plan\)$/,
    ],
    [
      'an operator at the end',
      (env) => {
        base(env)
        env.fromData(1).print()
      },
      /^operator "sum" of the first time is "Source: Collection Source" the second/,
    ],
    [
      'a parallelism',
      (env) => {
        env
          .fromData(1, 2)
          .map((n) => n + 1)
          .name('add')
          .keyBy((n) => n)
          .sum()
          .name('sum')
          .setParallelism(2)
          .print()
      },
      /^operator "sum" has the parallelism 1 the first time and 2 the second$/,
    ],
    [
      'a uid',
      (env) => {
        env
          .fromData(1, 2)
          .map((n) => n + 1)
          .name('add')
          .uid('u')
          .keyBy((n) => n)
          .sum()
          .name('sum')
          .print()
      },
      /^operator "add" has the uid not set the first time and u the second$/,
    ],
    [
      'a buffer timeout',
      (env) => {
        const added = env
          .fromData(1, 2)
          .map((n) => n + 1)
          .name('add')
          .setBufferTimeout(0)
        added
          .keyBy((n) => n)
          .sum()
          .name('sum')
          .print()
          .name('out')
      },
      /^the edge from "add" to "sum" has the bufferTimeoutMs 5 the first time and 0 the second$/,
    ],
    [
      'a partitioner',
      (env) => {
        const added = env
          .fromData(1, 2)
          .map((n) => n + 1)
          .name('add')
        added
          .keyBy((n) => n)
          .sum()
          .name('sum')
          .rebalance()
          .print()
          .name('out')
      },
      /^the chain "sum -> Sink: out" is "sum" the second time$/,
    ],
    [
      'a partitioner of an edge that stays',
      (env) => {
        const added = env
          .fromData(1, 2)
          .map((n) => n + 1)
          .name('add')
        const keyed = added.keyBy((n) => n)
        const sum = { module: 'keyed-reduce', options: keyed.sum().inputs[0]!.node.spec.options }
        env.builder.clearPending()
        added.rebalance().transform('sum', sum).print().name('out')
      },
      /^the edge from "add" to "sum" has the keyOf function \w+ the first time and not set the second$/,
    ],
  ]
  test.each(cases)('names %s', (_, build, text) => {
    const difference = firstDifference(planOf(base), planOf(build))
    expect(difference).toMatch(text)
  })
})

describe('fingerprint()', () => {
  test('shows plain values, hashes texts and functions, and goes into objects', () => {
    const print = fingerprint({ n: 5, text: 'secret', fn: () => 1, deep: { list: [true, null] }, big: 3n })
    expect(print).toMatchObject({
      n: '5',
      big: '3n',
      'deep.list.length': '2',
      'deep.list.0': 'true',
      'deep.list.1': 'null',
    })
    expect(print.fn).toMatch(/^function [0-9a-f]{12}$/)
    expect(JSON.stringify(print)).not.toContain('secret')
  })

  test('sees the class of an object', () => {
    class A {
      run() {
        return 1
      }
    }
    class B {
      run() {
        return 2
      }
    }
    expect(fingerprint({ fn: new A() })).not.toEqual(fingerprint({ fn: new B() }))
  })

  test('ends on cycles and large values', () => {
    const cycle: Record<string, unknown> = { list: Array.from({ length: 100_000 }, (_, i) => i) }
    cycle.self = cycle
    expect(Object.keys(fingerprint(cycle)).length).toBeLessThanOrEqual(256)
    expect(fingerprint(cycle)['list.length']).toBe('100000')
  })
})
