import { describe, expect, it } from 'vitest'
import { errorToData, TailraceError } from '../core/errors.ts'
import { beginJob as begin, tick } from './fake-job.suite.ts'

const boom = errorToData(new TailraceError('TR-TASK-001', 'boom', { operator: 'double' }))

describe('JobMaster', () => {
  it('deploys to all slots, starts when all have deployed, and finishes with all tasks', () => {
    const { a, b, ends, job, run, states, time } = begin()
    expect([job.status, a.heard, b.heard]).toEqual(['RUNNING', ['deploy'], ['deploy']])
    expect(states()).toEqual(['DEPLOYING', 'DEPLOYING', 'DEPLOYING', 'DEPLOYING'])
    expect([a.deployment.slotIndex, b.deployment.slotIndex]).toEqual([0, 1])
    expect(a.deployment.subtasks.map((s) => s.subtask)).toEqual([0, 0])
    expect(a.deployment.places).toEqual(b.deployment.places)
    expect(a.deployment.slots).toEqual([{ taskManager: 'fake' }, { taskManager: 'fake' }])
    a.say({ type: 'deployed' })
    expect(a.heard).toEqual(['deploy'])
    run()
    expect([a.heard, b.heard]).toEqual([
      ['deploy', 'start'],
      ['deploy', 'start'],
    ])
    time.advance(40)
    a.all('FINISHED')
    expect([job.status, ends]).toEqual(['RUNNING', []])
    b.all('FINISHED')
    expect(job.status).toBe('FINISHED')
    expect(ends).toEqual([
      { status: 'FINISHED', result: { jobId: 'j', jobName: 'numbers', netRuntimeMs: 40, accumulators: {} } },
    ])
    expect([a.heard.at(-1), b.heard.at(-1)]).toEqual(['retire', 'retire'])
  })

  it('sums accumulators', () => {
    const { a, b, ends, run, sink } = begin()
    run()
    for (const [subtask, slot] of [a, b].entries())
      slot.say({
        type: 'taskState',
        vertexId: sink,
        subtask,
        state: 'FINISHED',
        accumulators: { n: 2, [`of ${subtask}`]: 1 },
      })
    for (const slot of [a, b]) slot.all('FINISHED')
    expect(ends[0]!.result!.accumulators).toEqual({ n: 4, 'of 0': 1, 'of 1': 1 })
  })

  it('fails with the first error, after the others have been cancelled', () => {
    const { a, b, ends, job, run, sink, states } = begin()
    run()
    a.say({ type: 'taskState', vertexId: sink, subtask: 0, state: 'FAILED', error: boom })
    expect([job.status, b.heard.at(-1), a.heard.at(-1)]).toEqual(['FAILING', 'cancel', 'cancel'])
    expect(states()).toEqual(['CANCELING', 'CANCELING', 'FAILED', 'CANCELING'])
    const later = errorToData(new Error('because of it'))
    b.say({ type: 'taskState', vertexId: sink, subtask: 1, state: 'FAILED', error: later })
    for (const slot of [a, b]) slot.all('CANCELED')
    expect(ends).toEqual([{ status: 'FAILED', error: boom }])
    const name = job.plan.vertices[1]!.name
    const { exceptions, notRestarted } = job.view()
    expect(exceptions.map((e) => [e.taskName, e.error.message])).toEqual([[`${name} (1/2)`, 'boom']])
    expect(exceptions[0]!.concurrent.map((e) => [e.taskName, e.error.message])).toEqual([
      [`${name} (2/2)`, 'because of it'],
    ])
    expect([exceptions[0]!.labels, notRestarted]).toEqual([
      { type: 'USER', code: 'TR-TASK-001' },
      'restart-strategy.type is none',
    ])
  })

  it('fails when a slot cannot build its part', () => {
    const { a, b, ends, job } = begin()
    b.say({ type: 'deployed' })
    a.say({ type: 'deployFailed', error: boom })
    expect(ends).toEqual([{ status: 'FAILED', error: boom }])
    expect([job.view().exceptions[0]!.slot, b.heard]).toEqual([0, ['deploy', 'cancel', 'retire']])
  })

  it('fails when a slot ends, naming it', async () => {
    const { a, b, ends, run, states } = begin()
    run()
    a.exit({ code: 7 })
    await tick()
    expect(states()).toEqual(['FAILED', 'CANCELING', 'FAILED', 'CANCELING'])
    b.all('CANCELED')
    expect(ends[0]).toMatchObject({ status: 'FAILED', error: { code: 'TR-TASK-002' } })
    expect(ends[0]!.error!.message).toContain('Slot 0 ended with exit code 7')
  })

  it('gives a slot up that does not deploy in time', () => {
    const { a, ends, time } = begin()
    a.say({ type: 'deployed' })
    expect(time.pendingMs).toEqual([50])
    time.advance(time.pendingMs[0]!)
    expect(ends[0]).toMatchObject({ status: 'FAILED', error: { code: 'TR-PROGRAM-001' } })
    expect(ends[0]!.error!.message).toContain('slot 1')
  })

  it('cancels tasks that run, and is CANCELED when they are', () => {
    const { a, b, ends, job, run } = begin()
    run()
    job.cancel()
    job.cancel()
    expect([job.status, a.heard.filter((m) => m === 'cancel')]).toEqual(['CANCELLING', ['cancel']])
    a.all('CANCELED')
    b.all('FINISHED')
    expect(ends).toMatchObject([{ status: 'CANCELED', error: { code: 'TR-CLUSTER-002' } }])
    expect(job.view().exceptions).toEqual([])
  })

  it('does not wait for tasks that never started', () => {
    const { a, ends, job } = begin()
    a.say({ type: 'deployed' })
    job.cancel()
    expect(ends).toMatchObject([{ status: 'CANCELED' }])
  })

  it('ends a slot that does not cancel in time', () => {
    const { a, b, ends, job, run, time } = begin()
    run()
    job.cancel()
    a.all('CANCELED')
    expect([ends, time.pendingMs]).toEqual([[], [20]])
    time.advance(time.pendingMs[0]!)
    expect([a.terminated, b.terminated]).toEqual([false, true])
    expect(ends).toMatchObject([{ status: 'CANCELED' }])
  })

  it('can be cancelled while it fails, and does not fail while it is cancelled', () => {
    const failing = begin()
    failing.run()
    failing.job.fail(boom)
    failing.job.cancel()
    for (const slot of [failing.a, failing.b]) slot.all('CANCELED')
    expect(failing.ends).toMatchObject([{ status: 'CANCELED' }])
    const cancelling = begin()
    cancelling.run()
    cancelling.job.cancel()
    cancelling.job.fail(boom)
    for (const slot of [cancelling.a, cancelling.b]) slot.all('CANCELED')
    expect(cancelling.ends).toMatchObject([{ status: 'CANCELED' }])
  })

  it('makes the first type of an edge everyone’s', () => {
    const { a, b, job, run } = begin()
    run()
    a.say({ type: 'proposeType', edgeId: 0, edgeType: { kind: 'number' } })
    b.say({ type: 'proposeType', edgeId: 0, edgeType: { kind: 'string' } })
    const told = (slot: typeof a) => slot.posted.filter((m) => m.type === 'edgeType').map((m) => m.edgeType.kind)
    expect([told(a), told(b)]).toEqual([
      ['number', 'number'],
      ['number', 'number'],
    ])
    expect(job.view().edgeTypes).toEqual({ 0: { kind: 'number' } })
  })

  it('stands between source readers and their enumerator', () => {
    const { a, b, job, run, source, toProgram } = begin()
    run()
    const place = { jobId: 'j', vertexId: source, subtask: 1 }
    b.say({ type: 'splitRequest', vertexId: source, subtask: 1 })
    b.say({ type: 'sourceEvent', vertexId: source, subtask: 1, event: 'e' })
    expect(toProgram.filter((m) => 'vertexId' in m)).toEqual([
      { type: 'addReader', ...place, subtask: 0 },
      { type: 'addReader', ...place },
      { type: 'splitRequest', ...place },
      { type: 'sourceEvent', ...place, event: 'e' },
    ])
    job.receive({ type: 'assignSplits', ...place, splits: [{ id: 's' }] })
    job.receive({ type: 'sourceEvent', ...place, event: 'f' })
    job.receive({ type: 'noMoreSplits', ...place })
    expect(b.heard.slice(2)).toEqual(['splits', 'sourceEvent', 'noMoreSplits'])
    expect(a.heard.slice(2)).toEqual([])
    job.receive({ type: 'coordinatorFailed', jobId: 'j', vertexId: source, error: boom })
    expect([job.status, job.view().exceptions[0]!.vertexId]).toEqual(['FAILING', source])
  })

  it('passes collected values to the program and its acknowledgement back', () => {
    const { a, b, job, run, toProgram } = begin()
    run()
    b.say({ type: 'collected', collectId: 'c', subtask: 0, values: [1, 2] })
    expect(toProgram.at(-1)).toEqual({ type: 'collected', jobId: 'j', collectId: 'c', subtask: 0, values: [1, 2] })
    job.receive({ type: 'collectAck', jobId: 'j', collectId: 'c', subtask: 0, count: 2 })
    expect([a.heard.at(-1), b.posted.at(-1)]).toEqual([
      'start',
      { type: 'collectAck', collectId: 'c', subtask: 0, count: 2 },
    ])
  })

  it('takes output and metric names also after its end', () => {
    const { a, b, job, printed, run } = begin()
    run()
    for (const slot of [a, b]) slot.all('FINISHED')
    a.say({ type: 'print', stream: 'stdout', text: 'late\n' })
    a.say({
      type: 'metricNames',
      names: [{ index: 3, scope: 'task', kind: 'counter', name: 'n', labels: {}, vertexId: 'v', subtask: 0 }],
    })
    expect([printed, job.view().metrics[0]!.names.map((n) => n.index)]).toEqual([['late\n'], [3]])
  })

  it('tells the program of each status once, and of its end last', () => {
    const { a, b, run, toProgram } = begin()
    run()
    for (const slot of [a, b]) slot.all('FINISHED', 'RUNNING')
    expect(toProgram.flatMap((m) => (m.type === 'jobStatus' ? [m.status] : []))).toEqual(['CREATED', 'RUNNING'])
  })

  it('shows itself', () => {
    const { a, b, job, run, sink, time } = begin()
    time.advance(5)
    run()
    time.advance(5)
    a.say({ type: 'taskState', vertexId: sink, subtask: 0, state: 'FINISHED' })
    time.advance(5)
    const { vertices, ...view } = job.view()
    expect(view).toMatchObject({
      id: 'j',
      name: 'numbers',
      status: 'RUNNING',
      startTime: 1000,
      endTime: -1,
      duration: 15,
    })
    expect(view.timestamps).toMatchObject({ INITIALIZING: 1000, RUNNING: 1000, FAILED: 0 })
    expect(view.metrics.map((m) => [m.slot, m.page])).toEqual([
      [0, a.deployment.page],
      [1, b.deployment.page],
    ])
    expect(vertices[1]).toMatchObject({ parallelism: 2, state: 'RUNNING', startTime: 1000, endTime: -1, duration: 15 })
    expect(vertices[1]!.subtasks[0]).toMatchObject({
      index: 0,
      slot: 0,
      state: 'FINISHED',
      endTime: 1010,
      duration: 10,
    })
    expect(job.summary()).toMatchObject({ lastModified: 1010, tasks: { RUNNING: 3, FINISHED: 1, FAILED: 0 } })
  })
})
