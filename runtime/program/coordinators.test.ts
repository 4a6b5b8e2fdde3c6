import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { EnumeratorContext, Source, SourceSplit, SplitEnumerator } from '../core/source.ts'
import type { JobGraph } from '../graph/model.ts'
import type { FromProgram } from '../rpc/program-messages.ts'
import { SourceCoordinators } from './coordinators.ts'

type Hooks = Partial<SplitEnumerator<SourceSplit>> & {
  create?(context: EnumeratorContext<SourceSplit>): void
  /** Undefined: the source cannot restore. */
  restore?(state: unknown): void
}

function start(hooks: Hooks, states?: Record<string, unknown>) {
  const posted: FromProgram[] = []
  let context!: EnumeratorContext<SourceSplit>
  const enumerator = {
    start() {},
    addReader() {},
    handleSplitRequest() {},
    addSplitsBack() {},
    close() {},
    snapshot() {},
    ...hooks,
  }
  const source = {
    createEnumerator(given: EnumeratorContext<SourceSplit>) {
      context = given
      hooks.create?.(given)
      return enumerator
    },
    ...(hooks.restore === undefined
      ? {}
      : {
          restoreEnumerator(given: EnumeratorContext<SourceSplit>, state: unknown) {
            context = given
            hooks.restore!(state)
            return enumerator
          },
        }),
  } as unknown as Source<unknown>
  const operator = { name: 'numbers', operatorId: 'op1', node: { isSource: true, spec: { options: { source } } } }
  const other = { name: 'map', node: { isSource: false } }
  const graph = {
    vertices: [
      { id: 'v1', parallelism: 2, operators: [operator] },
      { id: 'v2', parallelism: 2, operators: [other] },
    ],
  } as unknown as JobGraph
  const coordinators = new SourceCoordinators('j', graph, (message) => posted.push(message), states)
  return { coordinators, posted, context }
}

