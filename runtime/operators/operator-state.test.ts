/** State of functions that belongs to no key [S-03, KG-05], and what functions are told of checkpoints [S-05], whichever operator runs them. */
import { describe, expect, it, test } from 'vitest'
import type { CheckpointedFunction, InitializationContext, OperatorListState } from '../core/checkpoint.ts'
import { isTailraceError } from '../core/errors.ts'
import { ProcessWindowFunction } from '../core/window-functions.ts'
import { TumblingEventTimeWindows } from '../core/windows.ts'
import { Operator as BroadcastProcess } from './broadcast-process.ts'
import { Operator as CoProcess } from './co-process.ts'
import { Operator as Filter } from './filter.ts'
import { Operator as FlatMap } from './flat-map.ts'
import { Operator as KeyedBroadcastProcess } from './keyed-broadcast-process.ts'
import { Operator as KeyedCoProcess } from './keyed-co-process.ts'
import { Operator as KeyedProcess } from './keyed-process.ts'
import { Operator as KeyedReduce } from './keyed-reduce.ts'
import { Operator as MapOperator } from './map.ts'
import type { BaseOperator } from './operator.ts'
import { Operator as Process } from './process.ts'
import { openSubtasks, takeSnapshots } from './rescale.suite.ts'
import { Operator as Window } from './window.ts'

/** A map function that keeps what it has seen. */
class Seen implements CheckpointedFunction {
  readonly kind: 'list' | 'union'
  readonly name: string
  state!: OperatorListState<unknown>
  context!: InitializationContext
  constructor(kind: 'list' | 'union' = 'list', name = 'seen') {
    this.kind = kind
    this.name = name
  }
  initializeState(context: InitializationContext) {
    this.context = context
    const { operatorState } = context
    this.state =
      this.kind === 'list' ? operatorState.getListState(this.name) : operatorState.getUnionListState(this.name)
  }
  snapshotState() {}
  map(value: unknown) {
    this.state.add(value)
    return [...this.state.get()]
  }
}

const mapOf = (fn: Seen) => Object.assign(new MapOperator({ fn }), { seen: fn })
const elements = (subtasks: { operator: ReturnType<typeof mapOf> }[]) =>
  subtasks.map(({ operator }) => [...operator.seen.state.get()])

/** Subtasks whose lists have these elements. */
async function withElements(lists: unknown[][], kind: 'list' | 'union' = 'list') {
  const subtasks = await openSubtasks(() => mapOf(new Seen(kind)), lists.length)
  lists.forEach((list, i) => {
    for (const value of list) subtasks[i]!.operator.process(value, 0)
  })
  return subtasks
}

