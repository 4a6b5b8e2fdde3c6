/**
 * Broadcast state, with and without keys: who may do what, what timers and keyed state know of it, and how copies are dealt out [B-01..B-04].
 * Cases after Flink's CoBroadcastWithKeyedOperatorTest and CoBroadcastWithNonKeyedOperatorTest.
 */
import { describe, expect, it, test } from 'vitest'
import {
  BroadcastProcessFunction,
  type BroadcastReadContext,
  type BroadcastWriteContext,
  KeyedBroadcastProcessFunction,
  type KeyedBroadcastReadContext,
  type KeyedBroadcastWriteContext,
} from '../core/broadcast-functions.ts'
import { isTailraceError } from '../core/errors.ts'
import type { Collector, Key, RuntimeContext } from '../core/functions.ts'
import { hashKey } from '../core/hash.ts'
import { OutputTag } from '../core/output-tag.ts'
import { ListStateDescriptor, MapStateDescriptor, type ValueState, ValueStateDescriptor } from '../core/state.ts'
import { types } from '../core/types.ts'
import { openOperator } from '../testing/operator-context.ts'
import { Operator } from './broadcast-process.ts'
import { Operator as KeyedOperator } from './keyed-broadcast-process.ts'
import { openSubtasks, type Subtask, takeSnapshot, takeSnapshots } from './rescale.suite.ts'
import type { TwoInputOperator } from './two-input.ts'

const rules = new MapStateDescriptor<string, any>('rules')
const limits = new MapStateDescriptor<number, number>('limits')

type Element = (value: any, context: BroadcastReadContext, out: Collector<any>) => void
type Broadcast = (value: any, context: BroadcastWriteContext, out: Collector<any>) => void

class Fn extends BroadcastProcessFunction<any, any, any> {
  readonly element: Element
  readonly broadcast: Broadcast
  constructor(element: Element, broadcast: Broadcast) {
    super()
    this.element = element
    this.broadcast = broadcast
  }
  processElement(value: any, context: BroadcastReadContext, out: Collector<any>) {
    this.element(value, context, out)
  }
  processBroadcastElement(value: any, context: BroadcastWriteContext, out: Collector<any>) {
    this.broadcast(value, context, out)
  }
}

type KeyedElement = (value: any, context: KeyedBroadcastReadContext<any>, out: Collector<any>, fn: KeyedFn) => void
type KeyedBroadcast = (value: any, context: KeyedBroadcastWriteContext<any>, out: Collector<any>, fn: KeyedFn) => void
const last = new ValueStateDescriptor<number>('last')

class KeyedFn extends KeyedBroadcastProcessFunction<any, any, any, any> {
  last!: ValueState<number>
  readonly element: KeyedElement
  readonly broadcast: KeyedBroadcast
  readonly timer: KeyedElement
  constructor(element: KeyedElement, broadcast: KeyedBroadcast, timer: KeyedElement = () => {}) {
    super()
    this.element = element
    this.broadcast = broadcast
    this.timer = timer
  }
  override open(context: RuntimeContext) {
    this.last = context.getState(last)
  }
  processElement(value: any, context: KeyedBroadcastReadContext<any>, out: Collector<any>) {
    this.element(value, context, out, this)
  }
  processBroadcastElement(value: any, context: KeyedBroadcastWriteContext<any>, out: Collector<any>) {
    this.broadcast(value, context, out, this)
  }
  override onTimer(timestampMs: number, context: any, out: Collector<any>) {
    this.timer(timestampMs, context, out, this)
  }
}

const put: Broadcast = ([key, value], context) => context.getBroadcastState(rules).put(key, value)
const keyOf = (value: { k: Key }) => value.k

const open = (element: Element, broadcast: Broadcast = put, descriptors = [rules, limits] as any[]) =>
  openOperator(new Operator({ fn: new Fn(element, broadcast), descriptors }), { operatorName: 'check' })
const openKeyed = async (element: KeyedElement, broadcast: KeyedBroadcast = put, timer?: KeyedElement) => {
  const operator = new KeyedOperator({
    fn: new KeyedFn(element, broadcast, timer),
    keyOf,
    descriptors: [rules, limits],
  })
  const opened = await openOperator(operator, { operatorName: 'check' })
  const send = (value: { k: Key }, timestamp = -Infinity) =>
    operator.input(0).process(value, timestamp, hashKey(value.k))
  return {
    ...opened,
    send,
    broadcast: (value: any, timestamp = -Infinity) => operator.input(1).process(value, timestamp),
  }
}

