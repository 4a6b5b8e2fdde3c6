import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { errorToData, TailraceError } from '../core/errors.ts'
import { Exits } from '../rpc/host.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'
import { Dispatcher } from './dispatcher.ts'
import { fakePool, twoVertexPlan } from './fake-slots.suite.ts'
import type { ProgramRecord } from './program-record.ts'
import { ProgramSession, type SessionEnd } from './program-session.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function begin(slots = 2, record?: ProgramRecord) {
  const { pool, spawned } = fakePool(slots)
  let n = 0
  const dispatcher = new Dispatcher({ pool, newJobId: () => `j${n++}` })
  const exits = new Exits()
  const heard: ToProgram[] = []
  let say: (message: FromProgram) => void = () => {}
  const terminate = vi.fn()
  const session = new ProgramSession({
    host: {
      port: { post: (message) => heard.push(message), onMessage: (handler) => void (say = handler), close() {} },
      onExit: (handler) => exits.tell(handler),
      terminate,
    },
    program: { url: 'file:///job.ts', args: [], parameters: {}, options: {} },
    dispatcher,
    record,
  })
  let end: SessionEnd | undefined
  void session.ended.then((value) => {
    end = value
  })
  session.run()
  const submit = (executeIndex: number) =>
    say({ type: 'submit', executeIndex, plan: twoVertexPlan(1), once: { a: 1 }, results: [] })
  const finishJob = (slot: number) => {
    spawned[slot]!.say({ type: 'deployed' })
    spawned[slot]!.all('RUNNING', 'FINISHED')
  }
  const ended = async () => {
    await vi.advanceTimersByTimeAsync(0)
    return end
  }
  return { dispatcher, ended, exits, finishJob, heard, say, session, spawned, submit, terminate }
}

const types = (messages: { type: string }[]) => messages.map((m) => m.type).filter((t) => t !== 'jobStatus')

describe('ProgramSession', () => {
  it('runs jobs and ends with the program', async () => {
    const { ended, finishJob, heard, say, spawned, submit, terminate } = begin()
    submit(0)
    expect(spawned[0]!.deployment.replay).toEqual({ executeIndex: 0, once: { a: 1 }, results: [] })
    finishJob(0)
    expect(types(heard)).toEqual(['run', 'submitted', 'resetEnumerators', 'addReader', 'jobEnded'])
    expect(await ended()).toBeUndefined()
    say({ type: 'finished', executes: 1 })
    expect(await ended()).toMatchObject({ status: 'FINISHED', results: [{ jobId: 'j0' }] })
    expect(terminate).toHaveBeenCalledTimes(1)
  })

  it('leaves no job running when the program fails', async () => {
    const { dispatcher, ended, say, spawned, submit } = begin()
    submit(0)
    spawned[0]!.say({ type: 'deployed' })
    spawned[0]!.all('RUNNING')
    const error = errorToData(new TailraceError('TR-PROGRAM-002', 'threw'))
    say({ type: 'failed', error })
    expect([await ended(), dispatcher.job('j0')!.status]).toEqual([undefined, 'CANCELLING'])
    spawned[0]!.all('CANCELED')
    expect(await ended()).toEqual({ status: 'FAILED', error, results: [] })
  })

  it('tells the program why a job was refused', async () => {
    const { heard, submit } = begin()
    for (let n = 0; n < 3; n++) submit(n)
    expect(heard.at(-1)).toMatchObject({ type: 'submitFailed', executeIndex: 2, error: { code: 'TR-CLUSTER-001' } })
  })

  it('cancels: jobs first, then the program gets time to clean up', async () => {
    const { ended, heard, say, session, submit } = begin()
    submit(0)
    session.cancel()
    session.cancel()
    expect(heard.at(-1)).toMatchObject({ type: 'jobEnded', status: 'CANCELED', error: { code: 'TR-CLUSTER-002' } })
    submit(1)
    expect(heard.at(-1)).toMatchObject({ type: 'submitFailed', error: { code: 'TR-CLUSTER-002' } })
    await vi.advanceTimersByTimeAsync(1000)
    expect(await ended()).toBeUndefined()
    say({ type: 'failed', error: errorToData(new Error('what main made of it')) })
    expect(await ended()).toMatchObject({ status: 'CANCELED' })
  })

  it('ends a cancelled program that does not end', async () => {
    const { ended, session, submit, terminate } = begin()
    submit(0)
    session.cancel()
    await vi.advanceTimersByTimeAsync(3000)
    expect([(await ended())?.status, terminate.mock.calls.length]).toEqual(['CANCELED', 1])
  })

  it('ends a program at once that is cancelled before its first job', async () => {
    const { ended, session } = begin()
    session.cancel()
    expect(await ended()).toMatchObject({ status: 'CANCELED', error: { code: 'TR-CLUSTER-002' } })
  })

  it('is CANCELED when the program ends by the cancellation of its job', async () => {
    const { dispatcher, ended, say, submit } = begin()
    submit(0)
    dispatcher.cancel('j0')
    say({ type: 'failed', error: errorToData(new TailraceError('TR-CLUSTER-002', 'cancelled')) })
    expect(await ended()).toMatchObject({ status: 'CANCELED' })
  })

  it.each([
    ['fails', 'before its job ended', { code: 0 }, false, 'FAILED'],
    ['fails', 'with a code', { code: 3 }, true, 'FAILED'],
    ['fails', 'by an error', { code: 0, error: new Error('x') }, true, 'FAILED'],
    ['finishes', 'with 0 after its job', { code: 0 }, true, 'FINISHED'],
  ])('%s when the thread exits %s', async (_, __, exit, jobEnded, status) => {
    const { ended, exits, finishJob, submit } = begin()
    submit(0)
    if (jobEnded) finishJob(0)
    exits.happen(exit)
    const end = await ended()
    expect(end?.status).toBe(status)
    expect(end?.error?.code).toBe(status === 'FAILED' ? 'TR-PROGRAM-002' : undefined)
  })
})

