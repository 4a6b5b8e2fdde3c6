import { describe, expect, it } from 'vitest'
import { StreamExecutionEnvironment } from '../api/environment.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import type { FromProgram } from '../rpc/program-messages.ts'
import { REPLAYED_VALUES_MAX, SubmitContext } from './submit-context.ts'

const tick = () => new Promise((resolve) => setImmediate(resolve))
const result = { jobId: 'j', jobName: 'x', netRuntimeMs: 1, accumulators: {} }

function begin(options?: ConstructorParameters<typeof SubmitContext>[2]) {
  const posted: FromProgram[] = []
  const port = { post: (message: FromProgram) => void posted.push(message), onMessage() {}, close() {} }
  const program = { url: 'file:///job.ts', args: ['a'], parameters: { p: '1' }, options: {} }
  const context = new SubmitContext(program, port, options)
  const graph = (name = 'x') => {
    const env = new StreamExecutionEnvironment(context)
    env.fromSequence(1, 2).print()
    return env.getStreamGraph(name)
  }
  const end = (executeIndex: number, jobId: string) =>
    context.receive({ type: 'jobEnded', executeIndex, jobId, status: 'FINISHED', result: { ...result, jobId } })
  return { context, end, graph, posted }
}

describe('SubmitContext', () => {
  it('submits, starts the enumerators, follows the status and ends', async () => {
    const { context, end, graph, posted } = begin()
    const submitted = context.submit(graph(), {})
    expect(posted).toMatchObject([{ type: 'submit', executeIndex: 0, plan: { config: { jobName: 'x' } }, results: [] }])
    context.receive({ type: 'submitted', executeIndex: 0, jobId: 'j' })
    context.receive({ type: 'resetEnumerators', jobId: 'j', attempt: 0, states: undefined, parallelism: {} })
    const client = await submitted
    const vertexId = (posted[0] as Extract<FromProgram, { type: 'submit' }>).plan.vertices[0]!.id
    for (const type of ['addReader', 'splitRequest'] as const)
      context.receive({ type, jobId: 'j', vertexId, subtask: 0 })
    expect(
      posted
        .slice(1)
        .map((m) => m.type)
        .slice(0, 2),
    ).toEqual(['enumeratorsReset', 'assignSplits'])
    context.receive({ type: 'jobStatus', jobId: 'j', status: 'RUNNING' })
    expect([client.jobId, await client.status(), context.pending]).toEqual(['j', 'RUNNING', 1])
    end(0, 'j')
    expect(await client.result()).toEqual({ ...result, jobId: 'j' })
    expect([await client.status(), context.pending, context.executes]).toEqual(['FINISHED', 0, 1])
  })

  it('has values of env.once() when they are kept, and computes none again', async () => {
    const { context, graph, posted } = begin({ kept: { old: 1 } })
    expect(await context.once('old', () => 2)).toBe(1)
    let value: unknown
    void context
      .once('new', () => 3)
      .then((computed) => {
        value = computed
      })
    await tick()
    expect(posted).toEqual([{ type: 'once', name: 'new', value: 3 }])
    expect(value).toBeUndefined()
    context.receive({ type: 'onceKept', name: 'new' })
    await tick()
    expect(value).toBe(3)
    void context.submit(graph(), {})
    expect(posted.at(-1)).toMatchObject({ type: 'submit', once: { old: 1, new: 3 } })
    const refused = context.once('bad', () => 4)
    await tick()
    context.receive({ type: 'onceKept', name: 'bad', error: errorToData(new TailraceError('TR-HA-004', 'no')) })
    await expect(refused).rejects.toMatchObject({ code: 'TR-HA-004' })
  })

  it('makes the enumerators anew for each attempt, once the ones before are closed', async () => {
    const { context, graph, posted } = begin()
    const submitted = context.submit(graph(), {})
    context.receive({ type: 'submitted', executeIndex: 0, jobId: 'j' })
    await submitted
    const { vertices } = (posted[0] as Extract<FromProgram, { type: 'submit' }>).plan
    const reset = (attempt: number, states?: Record<string, unknown>) => {
      posted.length = 0
      context.receive({ type: 'resetEnumerators', jobId: 'j', attempt, states, parallelism: {} })
      for (const type of ['addReader', 'splitRequest'] as const)
        context.receive({ type, jobId: 'j', vertexId: vertices[0]!.id, subtask: 0 })
      return posted.map((m) => (m.type === 'enumeratorsReset' ? `reset ${m.attempt}` : m.type))
    }
    expect(reset(0).slice(0, 2)).toEqual(['reset 0', 'assignSplits'])
    expect(reset(1).slice(0, 2)).toEqual(['reset 1', 'assignSplits'])
    posted.length = 0
    context.receive({ type: 'snapshotEnumerators', jobId: 'j', checkpointId: 5 })
    context.receive({ type: 'checkpointComplete', jobId: 'j', checkpointId: 5 })
    const { operatorId } = vertices[0]!.operators[0]!
    expect(posted).toEqual([{ type: 'enumeratorStates', jobId: 'j', checkpointId: 5, states: { [operatorId]: [] } }])
    // All splits were assigned before.
    expect(reset(2, { [operatorId]: [] })).toEqual(['reset 2', 'noMoreSplits'])
  })

  it('gives later executes what slots need to take the same way', async () => {
    const { context, end, graph, posted } = begin()
    await context.once('early', () => 1)
    const first = context.submit(graph(), { onCollected: () => {} })
    context.receive({ type: 'submitted', executeIndex: 0, jobId: 'a' })
    context.receive({ type: 'collected', jobId: 'a', collectId: 'c', subtask: 0, values: [7, 8] })
    await first
    end(0, 'a')
    await tick()
    await context.once('late', async () => 2)
    void context.submit(graph(), {})
    expect(posted.at(-1)).toMatchObject({
      executeIndex: 1,
      once: { early: 1, late: 2 },
      results: [{ jobId: 'a', result: { jobId: 'a' }, collected: [7, 8] }],
    })
    expect((posted[0] as { once: unknown }).once).toEqual({ early: 1 })
  })

  it('computes env.once() once', async () => {
    const { context } = begin()
    let n = 0
    const values = await Promise.all([context.once('n', () => ++n), context.once('n', () => ++n)])
    expect([values, await context.once('n', () => ++n)]).toEqual([[1, 1], 1])
    await expect(context.once('f', () => () => 1)).rejects.toThrow(/env.once\("f"\).*cannot be sent/)
  })

  it('acknowledges collected values when they have been taken, and ends after that', async () => {
    const { context, end, graph, posted } = begin()
    const taken = Promise.withResolvers<void>()
    const submitted = context.submit(graph(), { onCollected: () => taken.promise })
    context.receive({ type: 'submitted', executeIndex: 0, jobId: 'a' })
    const ended: string[] = []
    const over = (await submitted).result().then(() => ended.push('result'))
    context.receive({ type: 'collected', jobId: 'a', collectId: 'c', subtask: 0, values: [1, 2, 3] })
    end(0, 'a')
    await tick()
    expect([ended, posted.some((m) => m.type === 'collectAck')]).toEqual([[], false])
    taken.resolve()
    await over
    expect(posted.at(-1)).toEqual({ type: 'collectAck', jobId: 'a', collectId: 'c', subtask: 0, count: 3 })
  })

  it('cancels a job whose values cannot be taken, and rejects with the reason', async () => {
    const { context, graph, posted } = begin()
    const submitted = context.submit(graph(), {
      onCollected: () => {
        throw new Error('full')
      },
    })
    context.receive({ type: 'submitted', executeIndex: 0, jobId: 'a' })
    const client = await submitted
    context.receive({ type: 'collected', jobId: 'a', collectId: 'c', subtask: 0, values: [1] })
    await tick()
    expect(posted.at(-1)).toEqual({ type: 'cancel', jobId: 'a' })
    const error = errorToData(new TailraceError('TR-CLUSTER-002', 'cancelled'))
    context.receive({ type: 'jobEnded', executeIndex: 0, jobId: 'a', status: 'CANCELED', error })
    await expect(client.result()).rejects.toThrow('full')
  })

  it('refuses a job after more values than slots can replay, unless slots replay nothing', async () => {
    for (const replayed of [true, false]) {
      const { context, end, graph, posted } = begin({ replayed })
      void context.submit(graph(), { onCollected: () => {} })
      context.receive({ type: 'submitted', executeIndex: 0, jobId: 'a' })
      const values = new Array(REPLAYED_VALUES_MAX + 1).fill(1)
      context.receive({ type: 'collected', jobId: 'a', collectId: 'c', subtask: 0, values })
      end(0, 'a')
      await tick()
      const second = context.submit(graph(), {})
      if (replayed) await expect(second).rejects.toMatchObject({ code: 'TR-PROGRAM-005' })
      else expect(posted.at(-1)).toMatchObject({ type: 'submit', executeIndex: 1 })
    }
  })

  it('counts an execute that was refused, as the slots will', async () => {
    const { context, graph, posted } = begin()
    const empty = new StreamExecutionEnvironment(context).getStreamGraph('empty')
    await expect(context.submit(empty, {})).rejects.toMatchObject({ code: 'TR-GRAPH-003' })
    const refused = context.submit(graph(), {})
    const error = errorToData(new TailraceError('TR-CLUSTER-001', 'few'))
    context.receive({ type: 'submitFailed', executeIndex: 1, error })
    await expect(refused).rejects.toMatchObject({ code: 'TR-CLUSTER-001' })
    void context.submit(graph(), {})
    expect(posted.at(-1)).toMatchObject({
      executeIndex: 2,
      results: [
        { jobId: '', error: { code: 'TR-GRAPH-003' } },
        { jobId: '', error: { code: 'TR-CLUSTER-001' } },
      ],
    })
    expect(context.pending).toBe(1)
  })

  it('drains: waits for jobs, and throws what no one asked about', async () => {
    const { context, graph } = begin()
    const error = errorToData(new TailraceError('TR-TASK-001', 'boom'))
    for (const [i, asks] of [true, false].entries()) {
      const submitted = context.submit(graph(), {})
      context.receive({ type: 'submitted', executeIndex: i, jobId: `j${i}` })
      const client = await submitted
      if (asks) client.result().catch(() => {})
      context.receive({ type: 'jobEnded', executeIndex: i, jobId: `j${i}`, status: 'FAILED', error })
      if (asks) await context.drain()
      else await expect(context.drain()).rejects.toMatchObject({ code: 'TR-TASK-001' })
    }
  })
})