describe('OperatorListState', () => {
  it('gives what was added, replaces and clears, and shows a reader the list as it was', async () => {
    const [subtask] = await withElements([[1, 2]])
    const { state } = subtask!.operator.seen
    const before = state.get()
    state.add(3)
    expect([[...before], [...state.get()]]).toEqual([
      [1, 2],
      [1, 2, 3],
    ])
    state.update(new Set(['a']))
    expect([...state.get()]).toEqual(['a'])
    state.clear()
    expect([...state.get()]).toEqual([])
  })

  it('knows whether it goes on from a checkpoint, and is there before open', async () => {
    const order: string[] = []
    class Ordered extends Seen {
      override initializeState(context: InitializationContext) {
        super.initializeState(context)
        order.push(`initialize ${context.isRestored} ${context.restoredCheckpointId}`)
      }
      open() {
        order.push('open')
        this.state.add('of open')
      }
    }
    const first = await openSubtasks(() => mapOf(new Ordered()), 1)
    await first[0]!.operator.close()
    const again = await openSubtasks(() => mapOf(new Ordered()), 1, takeSnapshots(first))
    expect(order).toEqual(['initialize false undefined', 'open', 'initialize true 1', 'open'])
    expect(elements(again)).toEqual([['of open', 'of open']])
  })

  it('takes what snapshotState puts into it at the barrier, and nothing later', async () => {
    class Buffered extends Seen {
      readonly buffer: unknown[] = []
      override map(value: unknown) {
        this.buffer.push(value)
        return []
      }
      override snapshotState(checkpointId = 0) {
        this.state.update([`checkpoint ${checkpointId}`, ...this.buffer])
      }
    }
    const subtasks = await openSubtasks(() => mapOf(new Buffered()), 1)
    subtasks[0]!.operator.process('a', 0)
    const snapshots = takeSnapshots(subtasks, 7)
    subtasks[0]!.operator.process('b', 0)
    expect(elements(await openSubtasks(() => mapOf(new Seen()), 1, snapshots))).toEqual([['checkpoint 7', 'a']])
  })

  const table: [what: string, kind: 'list' | 'union', before: unknown[][], after: number, wanted: unknown[][]][] = [
    ['split stays where it was', 'list', [[1, 2, 3], []], 2, [[1, 2, 3], []]],
    [
      'split is dealt out to more',
      'list',
      [
        [1, 2, 3],
        [4, 5],
      ],
      3,
      [[1, 2], [3, 4], [5]],
    ],
    [
      'split is dealt out to fewer',
      'list',
      [[1], [2], [3], [4, 5]],
      2,
      [
        [1, 2, 3],
        [4, 5],
      ],
    ],
    [
      'union goes to all',
      'union',
      [[1], [2, 3]],
      3,
      [
        [1, 2, 3],
        [1, 2, 3],
        [1, 2, 3],
      ],
    ],
    [
      'union goes to all at the same parallelism, too',
      'union',
      [[1], [2]],
      2,
      [
        [1, 2],
        [1, 2],
      ],
    ],
  ]
  test.each(table)('%s', async (_, kind, before, after, wanted) => {
    const snapshots = takeSnapshots(await withElements(before, kind))
    const restored = await openSubtasks(() => mapOf(new Seen(kind)), after, snapshots)
    expect(elements(restored)).toEqual(wanted)
  })

  it('stays in the checkpoints when a function does not ask for it, or has become a lambda', async () => {
    for (const kind of ['list', 'union'] as const) {
      const snapshots = takeSnapshots(await withElements([[1], [2, 3]], kind))
      const other = await openSubtasks(() => mapOf(new Seen('list', 'other')), 2, snapshots)
      other[0]!.operator.process('x', 0)
      const lambda = await openSubtasks(() => new MapOperator({ fn: (n: number) => n }), 3, takeSnapshots(other))
      const back = await openSubtasks(() => mapOf(new Seen(kind)), 1, takeSnapshots(lambda))
      expect(elements(back)[0]!.toSorted()).toEqual([1, 2, 3])
    }
  })

  const misuses: [what: string, fn: (context: InitializationContext) => unknown, code: string, text: string][] = [
    [
      'one name for both kinds',
      ({ operatorState }) => {
        operatorState.getListState('a')
        operatorState.getUnionListState('a')
      },
      'TR-STATE-001',
      'Cannot get union list state "a" of operator "operator": it is in use as list state, and a name must always mean the same state',
    ],
    [
      'an instance of a class',
      ({ operatorState }) => operatorState.getListState('a').add(new URL('http://localhost')),
      'TR-STATE-003',
      'Cannot keep an instance of URL in state "a": values are numbers, strings, booleans, bigints, dates, bytes, and plain objects, arrays, maps and sets of these',
    ],
    [
      'a state that was of the other kind',
      ({ operatorState }) => operatorState.getUnionListState('seen'),
      'TR-CHECKPOINT-004',
      'Cannot restore union list state "seen" of operator "operator": the checkpoint has list state of that name; give the new state another name',
    ],
  ]
  test.each(misuses)('refuses %s', async (_, initializeState, code, message) => {
    const snapshots = takeSnapshots(await withElements([[1]]))
    const fn = { initializeState, snapshotState() {}, map: (n: number) => n }
    const error = await openSubtasks(() => new MapOperator({ fn }), 1, snapshots).catch((thrown) => thrown)
    expect(isTailraceError(error) ? [error.code, error.message] : error).toEqual([code, message])
  })

  it('refuses an empty name', async () => {
    const fn = { initializeState: (c: InitializationContext) => c.operatorState.getListState(''), map: () => 0 }
    await expect(openSubtasks(() => new MapOperator({ fn }), 1)).rejects.toThrow('a text is wanted')
  })

  it('refuses to share a function object among subtasks of a thread', async () => {
    const shared = new Seen()
    const subtasks = await openSubtasks(() => mapOf(shared), 1)
    await expect(openSubtasks(() => mapOf(shared), 1)).rejects.toMatchObject({ code: 'TR-TASK-001' })
    await subtasks[0]!.operator.close()
    await openSubtasks(() => mapOf(shared), 1)
  })
})