function thrown(action: () => unknown): { code: unknown; message: string } {
  try {
    action()
  } catch (error) {
    return { code: isTailraceError(error) ? error.code : undefined, message: (error as Error).message }
  }
  return { code: 'nothing was thrown', message: '' }
}

describe('BroadcastProcessFunction', () => {
  it('reads on one side what the other has written, under several names', async () => {
    const { operator, out, context } = await open(
      (value, context, out) => {
        const state = context.getBroadcastState(rules)
        out.collect([value, state.get('a'), state.contains('a'), [...context.getBroadcastState(limits).entries()]])
      },
      (value, context, out) => {
        context.getBroadcastState(rules).put('a', value)
        context.getBroadcastState(limits).putAll([
          [value, 1],
          [value + 1, 2],
        ])
        out.collect(`got ${value}`)
      },
    )
    operator.input(0).process('x', 1)
    operator.input(1).process(7, 2)
    operator.input(0).process('y', 3)
    expect(out.records).toMatchObject([
      { value: ['x', undefined, false, []], timestamp: 1 },
      { value: 'got 7', timestamp: 2 },
      {
        value: [
          'y',
          7,
          true,
          [
            [7, 1],
            [8, 2],
          ],
        ],
        timestamp: 3,
      },
    ])
    operator.publish()
    expect(context.metric('numRecordsOut')).toBe(3)
  })

  it('has all methods of a map on the side that writes', async () => {
    const seen: unknown[] = []
    const { operator } = await open(
      () => {},
      (_, context) => {
        const state = context.getBroadcastState(rules)
        seen.push(state.isEmpty())
        state.put('b', 1)
        state.put('a', 2)
        state.put('b', 3)
        seen.push([...state.keys()], [...state.values()], [...state.entries()], state.isEmpty())
        state.remove('b')
        state.remove('missing')
        seen.push([...state.keys()])
        state.clear()
        seen.push(state.isEmpty())
      },
    )
    operator.input(1).process(0, 0)
    expect(seen).toEqual([
      true,
      ['b', 'a'],
      [3, 2],
      [
        ['b', 3],
        ['a', 2],
      ],
      false,
      ['a'],
      true,
    ])
  })

  const writes: [what: string, write: (state: any) => void, action: string][] = [
    ['put()', (state) => state.put('a', 1), 'put into'],
    ['putAll()', (state) => state.putAll([['a', 1]]), 'put into'],
    ['remove()', (state) => state.remove('a'), 'remove from'],
    ['clear()', (state) => state.clear(), 'clear'],
  ]
  test.each(writes)('refuses %s on the side that reads, in onTimer too, with the names', async (_, write, action) => {
    const wanted = {
      code: 'TR-STATE-004',
      message: `Cannot ${action} broadcast state "rules" of operator "check" here: processElement and onTimer may only read it, as the copies of the subtasks would part; change it in processBroadcastElement`,
    }
    const { operator } = await open((_value, context) => write(context.getBroadcastState(rules)))
    operator.input(1).process(['kept', 1], 0)
    expect(thrown(() => operator.input(0).process(1, 0))).toEqual(wanted)
    const keyed = await openKeyed(
      (_value, context) => context.timerService.registerEventTimeTimer(5),
      put,
      (_at, context) => write(context.getBroadcastState(rules)),
    )
    keyed.send({ k: 'a' })
    keyed.operator.input(0).watermark(5)
    expect(thrown(() => keyed.operator.input(1).watermark(5))).toEqual(wanted)
  })

  it('keeps the read side’s view up to date, also while it is iterated', async () => {
    let view: any
    const { operator } = await open((_value, context) => {
      view = context.getBroadcastState(rules)
    })
    operator.input(0).process(1, 0)
    expect([view.isEmpty(), [...view.keys()]]).toEqual([true, []])
    operator.input(1).process(['a', 1], 0)
    expect([view.isEmpty(), [...view.keys()], [...view.values()]]).toEqual([false, ['a'], [1]])
  })

  const misuses: [what: string, broadcast: Broadcast, code: string, message: string][] = [
    [
      'a state that was not given to broadcast()',
      (_, context) => context.getBroadcastState(new MapStateDescriptor('rule')),
      'TR-STATE-004',
      'Cannot get broadcast state "rule" of operator "check": broadcast() was given "rules", "limits"; give it this descriptor too',
    ],
    [
      'a name with another type',
      (_, context) => context.getBroadcastState(new MapStateDescriptor('rules', types.string, types.number)),
      'TR-STATE-001',
      'Cannot get broadcast state "rules" of operator "check": it is in use as the same kind with another type, and a name must always mean the same state',
    ],
    [
      'undefined as a value',
      (_, context) => context.getBroadcastState(rules).put('a', undefined),
      'TR-STATE-003',
      'Cannot put undefined into broadcast state "rules" for key a: a value is wanted; remove() takes a key out',
    ],
    [
      'an instance of a class as a value',
      (_, context) => context.getBroadcastState(rules).put('a', new URL('http://localhost')),
      'TR-STATE-003',
      'Cannot keep an instance of URL in broadcast state "rules": values are numbers, strings, booleans, bigints, dates, bytes, and plain objects, arrays, maps and sets of these',
    ],
  ]
  test.each(misuses)('refuses %s', async (_, broadcast, code, message) => {
    const { operator } = await open(() => {}, broadcast)
    expect(thrown(() => operator.input(1).process(0, 0))).toEqual({ code, message })
  })

  it('refuses two states of one name and two types when it is opened', async () => {
    const other = new MapStateDescriptor('rules', types.string, types.number)
    await expect(open(() => {}, put, [rules, other])).rejects.toMatchObject({ code: 'TR-STATE-001' })
  })

  it('has timestamps, both kinds of time and side outputs on both sides', async () => {
    const tag = new OutputTag<any>('side')
    const both: Broadcast & Element = (value: any, context: any) =>
      context.output(tag, [value, context.timestamp(), context.currentWatermark(), context.currentProcessingTime()])
    const { operator, context } = await open(both, both)
    context.advanceTo(100)
    operator.input(0).watermark(4)
    operator.input(1).watermark(6)
    operator.input(0).process('e', 5)
    operator.input(1).process('b', -Infinity)
    expect(context.sides.get('side')!.records).toMatchObject([
      { value: ['e', 5, 4, 100], timestamp: 5 },
      { value: ['b', null, 4, 100], timestamp: -Infinity },
    ])
    operator.publish()
    expect(context.metric('numRecordsSideOutput')).toBe(2)
  })
})

