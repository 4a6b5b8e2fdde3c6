import { describe, expect, it } from 'vitest'
import { errorToData, TailraceError } from '../core/errors.ts'
import type { LogicalGraph } from '../graph/model.ts'
import { ReplayContext, type ReplayedResult } from './replay-context.ts'

const program = { url: 'file:///job.ts', args: ['a'], parameters: { p: '1' }, options: { o: '2' } }
const graph = (name: string) => ({ nodes: [], config: { jobName: name } }) as unknown as LogicalGraph
const result = { jobId: 'j0', jobName: 'first', netRuntimeMs: 5, accumulators: { n: 1 } }

function replay(executeIndex: number, results: (ReplayedResult | undefined)[] = [], once = {}) {
  const handed: LogicalGraph[] = []
  return { handed, context: new ReplayContext(program, { executeIndex, results, once }, (g) => handed.push(g)) }
}

/** Whether a promise has settled after all that is due has run. */
async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false
  promise.then(
    () => {
      done = true
    },
    () => {
      done = true
    },
  )
  await new Promise((resolve) => setImmediate(resolve))
  return done
}

describe('ReplayContext', () => {
  it('hands over the graph of its execute and stays in it', async () => {
    const { context, handed } = replay(0)
    expect(await settled(context.submit(graph('only'), {}))).toBe(false)
    expect(handed.map((g) => g.config.jobName)).toEqual(['only'])
  })

  it('replays the executes before it: result, values, status', async () => {
    const { context, handed } = replay(1, [{ jobId: 'j0', result, collected: [1, 2] }])
    const collected: unknown[] = []
    const client = await context.submit(graph('first'), { onCollected: (values) => void collected.push(...values) })
    expect([client.jobId, await client.status(), await client.result()]).toEqual(['j0', 'FINISHED', result])
    await client.cancel()
    expect(collected).toEqual([1, 2])
    expect(await settled(context.submit(graph('second'), {}))).toBe(false)
    expect(handed.map((g) => g.config.jobName)).toEqual(['second'])
  })

  it('replays a failure as the program saw it', async () => {
    const error = errorToData(new TailraceError('TR-TASK-001', 'boom'))
    const { context } = replay(1, [{ jobId: 'j0', error }])
    const client = await context.submit(graph('first'), {})
    expect(await client.status()).toBe('FAILED')
    await expect(client.result()).rejects.toMatchObject({ code: 'TR-TASK-001', message: 'boom' })
  })

  it('replays a refused submission', async () => {
    const error = errorToData(new TailraceError('TR-GRAPH-003', 'empty'))
    const { context } = replay(1, [{ jobId: '', error }])
    await expect(context.submit(graph('first'), {})).rejects.toMatchObject({ code: 'TR-GRAPH-003' })
  })

  it('keeps waiting for a job that had not ended', async () => {
    const { context, handed } = replay(1, [undefined])
    const client = await context.submit(graph('first'), {})
    expect([await client.status(), await settled(client.result())]).toEqual(['RUNNING', false])
    void context.submit(graph('second'), {})
    void context.submit(graph('third'), {})
    expect(handed.map((g) => g.config.jobName)).toEqual(['second'])
  })

  it('replays env.once() and refuses names that were not computed', async () => {
    const { context } = replay(0, [], { start: 5 })
    expect(await context.once('start')).toBe(5)
    await expect(context.once('other')).rejects.toMatchObject({
      code: 'TR-PROGRAM-004',
      message: expect.stringContaining('only "start"'),
    })
  })
})
