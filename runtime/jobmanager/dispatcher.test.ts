import { describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { Dispatcher, type DispatcherOptions, type Submission } from './dispatcher.ts'
import { fakePool, twoVertexPlan } from './fake-slots.suite.ts'

function dispatcherOf({ slots = 2, ...more }: { slots?: number } & Partial<DispatcherOptions> = {}) {
  const { pool, spawned } = fakePool(slots)
  let n = 0
  const clock = new ManualClock(5)
  const dispatcher = new Dispatcher({ pool, newJobId: () => `j${n++}`, clock, ...more })
  const submit = (parallelism: number, onEnd: Submission['onEnd'] = () => {}, config: Record<string, string> = {}) => {
    const plan = twoVertexPlan(parallelism)
    plan.config.options = config
    return dispatcher.submit({
      plan,
      program: { url: 'file:///job.ts', args: [], parameters: {}, options: {} },
      replay: { executeIndex: 0, results: [], once: {} },
      toProgram: () => {},
      onEnd,
    })
  }
  return { clock, dispatcher, spawned, submit }
}

describe('Dispatcher', () => {
  it('leases as many slots as a job needs, and shows both', () => {
    const { dispatcher, submit } = dispatcherOf({ slots: 3 })
    submit(2)
    expect(dispatcher.cluster()).toEqual({
      startTime: 5,
      slots: [
        { index: 0, state: 'busy', taskManager: 'fake', jobId: 'j0' },
        { index: 1, state: 'busy', taskManager: 'fake', jobId: 'j0' },
        { index: 2, state: 'starting', taskManager: 'fake' },
      ],
    })
    expect(dispatcher.list()).toMatchObject([{ id: 'j0', name: 'numbers', status: 'INITIALIZING' }])
    expect([dispatcher.view('j0')?.id, dispatcher.view('nope')]).toEqual(['j0', undefined])
  })

  it.each([
    [4, 'it needs 4 slots, 2 of 2 are free. Start the cluster with more (--slots 4'],
    [2, 'it needs 2 slots, 1 of 2 are free. Wait for another job to end'],
  ])('refuses a job of %i slots, saying what to raise', (parallelism, text) => {
    const { submit } = dispatcherOf()
    if (parallelism === 2) submit(1)
    expect(() => submit(parallelism)).toThrow(
      expect.objectContaining({ code: 'TR-CLUSTER-001', message: expect.stringContaining(text) }),
    )
  })

  it('gives the slots back when a job’s settings cannot be used', () => {
    const { dispatcher, submit } = dispatcherOf()
    expect(() => submit(2, undefined, { 'restart-strategy': 'sometimes' })).toThrow(
      expect.objectContaining({ code: 'TR-CHECKPOINT-006' }),
    )
    expect(dispatcher.cluster().slots.map((slot) => slot.state)).toEqual(['starting', 'starting'])
    expect(submit(2).status).toBe('INITIALIZING')
  })

  it('runs operations on jobs, and says how they went', async () => {
    const { dispatcher, submit } = dispatcherOf()
    const job = submit(1)
    const ids = (['checkpoint', 'savepoint', 'stop'] as const).map((kind) =>
      dispatcher.trigger(job.id, { kind, triggerId: `of-${kind}`, drain: false }),
    )
    expect(ids).toEqual(['of-checkpoint', 'of-savepoint', 'of-stop'])
    expect(dispatcher.operation(job.id, 'stop', 'of-stop')).toEqual({ status: 'IN_PROGRESS' })
    await new Promise((resolve) => setImmediate(resolve))
    for (const kind of ['checkpoint', 'savepoint', 'stop'] as const)
      expect(dispatcher.operation(job.id, kind, `of-${kind}`)).toMatchObject({
        status: 'COMPLETED',
        error: { message: expect.stringContaining('this cluster has no place to store it') },
      })
    expect(dispatcher.trigger('nope', { kind: 'checkpoint' })).toBeUndefined()
    expect(dispatcher.operation('nope', 'stop', 'x')).toBeUndefined()
    expect(dispatcher.trigger(job.id, { kind: 'checkpoint' })).toBe('j1')
  })

  it('disposes of savepoints, once for an id, where it reaches them', async () => {
    const disposed: string[] = []
    const { dispatcher } = dispatcherOf({ disposeSavepoint: async (path) => void disposed.push(path) })
    for (let i = 0; i < 2; i++) expect(dispatcher.disposeSavepoint('/sp', 'mine')).toBe('mine')
    expect(dispatcher.disposal('mine')).toEqual({ status: 'IN_PROGRESS' })
    await new Promise((resolve) => setImmediate(resolve))
    expect([disposed, dispatcher.disposal('mine')]).toEqual([['/sp'], { status: 'COMPLETED', endedAgoMs: 0 }])
    const { dispatcher: other } = dispatcherOf()
    const id = other.disposeSavepoint('/sp')
    await new Promise((resolve) => setImmediate(resolve))
    expect(other.disposal(id)).toMatchObject({ error: { code: 'TR-CHECKPOINT-005' } })
  })

  it('shows the checkpoints of a job, and what is configured', () => {
    const { dispatcher, submit } = dispatcherOf()
    const job = submit(1)
    expect(dispatcher.checkpoints(job.id)).toMatchObject({
      counts: { total: 0 },
      history: [],
      settings: { intervalMs: undefined, mode: 'EXACTLY_ONCE' },
    })
    expect([dispatcher.checkpoints('nope'), dispatcher.checkpoint(job.id, 1)]).toEqual([undefined, undefined])
  })

  it('lists the newest first and remembers as many ended jobs as it may', () => {
    const { dispatcher, submit } = dispatcherOf({ slots: 1, historyMax: 2 })
    const ended: string[] = []
    for (let n = 0; n < 4; n++) {
      const job = submit(1, (end) => ended.push(end.id))
      job.schedule()
      dispatcher.cancel(job.id)
    }
    dispatcher.cancel('nope')
    expect(ended).toEqual(['j0', 'j1', 'j2', 'j3'])
    expect(dispatcher.list().map((j) => [j.id, j.status])).toEqual([
      ['j3', 'CANCELED'],
      ['j2', 'CANCELED'],
    ])
    expect(dispatcher.job('j0')).toBeUndefined()
  })
})