describe('ProgramSession with a record', () => {
  const result = { jobId: 'old', jobName: 'x', netRuntimeMs: 1, accumulators: {} }

  /** What was asked to be kept, in order; each waits for `kept()`. */
  function recorded(known: ReturnType<ProgramRecord['job']>[] = []) {
    const asked: string[] = []
    const waiting: (() => void)[] = []
    const keep = (what: string) => {
      asked.push(what)
      return new Promise<void>((resolve) => void waiting.push(resolve))
    }
    const record: ProgramRecord = {
      once: { seed: 7 },
      job: (executeIndex) => known[executeIndex],
      addOnce: (name) => keep(`once ${name}`),
      addJob: ({ jobId, executeIndex }) => keep(`job ${executeIndex} is ${jobId}`),
      beginning: () => undefined,
      endJob: (jobId, { status }) => keep(`${jobId} ${status}`),
      cleanJob: (jobId) => keep(`${jobId} cleaned`),
      endProgram: ({ status }) => keep(`program ${status}`),
    }
    const kept = async () => {
      for (const resolve of waiting.splice(0)) resolve()
      await vi.advanceTimersByTimeAsync(0)
    }
    return { record, asked, kept }
  }

  it('does nothing that is not kept first', async () => {
    const { record, asked, kept } = recorded()
    const { ended, finishJob, heard, say, submit } = begin(2, record)
    expect(heard).toMatchObject([{ type: 'run', kept: { seed: 7 } }])
    say({ type: 'once', name: 'other', value: 1 })
    expect(types(heard)).toEqual(['run'])
    await kept()
    expect(types(heard)).toEqual(['run', 'onceKept'])
    submit(0)
    expect(types(heard).at(-1)).toBe('onceKept')
    await kept()
    expect(types(heard)).toContain('submitted')
    finishJob(0)
    await kept()
    expect(types(heard)).toContain('jobEnded')
    say({ type: 'finished', executes: 1 })
    expect(await ended()).toBeUndefined()
    await kept()
    expect(await ended()).toMatchObject({ status: 'FINISHED' })
    expect(asked).toEqual(['once other', 'job 0 is j0', 'j0 FINISHED', 'j0 cleaned', 'program FINISHED'])
  })

  it('tells no end that is not kept', async () => {
    const { record, kept } = recorded()
    const { finishJob, heard, submit } = begin(2, record)
    submit(0)
    await kept()
    finishJob(0)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(types(heard)).not.toContain('jobEnded')
  })

  it('gives a job the id that it had, and tells of one that has ended without running it', async () => {
    const { record, asked, kept } = recorded([
      { jobId: 'old', end: { status: 'FINISHED', result } },
      { jobId: 'younger' },
    ])
    const { dispatcher, heard, submit } = begin(2, record)
    submit(0)
    expect(heard.slice(1)).toEqual([
      { type: 'submitted', executeIndex: 0, jobId: 'old' },
      { type: 'jobEnded', executeIndex: 0, jobId: 'old', status: 'FINISHED', result },
    ])
    expect(dispatcher.list()).toEqual([])
    submit(1)
    await kept()
    expect(dispatcher.list()).toMatchObject([{ id: 'younger' }])
    expect(asked).toEqual(['job 1 is younger'])
  })

  it('keeps nothing of an end that is the cluster’s', async () => {
    const { record, asked, kept } = recorded()
    const { ended, session, submit } = begin(2, record)
    submit(0)
    await kept()
    session.stop()
    expect(await ended()).toMatchObject({ status: 'CANCELED' })
    expect(asked).toEqual(['job 0 is j0'])
  })
})
