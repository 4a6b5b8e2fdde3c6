/** The graph that connected streams make, and what cannot be connected. */
import { describe, expect, it } from 'vitest'
import { isTailraceError } from '../core/errors.ts'
import { compileJobGraph } from '../graph/compile.ts'
import {
  BroadcastProcessFunction,
  CoProcessFunction,
  KeyedBroadcastProcessFunction,
  KeyedCoProcessFunction,
  MapStateDescriptor,
  StreamExecutionEnvironment,
} from '../index.ts'

class Co extends CoProcessFunction<any, any, any> {
  processElement1() {}
  processElement2() {}
}
class KeyedCo extends KeyedCoProcessFunction<any, any, any, any> {
  processElement1() {}
  processElement2() {}
}
class Broadcast extends BroadcastProcessFunction<any, any, any> {
  processElement() {}
  processBroadcastElement() {}
}
class KeyedBroadcast extends KeyedBroadcastProcessFunction<any, any, any, any> {
  processElement() {}
  processBroadcastElement() {}
}
const rules = new MapStateDescriptor<string, number>('rules')

function streams() {
  const env = new StreamExecutionEnvironment(undefined)
  return {
    env,
    a: env.fromData<any>(1).name('a'),
    b: env.fromData<any>(2).name('b'),
    c: env.fromData<any>(3).name('c'),
  }
}

/** The last operator, and its edges as `from / input / partitioner`. */
function last(env: StreamExecutionEnvironment) {
  const { nodes } = env.getStreamGraph()
  const node = nodes.at(-1)!
  const edges = node.inputs.map(
    ({ from, inputIndex, partitioner }) =>
      `${nodes.find(({ id }) => id === from)!.name} ${inputIndex} ${partitioner.kind}`,
  )
  return { name: node.name, module: node.spec.module, options: node.spec.options, edges }
}

function codeOf(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return isTailraceError(error) ? error.code : error
  }
  return 'nothing was thrown'
}

describe('connect()', () => {
  it('joins each stream to an input of its own, unions too', () => {
    const { env, a, b, c } = streams()
    a.union(b).connect(c.rebalance()).process(new Co())
    expect(last(env)).toMatchObject({
      name: 'Co-Process',
      module: 'co-process',
      edges: ['a 0 auto', 'b 0 auto', 'c 1 rebalance'],
    })
  })

  it('takes two functions or one object for map and flatMap', () => {
    const { env, a, b } = streams()
    const fn = { map1: () => 1, map2: () => 2 }
    a.connect(b).map(fn)
    expect(last(env)).toMatchObject({ name: 'Co-Map', options: { kind: 'map', fn } })
    a.connect(b).flatMap(
      () => [1],
      () => [2],
    )
    const { name, options } = last(env)
    expect([name, options.kind, options.fn.flatMap1(), options.fn.flatMap2()]).toEqual([
      'Co-Flat Map',
      'flatMap',
      [1],
      [2],
    ])
  })

  it('sends both by key, whichever way the keys are given', () => {
    const { env, a, b } = streams()
    const k1 = () => 1
    const k2 = () => 2
    const ways = [
      () => a.connect(b).keyBy(k1, k2),
      () => a.keyBy(k1).connect(b.keyBy(k2)),
      // A new key replaces that of a keyed stream.
      () =>
        a
          .keyBy(() => 3)
          .connect(b)
          .keyBy(k1, k2),
    ]
    for (const way of ways) {
      way().process(new KeyedCo())
      const { options, ...rest } = last(env)
      expect(rest).toEqual({ name: 'Co-Keyed-Process', module: 'keyed-co-process', edges: ['a 0 key', 'b 1 key'] })
      expect([options.keyOf1, options.keyOf2]).toEqual([k1, k2])
    }
  })

  it('is without a common key when only one stream has one', () => {
    const { env, a, b } = streams()
    a.keyBy((n) => n)
      .connect(b)
      .process(new Co())
    expect(last(env)).toMatchObject({ module: 'co-process', edges: ['a 0 key', 'b 1 auto'] })
    a.connect(b.keyBy((n) => n)).process(new Co())
    expect(last(env)).toMatchObject({ module: 'co-process', edges: ['a 0 auto', 'b 1 key'] })
  })

  it('sends a broadcast stream to every subtask, with its descriptors', () => {
    const { env, a, b, c } = streams()
    a.connect(b.union(c).broadcast(rules)).process(new Broadcast())
    expect(last(env)).toMatchObject({
      name: 'Co-Process-Broadcast',
      module: 'broadcast-process',
      options: { descriptors: [rules] },
      edges: ['a 0 auto', 'b 1 broadcast', 'c 1 broadcast'],
    })
    const keyOf = (n: number) => n
    a.keyBy(keyOf).connect(b.broadcast(rules)).process(new KeyedBroadcast())
    expect(last(env)).toMatchObject({
      name: 'Co-Process-Broadcast-Keyed',
      module: 'keyed-broadcast-process',
      options: { descriptors: [rules], keyOf },
      edges: ['a 0 key', 'b 1 broadcast'],
    })
  })

  it('takes a stream twice, and makes a task of its own with results that chain on', () => {
    const { env, a } = streams()
    a.connect(a)
      .map(
        (n) => n,
        (n) => -n,
      )
      .map((n) => n)
      .print()
    const { vertices } = compileJobGraph(env.getStreamGraph())
    expect(vertices.map(({ name }) => name)).toEqual([
      'Source: a',
      'Source: b',
      'Source: c',
      'Co-Map -> Map -> Sink: Print to Std. Out',
    ])
    expect(vertices[3]!.inputs.map(({ inputIndex, partitioner }) => [inputIndex, partitioner.kind])).toEqual([
      [0, 'forward'],
      [1, 'forward'],
    ])
  })

  it('refuses streams of two environments', () => {
    const one = streams()
    const two = streams()
    const broadcast = two.b.broadcast(rules)
    expect(codeOf(() => one.a.connect(two.b))).toBe('TR-GRAPH-004')
    expect(codeOf(() => one.a.connect(broadcast))).toBe('TR-GRAPH-004')
    expect(codeOf(() => one.a.keyBy((n) => n).connect(two.b.keyBy((n) => n)))).toBe('TR-GRAPH-004')
    expect(codeOf(() => one.a.keyBy((n) => n).connect(broadcast))).toBe('TR-GRAPH-004')
  })

  it('refuses functions with timers on streams without keys', () => {
    const { a, b } = streams()
    expect(codeOf(() => a.connect(b).process(new KeyedCo() as any))).toBe('TR-STATE-002')
    expect(codeOf(() => a.connect(b.broadcast(rules)).process(new KeyedBroadcast() as any))).toBe('TR-STATE-002')
  })
})
