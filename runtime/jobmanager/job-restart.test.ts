import { describe, expect, it } from 'vitest'
import { errorToData, TailraceError } from '../core/errors.ts'
import { beginJob, type FakeJobOptions, tick } from './fake-job.suite.ts'
import type { FakeSlot } from './fake-slots.suite.ts'

const boom = errorToData(new TailraceError('TR-TASK-001', 'boom', { operator: 'double' }))
const hopeless = errorToData(new TailraceError('TR-RECORD-001', 'no key'))
const FIXED = { 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.attempts': '2' }

/** A job that restarts twice, after a second each. */
const begin = (options: FakeJobOptions = {}) => beginJob({ config: FIXED, ...options })

/** The sink's first subtask fails in slot a, and b answers that it cancelled. */
function failIn({ a, b, sink, source }: ReturnType<typeof begin>, error = boom) {
  a.say({ type: 'taskState', vertexId: sink, subtask: 0, state: 'FAILED', error })
  a.say({ type: 'taskState', vertexId: source, subtask: 0, state: 'CANCELED' })
  b.all('CANCELED')
}

describe('a job with a restart strategy', () => {
  it('cancels its tasks, waits, and runs again', () => {
    const job = begin()
    const { a, b, sink, source, run, time } = job
    run()
    a.say({ type: 'taskState', vertexId: sink, subtask: 0, state: 'FAILED', error: boom })
    expect([job.job.status, b.heard.at(-1), job.states()]).toEqual([
      'RESTARTING',
      'cancel',
      ['CANCELING', 'CANCELING', 'FAILED', 'CANCELING'],
    ])
    a.say({ type: 'taskState', vertexId: source, subtask: 0, state: 'CANCELED' })
    b.all('CANCELED')
    time.advance(999)
    expect(job.job.status).toBe('RESTARTING')
    time.advance(1)
    expect(job.job.status).toBe('RUNNING')
    const second = job.spawned[2]!
    run(second, b)
    expect(job.states()).toEqual(['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING'])
    expect(job.statuses()).toEqual(['CREATED', 'RUNNING', 'RESTARTING', 'CREATED', 'RUNNING'])
    const { numRestarts, totalMs, timestamps, vertices } = job.job.view()
    expect([numRestarts, totalMs.RESTARTING, timestamps.RUNNING]).toEqual([1, 1000, 2000])
    expect(vertices.flatMap((v) => v.subtasks.map((s) => s.attempt))).toEqual([1, 1, 1, 1])
    for (const slot of [second, b]) slot.all('FINISHED')
    expect(job.ends).toMatchObject([{ status: 'FINISHED' }])
  })

  it('keeps the slots whose tasks were only cancelled, and replaces the one with the failed task', () => {
    const job = begin()
    const { a, b, run, spawned, time } = job
    run()
    failIn(job)
    expect([a.heard.at(-1), b.heard.at(-1), spawned.length]).toEqual(['retire', 'cancel', 3])
    time.advance(1000)
    expect(b.heard).toEqual(['deploy', 'start', 'cancel', 'deploy'])
    expect([b.deployment.attempt, spawned[2]!.deployment.attempt, spawned[2]!.deployment.slotIndex]).toEqual([1, 1, 0])
    expect(job.job.view().metrics.map((m) => m.page)).toEqual([spawned[2]!.deployment.page, b.deployment.page])
  })

  it('keeps a slot whose task has failed because another one was lost', async () => {
    const job = begin()
    job.run()
    const lost = errorToData(new TailraceError('TR-EXCHANGE-001', 'Lost slot 1'))
    job.a.say({ type: 'taskState', vertexId: job.sink, subtask: 0, state: 'FAILED', error: lost })
    job.b.exit({ code: 1 })
    await tick()
    job.a.say({ type: 'taskState', vertexId: job.source, subtask: 0, state: 'CANCELED' })
    job.time.advance(1000)
    expect(job.a.heard).toEqual(['deploy', 'start', 'cancel', 'deploy'])
    expect([job.spawned.length, job.spawned[2]!.heard]).toEqual([3, ['prepare', 'deploy']])
  })

  it('replaces slots that end, do not cancel in time, or cannot build their part', async () => {
    const ended = begin()
    ended.run()
    ended.b.exit({ code: 1 })
    await tick()
    ended.a.all('CANCELED')
    expect([ended.job.status, ended.spawned.length, ended.a.heard.at(-1)]).toEqual(['RESTARTING', 3, 'cancel'])

    const hung = begin()
    hung.run()
    hung.job.fail(boom)
    hung.a.all('CANCELED')
    hung.time.advance(20)
    expect([hung.b.terminated, hung.spawned.length]).toEqual([true, 3])
    hung.time.advance(980)
    hung.run(hung.a, hung.spawned[2]!)
    expect(hung.states()).toEqual(['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING'])

    const unbuilt = begin()
    unbuilt.a.say({ type: 'deployed' })
    unbuilt.b.say({ type: 'deployFailed', error: boom })
    // Whether the other one is through with its deployment is not known, so it is replaced too.
    expect([unbuilt.job.status, unbuilt.spawned.length]).toEqual(['RESTARTING', 4])
  })

  it('replaces a slot that ends while the delay passes', async () => {
    const job = begin()
    job.run()
    failIn(job)
    job.b.exit({ code: 1 })
    await tick()
    job.time.advance(1000)
    expect([job.spawned.length, job.job.status]).toEqual([4, 'RUNNING'])
    job.run(job.spawned[2]!, job.spawned[3]!)
    expect(job.states()).toEqual(['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING'])
  })

  it('does not begin before the last task has ended, however long that takes', () => {
    const job = begin({ timeouts: { deployMs: 50, cancelMs: 60_000, slotsMs: 1000 } })
    job.run()
    job.job.fail(boom)
    job.a.all('CANCELED')
    job.time.advance(5000)
    expect([job.job.status, job.a.heard.at(-1)]).toEqual(['RESTARTING', 'cancel'])
    job.b.all('CANCELED')
    job.time.advance(0)
    expect([job.job.status, job.a.heard.at(-1)]).toEqual(['RUNNING', 'deploy'])
  })

  it('fails when the strategy gives up, and says why', () => {
    const job = begin()
    job.run()
    let failing: FakeSlot[] = [job.a, job.b]
    for (let attempt = 0; attempt < 3; attempt++) {
      job.job.fail(boom)
      for (const slot of failing) slot.all('CANCELED')
      job.time.advance(1000)
      failing = [job.a, job.b]
      if (attempt < 2) job.run(...failing)
    }
    expect(job.ends).toEqual([{ status: 'FAILED', error: boom }])
    const { exceptions, notRestarted, numRestarts } = job.job.view()
    expect([exceptions.length, numRestarts, notRestarted]).toEqual([3, 2, 'it was restarted 2 times already'])
    expect(exceptions.map((e) => e.timestamp)).toEqual([1000, 2000, 3000])
  })

  it.each([
    ['at once', true],
    ['also while it restarts', false],
  ])('fails %s for a reason that running again cannot mend', (_, first) => {
    const job = begin()
    job.run()
    if (!first) job.job.fail(boom)
    job.job.fail(hopeless)
    expect(job.job.status).toBe('FAILING')
    for (const slot of [job.a, job.b]) slot.all('CANCELED')
    expect(job.ends).toEqual([{ status: 'FAILED', error: hopeless }])
    expect(job.time.pendingMs).toEqual([])
  })

  it('takes later failures of an attempt as one with the first', () => {
    const job = begin()
    job.run()
    job.job.fail(boom)
    for (let i = 0; i < 20; i++) job.job.fail(errorToData(new TailraceError('TR-TASK-001', `later ${i}`)))
    for (const slot of [job.a, job.b]) slot.all('CANCELED')
    job.time.advance(1000)
    const { exceptions } = job.job.view()
    expect([exceptions.length, exceptions[0]!.concurrent.length]).toEqual([1, 16])
    expect([job.job.status, job.job.view().numRestarts]).toEqual(['RUNNING', 1])
  })

  it('remembers the last 16 failures, or as many as web.exception-history-size says', () => {
    for (const [config, kept] of [
      [{}, 16],
      [{ 'web.exception-history-size': '3' }, 3],
    ] as const) {
      const attempts = {
        'restart-strategy.fixed-delay.attempts': 'infinite',
        'restart-strategy.fixed-delay.delay': '0',
      }
      const job = begin({ config: { ...FIXED, ...attempts, ...config } })
      job.run()
      for (let i = 0; i < 20; i++) {
        job.job.fail(errorToData(new TailraceError('TR-TASK-001', `failure ${i}`)))
        for (const slot of [job.a, job.b]) slot.all('CANCELED')
        job.time.advance(0)
        job.run()
      }
      const messages = job.job.view().exceptions.map((e) => e.error.message)
      expect([messages.length, messages.at(-1)]).toEqual([kept, 'failure 19'])
    }
  })

  it('can be cancelled while tasks end, while the delay passes, and after it', () => {
    const ending = begin()
    ending.run()
    ending.job.fail(boom)
    ending.job.cancel()
    for (const slot of [ending.a, ending.b]) slot.all('CANCELED')
    expect(ending.ends).toMatchObject([{ status: 'CANCELED' }])

    const waiting = begin()
    waiting.run()
    failIn(waiting)
    waiting.job.cancel()
    expect([waiting.ends, waiting.time.pendingMs]).toMatchObject([[{ status: 'CANCELED' }], []])
    expect([waiting.b.heard.at(-1), waiting.spawned[2]!.heard]).toEqual(['retire', ['prepare', 'retire']])

    const again = begin()
    again.run()
    failIn(again)
    again.time.advance(1000)
    again.job.cancel()
    expect(again.ends).toMatchObject([{ status: 'CANCELED' }])
  })

  it('waits for slots that other jobs took, and fails the attempt when none come', () => {
    const job = begin({
      timeouts: { deployMs: 50, cancelMs: 20, slotsMs: 1000 },
      acquireSlots: () => undefined,
      freeSlots: () => 0,
    })
    job.run()
    failIn(job)
    job.time.advance(1500)
    expect([job.job.status, job.b.heard.at(-1)]).toEqual(['CREATED', 'cancel'])
    job.time.advance(600)
    // The second restart of two, and then the strategy gives up.
    expect(job.job.status).toBe('RESTARTING')
    job.time.advance(3000)
    expect(job.ends).toMatchObject([{ status: 'FAILED', error: { code: 'TR-CLUSTER-001' } }])
    expect(job.ends[0]!.error!.message).toContain(
      'it needs 2 slots, and 1 were available within 1 s (slot.request.timeout)',
    )
  })

  it('goes on once slots are free again', () => {
    let busy = true
    const job: ReturnType<typeof begin> = begin({
      acquireSlots: (count) => (busy ? undefined : job.pool.acquire('j', count)),
      freeSlots: () => (busy ? 0 : job.pool.free),
    })
    job.run()
    failIn(job)
    job.time.advance(1300)
    expect([job.job.status, job.spawned.length]).toEqual(['CREATED', 2])
    busy = false
    job.job.resourcesChanged()
    job.run(job.spawned[2]!, job.b)
    expect(job.states()).toEqual(['RUNNING', 'RUNNING', 'RUNNING', 'RUNNING'])
  })

  it('tells the program to make its enumerators anew, and believes no earlier one', () => {
    const job = begin()
    const { a, b, source, time } = job
    const assign = () =>
      job.job.receive({ type: 'assignSplits', jobId: 'j', vertexId: source, subtask: 1, splits: [{ id: 's' }] })
    const splits = () => [...a.posted, ...b.posted].filter((m) => m.type === 'splits').length
    assign()
    expect(splits()).toBe(0)
    job.run()
    assign()
    expect(splits()).toBe(1)
    job.job.fail(boom)
    for (const slot of [a, b]) slot.all('CANCELED')
    time.advance(1000)
    const resets = job.toProgram.filter((m) => m.type === 'resetEnumerators')
    expect(resets.map((m) => [m.attempt, m.states])).toEqual([
      [0, undefined],
      [1, undefined],
    ])
    // What the old enumerators said was under way.
    assign()
    job.job.receive({ type: 'coordinatorFailed', jobId: 'j', vertexId: source, error: hopeless })
    job.job.receive({ type: 'enumeratorsReset', jobId: 'j', attempt: 0 })
    assign()
    expect([splits(), job.job.status]).toEqual([1, 'RUNNING'])
    job.run()
    assign()
    expect(splits()).toBe(2)
    expect(job.toProgram.filter((m) => m.type === 'addReader').length).toBe(4)
  })

  it('counts accumulators of the last attempt only, and keeps agreed types', () => {
    const job = begin()
    const { a, b, sink } = job
    const finish = (slot: FakeSlot, subtask: number) =>
      slot.say({ type: 'taskState', vertexId: sink, subtask, state: 'FINISHED', accumulators: { n: 1 } })
    job.run()
    a.say({ type: 'proposeType', edgeId: 0, edgeType: { kind: 'number' } })
    finish(a, 0)
    job.job.fail(boom)
    for (const slot of [a, b]) slot.all('CANCELED')
    job.time.advance(1000)
    expect(b.deployment.edgeTypes).toEqual({ 0: { kind: 'number' } })
    job.run()
    for (const [subtask, slot] of [a, b].entries()) finish(slot, subtask)
    for (const slot of [a, b]) slot.all('FINISHED')
    expect(job.ends[0]!.result!.accumulators).toEqual({ n: 2 })
  })

  it('does not run again once the program has taken values that would come twice', () => {
    const job = begin()
    job.run()
    job.b.say({ type: 'collected', collectId: 'c', subtask: 0, values: [1] })
    job.job.fail(boom)
    for (const slot of [job.a, job.b]) slot.all('CANCELED')
    expect(job.ends).toEqual([{ status: 'FAILED', error: boom }])
    expect(job.job.view().notRestarted).toContain('executeAndCollect')
  })

  it('refuses settings that cannot be used when it is made', () => {
    expect(() => begin({ config: { 'restart-strategy': 'sometimes' } })).toThrow(
      expect.objectContaining({ code: 'TR-CHECKPOINT-006' }),
    )
  })
})