describe('SourceCoordinators', () => {
  it('passes readers and requests on, and splits back', () => {
    const { coordinators, posted, context } = start({
      handleSplitRequest: (subtask) => {
        context.assign({ id: 's1' }, subtask)
        context.noMoreSplits(subtask)
      },
      handleEvent: (subtask, event) => context.sendEvent(subtask, event),
    })
    const place = { jobId: 'j', vertexId: 'v1', subtask: 1 }
    coordinators.receive({ type: 'addReader', ...place })
    expect([context.parallelism, context.readers()]).toEqual([2, [1]])
    coordinators.receive({ type: 'splitRequest', ...place })
    coordinators.receive({ type: 'sourceEvent', ...place, event: 'hello' })
    expect(posted).toEqual([
      { type: 'assignSplits', ...place, splits: [{ id: 's1' }] },
      { type: 'noMoreSplits', ...place },
      { type: 'sourceEvent', ...place, event: 'hello' },
    ])
  })

  it('tells a reader that there is no split for it now by an empty list', () => {
    const { coordinators, posted, context } = start({ handleSplitRequest: (subtask) => context.noSplitsNow(subtask) })
    const place = { jobId: 'j', vertexId: 'v1', subtask: 1 }
    coordinators.receive({ type: 'splitRequest', ...place })
    expect(posted).toEqual([{ type: 'assignSplits', ...place, splits: [] }])
  })

  it.each([
    ['creation', { create: () => raise() }],
    ['start', { start: () => raise() }],
    ['a call', { addReader: () => raise() }],
  ] as [string, Hooks][])('fails the job when %s throws', (_, hooks) => {
    const { coordinators, posted } = start(hooks)
    coordinators.receive({ type: 'addReader', jobId: 'j', vertexId: 'v1', subtask: 0 })
    expect(posted).toMatchObject([
      {
        type: 'coordinatorFailed',
        jobId: 'j',
        vertexId: 'v1',
        error: { code: 'TR-SOURCE-001', operator: 'numbers', message: expect.stringMatching(/"numbers": no list/) },
      },
    ])
  })

  it.each([
    ['a state', { op1: [1] }, ['restore [1]', 'start']],
    ['no state of its own', { op2: [1] }, ['create', 'start']],
    ['null, which is nothing to keep', { op1: null }, ['create', 'start']],
  ])('begins with %s', (_, states, expected) => {
    const calls: string[] = []
    start(
      {
        create: () => void calls.push('create'),
        restore: (state) => void calls.push(`restore ${JSON.stringify(state)}`),
        start: () => void calls.push('start'),
      },
      states,
    )
    expect(calls).toEqual(expected)
  })

  it('never begins anew where it should go on', () => {
    const create = vi.fn()
    const { posted } = start({ create }, { op1: 5 })
    expect(posted).toMatchObject([
      {
        type: 'coordinatorFailed',
        error: { code: 'TR-CHECKPOINT-004', message: expect.stringContaining('"numbers"'), operator: 'numbers' },
      },
    ])
    expect(create).not.toHaveBeenCalled()
  })

  it('gives the states of the enumerators, as they are now', () => {
    const assigned = ['s1']
    const { coordinators } = start({ snapshot: () => ({ assigned }) })
    const states = coordinators.snapshot()
    assigned.push('s2')
    expect(states).toEqual({ op1: { assigned: ['s1'] } })
    coordinators.close()
    expect(coordinators.snapshot()).toEqual({})
  })

  it('leaves out who has nothing to keep, and says who cannot give a state', () => {
    expect(start({ snapshot: () => undefined }).coordinators.snapshot()).toEqual({})
    const failing = start({ snapshot: () => raise() })
    expect(() => failing.coordinators.snapshot()).toThrow(
      expect.objectContaining({
        code: 'TR-SOURCE-001',
        message: 'Cannot take the state of source "numbers": no list',
        operator: 'numbers',
      }),
    )
    const unclonable = start({ snapshot: () => ({ fn: () => 1 }) })
    expect(() => unclonable.coordinators.snapshot()).toThrow(/state of source "numbers": .*cloned/)
    // The job may tolerate it.
    expect([...failing.posted, ...unclonable.posted]).toEqual([])
  })

  it('tells enumerators of completed checkpoints, and the JobManager of backlogs', () => {
    const seen: number[] = []
    const { context, coordinators, posted } = start({ notifyCheckpointComplete: (id) => void seen.push(id) })
    coordinators.checkpointComplete(3)
    context.setIsProcessingBacklog(true)
    expect([seen, posted]).toEqual([[3], [{ type: 'backlog', jobId: 'j', vertexId: 'v1', has: true }]])
    const failing = start({ notifyCheckpointComplete: () => raise() })
    failing.coordinators.checkpointComplete(3)
    expect(failing.posted).toMatchObject([{ type: 'coordinatorFailed' }])
  })

  describe('callAsync', () => {
    beforeEach(() => void vi.useFakeTimers())
    afterEach(() => void vi.useRealTimers())

    it('gives results, again and again, until closed', async () => {
      const { coordinators, context } = start({})
      const seen: number[] = []
      let n = 0
      context.callAsync(
        async () => ++n,
        (result) => void seen.push(result),
        100,
      )
      await vi.advanceTimersByTimeAsync(250)
      expect(seen).toEqual([1, 2, 3])
      coordinators.close()
      await vi.advanceTimersByTimeAsync(500)
      expect(seen).toEqual([1, 2, 3])
    })

    it('fails the job when the task rejects', async () => {
      const { posted, context } = start({})
      context.callAsync(
        async () => raise(),
        () => {},
      )
      await vi.advanceTimersByTimeAsync(0)
      expect(posted).toMatchObject([{ type: 'coordinatorFailed' }])
    })
  })

  it('closes enumerators once and hears nothing after', () => {
    const close = vi.fn(() => raise())
    const addReader = vi.fn()
    const { coordinators, posted } = start({ close, addReader })
    coordinators.close()
    coordinators.close()
    coordinators.receive({ type: 'addReader', jobId: 'j', vertexId: 'v1', subtask: 0 })
    expect([close.mock.calls.length, addReader.mock.calls.length, posted]).toEqual([1, 0, []])
  })
})

function raise(): never {
  throw new Error('no list')
}