/** Every operator that runs functions, each with this one. */
const keyOf = (value: unknown) => value as number
const operators: [string, (fn: any) => BaseOperator][] = [
  ['map', (fn) => new MapOperator({ fn })],
  ['filter', (fn) => new Filter({ fn })],
  ['flatMap', (fn) => new FlatMap({ fn })],
  ['process', (fn) => new Process({ fn })],
  ['keyed process', (fn) => new KeyedProcess({ fn, keyOf })],
  ['reduce', (fn) => new KeyedReduce({ reduce: fn, keyOf })],
  ['co-map', (fn) => new CoProcess({ kind: 'map', fn })],
  ['co-process', (fn) => new CoProcess({ kind: 'process', fn })],
  ['keyed co-process', (fn) => new KeyedCoProcess({ kind: 'process', fn, keyOf1: keyOf, keyOf2: keyOf })],
  ['broadcast process', (fn) => new BroadcastProcess({ fn, descriptors: [] })],
  ['keyed broadcast process', (fn) => new KeyedBroadcastProcess({ fn, keyOf, descriptors: [] })],
  [
    'a window function',
    (fn) =>
      new Window({
        assigner: TumblingEventTimeWindows.of(10),
        keyOf,
        kind: 'process',
        windowFn: fn,
        allowedLatenessMs: 0,
        lateTag: undefined,
      }),
  ],
]

describe('a function of', () => {
  it.each(operators)('%s has state, and is told how checkpoints end', async (_, make) => {
    const calls: unknown[] = []
    const restored: unknown[] = []
    class Fn extends ProcessWindowFunction<number, number, number> {
      #state!: OperatorListState<string>
      initializeState({ operatorState }: InitializationContext) {
        this.#state = operatorState.getListState('state')
        restored.push(...this.#state.get())
      }
      snapshotState(checkpointId: number) {
        this.#state.update([`checkpoint ${checkpointId}`])
      }
      override process() {}
      notifyCheckpointComplete(checkpointId: number) {
        calls.push(['complete', checkpointId])
        return Promise.resolve()
      }
      notifyCheckpointAborted(checkpointId: number) {
        calls.push(['aborted', checkpointId])
      }
    }
    const before = await openSubtasks(() => make(new Fn()), 1)
    const { operator } = before[0]!
    const snapshots = takeSnapshots(before, 3)
    await operator.notifyCheckpointComplete(3)
    operator.notifyCheckpointAborted(4)
    expect(calls).toEqual([
      ['complete', 3],
      ['aborted', 4],
    ])
    expect(restored).toEqual([])
    await openSubtasks(() => make(new Fn()), 1, snapshots)
    expect(restored).toEqual(['checkpoint 3'])
  })

  it('map that fails at the barrier fails the snapshot with its own words', async () => {
    const fn = {
      snapshotState() {
        throw new Error('cannot be flushed')
      },
      map: (n: number) => n,
    }
    const subtasks = await openSubtasks(() => new MapOperator({ fn }), 1)
    expect(() => takeSnapshots(subtasks)).toThrow('cannot be flushed')
  })

  it('a lambda has nothing of it', async () => {
    const subtasks = await openSubtasks(() => new MapOperator({ fn: (n: number) => n }), 1)
    expect(takeSnapshots(subtasks)).toMatchObject([{ state: null }])
    expect(await subtasks[0]!.operator.notifyCheckpointComplete(1)).toBeUndefined()
  })
})
