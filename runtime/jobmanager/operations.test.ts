import { describe, expect, it } from 'vitest'
import { ManualClock } from '../core/clock.ts'
import { errorToData, TailraceError } from '../core/errors.ts'
import type { OperationView } from '../rpc/views.ts'
import { tick } from './fake-job.suite.ts'
import { Operations } from './operations.ts'

function begin() {
  const clock = new ManualClock(0)
  let ids = 0
  const operations = new Operations({ clock, newTriggerId: () => `t${ids++}`, keptMs: 1000 })
  return { clock, operations }
}
const result = { checkpointId: 1, path: '/sp' }

describe('Operations', () => {
  it('says how one is doing, by its id', async () => {
    const { operations } = begin()
    const running = Promise.withResolvers<typeof result>()
    const id = operations.start('j', 'savepoint', undefined, () => running.promise)
    expect([id, operations.view('j', 'savepoint', id)]).toEqual(['t0', { status: 'IN_PROGRESS' }])
    running.resolve(result)
    await tick()
    expect(operations.view('j', 'savepoint', id)).toEqual({ status: 'COMPLETED', result, endedAgoMs: 0 })
    // An id belongs to a job and a kind.
    expect([operations.view('j', 'stop', id), operations.view('k', 'savepoint', id)]).toEqual([undefined, undefined])
  })

  it('keeps the reason of one that failed', async () => {
    const { operations } = begin()
    operations.start('j', 'stop', 'mine', () => Promise.reject(new TailraceError('TR-CHECKPOINT-001', 'boom')))
    await tick()
    expect(operations.view('j', 'stop', 'mine')).toMatchObject({
      status: 'COMPLETED',
      error: { code: 'TR-CHECKPOINT-001', message: 'boom' },
    })
  })

  it('does one id once, whether it runs or has ended', async () => {
    const { operations } = begin()
    let runs = 0
    const run = async () => {
      runs++
      return result
    }
    for (let i = 0; i < 3; i++) {
      expect(operations.start('j', 'savepoint', 'mine', run)).toBe('mine')
      await tick()
    }
    operations.start('j', 'checkpoint', 'mine', run)
    expect(runs).toBe(2)
  })

  it('forgets results after a time, and none that runs', async () => {
    const { clock, operations } = begin()
    operations.start('j', 'savepoint', 'done', async () => result)
    operations.start('j', 'savepoint', 'runs', () => new Promise(() => {}))
    await tick()
    clock.advance(999)
    expect(operations.view('j', 'savepoint', 'done')).toBeDefined()
    clock.advance(1)
    expect(operations.view('j', 'savepoint', 'done')).toBeUndefined()
    clock.advance(1e9)
    expect(operations.view('j', 'savepoint', 'runs')).toEqual({ status: 'IN_PROGRESS' })
  })

  it('has no result to give for what gives none, and says how long ago it ended', async () => {
    const { clock, operations } = begin()
    operations.start('', 'disposal', 'mine', async () => undefined)
    await tick()
    clock.advance(250)
    expect(operations.view('', 'disposal', 'mine')).toEqual({ status: 'COMPLETED', endedAgoMs: 250 })
  })

  it('begins none when too many run', async () => {
    const { operations } = begin()
    let runs = 0
    const run = () => {
      runs++
      return new Promise<typeof result>(() => {})
    }
    for (let i = 0; i <= 1000; i++) operations.start('j', 'checkpoint', `n${i}`, run)
    expect(() => operations.start('j', 'checkpoint', 'more', run)).toThrow(
      expect.objectContaining({ code: 'TR-CHECKPOINT-001', message: expect.stringContaining('1000 checkpoints') }),
    )
    expect(runs).toBe(1001)
    // One that runs is found all the same.
    expect(operations.start('j', 'checkpoint', 'n7', run)).toBe('n7')
  })

  it('keeps no more results than a bound', async () => {
    const { operations } = begin()
    for (let i = 0; i < 1100; i++) {
      operations.start('j', 'checkpoint', `n${i}`, async () => result)
      if (i % 100 === 99) await tick()
    }
    expect(operations.view('j', 'checkpoint', 'n0')).toBeUndefined()
    expect(operations.view('j', 'checkpoint', 'n1099')).toBeDefined()
  })
})

describe('Operations that outlive their JobManager', () => {
  function kept() {
    const asked: string[] = []
    const known = new Map<string, OperationView>()
    const operations = new Operations({
      clock: new ManualClock(0),
      newTriggerId: () => 'made',
      kept: {
        find: (jobId, kind, id) => known.get(`${jobId}/${kind}/${id}`),
        keep: async (jobId, { kind, triggerId, state, taken }) =>
          void asked.push(`${jobId}/${kind}/${triggerId} ${state} ${taken?.path ?? ''}`.trim()),
      },
    })
    return { asked, known, operations }
  }

  it('are kept before they begin, and when they are done, if their id is of the asker', async () => {
    const { asked, operations } = kept()
    operations.start('j', 'savepoint', 'mine', async () => {
      asked.push('runs')
      return result
    })
    operations.start('j', 'savepoint', undefined, async () => result)
    operations.start('j', 'rescale', 'other', async () => undefined)
    await tick()
    expect(asked).toEqual(['j/savepoint/mine begun', 'runs', 'j/savepoint/mine done /sp'])
    expect(operations.view('j', 'savepoint', 'mine')).toMatchObject({ status: 'COMPLETED', result })
    operations.start('j', 'stop', 'bad', () => Promise.reject(new Error('boom')))
    await tick()
    expect(asked.at(-1)).toBe('j/stop/bad failed')
  })

  it('do not begin again under another JobManager', async () => {
    const { known, operations } = kept()
    known.set('j/savepoint/mine', { status: 'COMPLETED', result })
    const id = operations.start('j', 'savepoint', 'mine', () => Promise.reject(new Error('it ran')))
    await tick()
    expect([id, operations.view('j', 'savepoint', 'mine')]).toEqual(['mine', { status: 'COMPLETED', result }])
  })

  it('begin again under another JobManager, once, when they were lost with the one before', async () => {
    const { asked, known, operations } = kept()
    const error = errorToData(new TailraceError('TR-HA-010', 'lost'))
    known.set('j/savepoint/mine', { status: 'COMPLETED', error })
    expect(operations.view('j', 'savepoint', 'mine')).toMatchObject({ error: { code: 'TR-HA-010' } })
    for (let again = 0; again < 2; again++) operations.start('j', 'savepoint', 'mine', async () => result)
    expect(operations.view('j', 'savepoint', 'mine')).toEqual({ status: 'IN_PROGRESS' })
    await tick()
    expect(asked).toEqual(['j/savepoint/mine begun', 'j/savepoint/mine done /sp'])
    operations.start('j', 'savepoint', 'mine', () => Promise.reject(new Error('it ran')))
    expect(operations.view('j', 'savepoint', 'mine')).toMatchObject({ status: 'COMPLETED', result })
  })

  it('say where a job was stopped before its end is told', async () => {
    const { asked, operations } = kept()
    operations.start('j', 'stop', 'mine', () => new Promise(() => {}))
    await tick()
    await operations.stops('j', result)
    await operations.stops('k', result)
    expect(asked).toEqual(['j/stop/mine begun', 'j/stop/mine begun /sp'])
  })
})