describe('KeyedBroadcastProcessFunction', () => {
  const keepLast: KeyedElement = (value, _context, _out, fn) => fn.last.update(value.n)

  it('has state and timers of the key beside broadcast state', async () => {
    const { send, broadcast, operator, out } = await openKeyed(
      (value, context, out, fn) => {
        fn.last.update((fn.last.value() ?? 0) + value.n)
        context.timerService.registerEventTimeTimer(50)
        out.collect([context.getCurrentKey(), fn.last.value(), context.getBroadcastState(rules).get('a')])
      },
      put,
      (at: any, context: any, out, fn) =>
        out.collect([
          'timer',
          at,
          context.timeDomain,
          context.getCurrentKey(),
          fn.last.value(),
          context.getBroadcastState(rules).get('a'),
          context.timerService.currentWatermark(),
          context.timestamp(),
        ]),
    )
    send({ k: ['x', 1], n: 2 } as any, 10)
    broadcast(['a', 'now'])
    send({ k: ['x', 1], n: 3 } as any, 11)
    for (const input of [0, 1]) operator.input(input).watermark(60)
    expect(out.values).toEqual([
      [['x', 1], 2, undefined],
      [['x', 1], 5, 'now'],
      ['timer', 50, 'event', ['x', 1], 5, 'now', 60, 50],
    ])
    expect(out.watermarks).toEqual([60])
  })

  it('has no key on the broadcast side: neither state nor timers of the last one', async () => {
    let kept!: KeyedBroadcastReadContext<any>
    const { send, broadcast } = await openKeyed(
      (value, context, out, fn) => {
        kept = context
        keepLast(value, context, out, fn)
      },
      (what, context, _out, fn) => {
        if (what === 'state') fn.last.value()
        else if (what === 'timer') kept.timerService.registerEventTimeTimer(1)
        else expect('timerService' in context || 'getCurrentKey' in context).toBe(false)
      },
    )
    send({ k: 'a', n: 1 } as any)
    broadcast('context')
    for (const what of ['state', 'timer']) {
      const { code, message } = thrown(() => broadcast(what))
      expect([code, message]).toEqual(['TR-STATE-002', expect.stringContaining('no key is current')])
    }
  })

  it('applies a function to every key that has the state, whatever the keys are, and leaves no key behind', async () => {
    const seen: unknown[] = []
    const { send, broadcast } = await openKeyed(keepLast, (value, context, _out, fn) => {
      context.applyToKeyedState(last, (key, state) => {
        seen.push([key, state.value()])
        if (value === 'double') state.update(state.value()! * 2)
        else if (value === 'clear odd' && state.value()! % 2 === 1) state.clear()
      })
      expect(thrown(() => fn.last.value()).code).toBe('TR-STATE-002')
    })
    const keys: Key[] = ['a', 1, 1n, true, ['a', [1, new Uint8Array([7])]], '']
    keys.forEach((k, n) => send({ k, n } as any))
    const sorted = () => seen.splice(0).sort((a: any, b: any) => a[1] - b[1])
    broadcast('look')
    expect(sorted()).toEqual(keys.map((key, n) => [key, n]))
    broadcast('clear odd')
    broadcast('double')
    seen.length = 0
    broadcast('look')
    expect(sorted()).toEqual([
      [keys[0], 0],
      [keys[2], 4],
      [keys[4], 8],
    ])
  })

  it('visits each key once, though many come and go under the visit', async () => {
    const seen = new Set<number>()
    const { send, broadcast } = await openKeyed(keepLast, (what, context) => {
      context.applyToKeyedState(last, (key, state) => {
        if (what === 'clear') {
          expect(seen.has(key)).toBe(false)
          seen.add(key)
          state.clear()
          if (key % 3 === 0) state.update(key)
        } else seen.add(key)
      })
    })
    const keys = Array.from({ length: 3000 }, (_, i) => i)
    for (const k of keys) send({ k, n: k } as any)
    broadcast('clear')
    expect(seen.size).toBe(keys.length)
    seen.clear()
    broadcast('look')
    expect([...seen].sort((a, b) => a - b)).toEqual(keys.filter((k) => k % 3 === 0))
  })

  it('applies functions to lists and maps, too, and emits from them with the broadcast record’s timestamp', async () => {
    const list = new ListStateDescriptor<number>('list')
    const map = new MapStateDescriptor<string, number>('map')
    class Kept extends KeyedBroadcastProcessFunction<string, any, any, any> {
      #runtime!: RuntimeContext
      override open(context: RuntimeContext) {
        this.#runtime = context
      }
      processElement({ n }: any) {
        this.#runtime.getListState(list).add(n)
        if (n > 1) this.#runtime.getMapState(map).put('n', n)
      }
      processBroadcastElement(_: any, context: KeyedBroadcastWriteContext<string>, out: Collector<any>) {
        context.applyToKeyedState(list, (key, state) => out.collect([key, 'list', [...state.get()]]))
        context.applyToKeyedState(map, (key, state) => out.collect([key, 'map', [...state.entries()]]))
      }
    }
    const { operator, out } = await openOperator(new KeyedOperator({ fn: new Kept(), keyOf, descriptors: [rules] }))
    for (const [k, n] of [
      ['a', 1],
      ['b', 2],
      ['a', 1],
    ] as const)
      operator.input(0).process({ k, n }, 0, hashKey(k))
    operator.input(1).process(0, 42)
    expect(out.records.toSorted((a, b) => (String(a.value) < String(b.value) ? -1 : 1))).toMatchObject([
      { value: ['a', 'list', [1, 1]], timestamp: 42 },
      { value: ['b', 'list', [2]], timestamp: 42 },
      { value: ['b', 'map', [['n', 2]]], timestamp: 42 },
    ])
  })

  it('takes a function without keys as well, and forwards time without timers', async () => {
    const fn = new Fn((value, context, out) => out.collect([value.k, context.getBroadcastState(rules).get('a')]), put)
    const { operator, out } = await openOperator(new KeyedOperator({ fn: fn as any, keyOf, descriptors: [rules] }))
    operator.input(1).process(['a', 1], 0)
    operator.input(0).process({ k: 'x' }, 0, hashKey('x'))
    for (const input of [0, 1]) operator.input(input).watermark(3)
    expect([out.values, out.watermarks]).toEqual([[['x', 1]], [3]])
  })
})

