import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { errorToData, TailraceError } from '../core/errors.ts'
import { Exits } from '../rpc/host.ts'
import type { FromProgram, ToProgram } from '../rpc/program-messages.ts'
import { Dispatcher } from './dispatcher.ts'
import { fakePool, twoVertexPlan } from './fake-slots.suite.ts'
import { ProgramSession, type SessionEnd } from './program-session.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function begin(slots = 2) {
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