describe('copies of broadcast state in checkpoints [B-03, B-04]', () => {
  const make = () => new Operator({ fn: new Fn(() => {}, put), descriptors: [rules, limits] })
  const write = ({ operator }: { operator: TwoInputOperator }, key: string, value: unknown) =>
    operator.input(1).process([key, value], 0)

  /** What the subtask says its copy is, by a snapshot of it. */
  async function copyOf(subtask: Subtask<TwoInputOperator>): Promise<unknown> {
    const [alone] = await openSubtasks(make, 1, [takeSnapshot(subtask)])
    let copy: unknown
    const reader = new Operator({
      fn: new Fn((_, context) => {
        copy = [...context.getBroadcastState(rules).entries()]
      }, put),
      descriptors: [rules, limits],
    })
    const [opened] = await openSubtasks(() => reader, 1, takeSnapshots([alone!]))
    opened!.operator.input(0).process(0, 0)
    return copy
  }

  // Copies never part in a job. Here each says whose it was.
  const table: [before: number, after: number, origins: number[]][] = [
    [3, 3, [0, 1, 2]],
    [3, 2, [0, 1]],
    [3, 1, [0]],
    [2, 5, [0, 1, 0, 1, 0]],
    [1, 3, [0, 0, 0]],
  ]
  test.each(table)('%i subtasks become %i: copies of subtasks %j', async (before, after, origins) => {
    const old = await openSubtasks(make, before)
    for (const [i, subtask] of old.entries()) write(subtask, 'of', i)
    const snapshots = takeSnapshots(old)
    const subtasks = await openSubtasks(make, after, snapshots)
    expect(await Promise.all(subtasks.map(copyOf))).toEqual(origins.map((i) => [['of', i]]))
  })

  it('a subtask that had finished and left no copy gets one of those that are there', async () => {
    const old = await openSubtasks(make, 3)
    for (const [i, subtask] of old.entries()) write(subtask, 'of', i)
    const [a, , c] = takeSnapshots(old)
    const subtasks = await openSubtasks(make, 3, [a!, { ...a!, state: null }, c!])
    expect(await Promise.all(subtasks.map(copyOf))).toEqual([[['of', 0]], [['of', 2]], [['of', 2]]])
  })

  it('an empty copy is a copy', async () => {
    const old = await openSubtasks(make, 2)
    write(old[1]!, 'of', 1)
    const subtasks = await openSubtasks(make, 2, takeSnapshots(old))
    expect(await Promise.all(subtasks.map(copyOf))).toEqual([[], [['of', 1]]])
  })

  it('keeps values of all kinds and the order of the keys, and what comes after the barrier out', async () => {
    const values: [string, unknown][] = [
      ['z', { text: 'x'.repeat(50), list: [1, { a: 1n }], date: new Date(5), bytes: new Uint8Array([1]) }],
      ['a', new Map([['m', new Set([1])]])],
      ['n', null],
    ]
    const [subtask] = await openSubtasks(make, 1)
    for (const [key, value] of values) write(subtask!, key, value)
    const taken = takeSnapshots([subtask!])
    write(subtask!, 'late', 1)
    const [restored] = await openSubtasks(make, 1, taken)
    expect(await copyOf(restored!)).toEqual(values)
  })

  it('comes back together with keyed state and timers, which move by key group', async () => {
    const keyedMake = () =>
      new KeyedOperator({
        fn: new KeyedFn(
          (value, context, _out, fn) => {
            fn.last.update(value.n)
            context.timerService.registerEventTimeTimer(100)
          },
          put,
          (_at, context, out, fn) =>
            out.collect([context.getCurrentKey(), fn.last.value(), [...context.getBroadcastState(rules).entries()]]),
        ),
        keyOf,
        descriptors: [rules],
      })
    for (const [p, q] of [
      [1, 3],
      [4, 2],
    ] as const) {
      const before = await openSubtasks(keyedMake, p)
      const keys = Array.from({ length: 20 }, (_, i) => `key ${i}`)
      for (const [n, k] of keys.entries()) {
        const subtask = before[Math.floor(((hashKey(k) % 16) * p) / 16)]!
        subtask.operator.input(0).process({ k, n }, 0, hashKey(k))
      }
      for (const subtask of before) write(subtask, 'rule', 1)
      const after = await openSubtasks(keyedMake, q, takeSnapshots(before))
      for (const { operator } of after) for (const input of [0, 1]) operator.input(input).watermark(100)
      const fired = after.flatMap(({ out }) => out.values).sort((a, b) => a[1] - b[1])
      expect(fired).toEqual(keys.map((k, n) => [k, n, [['rule', 1]]]))
    }
  })

  it('refuses a checkpoint that has another kind of state under the name', async () => {
    const old = await openSubtasks(make, 1)
    write(old[0]!, 'a', 1)
    const [snapshot] = takeSnapshots(old)
    const { state } = snapshot!
    const lists = state!.lists.map((list) => ({ ...list, mode: 'split' as const }))
    const asList = { ...snapshot!, state: { ...state!, lists } }
    await expect(openSubtasks(make, 1, [asList], 'check')).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-004',
      message:
        'Cannot restore broadcast state "rules" of operator "check": the checkpoint has list state of that name; give the new state another name',
    })
  })
})
