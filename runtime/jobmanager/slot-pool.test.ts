import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { errorToData, TailraceError } from '../core/errors.ts'
import { fakePool as poolOf } from './fake-slots.suite.ts'
import { exitError } from './slot-pool.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('SlotPool', () => {
  it('starts its slots and leases those that are ready first', () => {
    const { pool, spawned } = poolOf(3)
    spawned[2]!.say({ type: 'ready' })
    expect(pool.views().map((v) => v.state)).toEqual(['starting', 'starting', 'free'])
    expect(pool.acquire('j', 1)!.map((l) => l.slot)).toEqual([2])
    expect(pool.views()[2]).toEqual({ index: 2, state: 'busy', taskManager: 'fake', jobId: 'j' })
    expect([pool.free, pool.total]).toEqual([2, 3])
    expect(pool.acquire('k', 3)).toBeUndefined()
    expect(pool.acquire('k', 2)!.map((l) => l.slot)).toEqual([0, 1])
  })

  it('gives a thread that has a program loaded to its job first, and to no other', async () => {
    const { pool, spawned } = poolOf(3)
    spawned[0]!.say({ type: 'ready' })
    spawned[1]!.say({ type: 'ready', loaded: 'mine' })
    spawned[2]!.say({ type: 'ready', loaded: 'theirs' })
    expect(pool.acquire('j', 1, { loaded: 'mine' })!.map((l) => l.slot)).toEqual([1])
    expect(pool.free).toBe(2)
    // There are enough, but one is another job's: it makes way.
    expect(pool.acquire('k', 2, { loaded: 'other' })).toBeUndefined()
    await vi.advanceTimersByTimeAsync(0)
    expect([spawned[2]!.heard, spawned[0]!.heard, spawned.length]).toEqual([['retire'], [], 4])
    spawned[3]!.say({ type: 'ready' })
    expect(pool.acquire('k', 2, { loaded: 'other' })!.map((l) => l.slot)).toEqual([0, 2])
  })

  it('gives a slot time to write, then ends it, and starts another in its place', async () => {
    const { pool, spawned } = poolOf(1)
    const [lease] = pool.acquire('j', 1)!
    lease!.release(false)
    expect([spawned[0]!.heard, spawned[0]!.terminated, spawned.length]).toEqual([['retire'], false, 1])
    await vi.advanceTimersByTimeAsync(100)
    expect(spawned).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(1000)
    expect([spawned[0]!.terminated, spawned.length]).toEqual([true, 2])
  })

  it('starts the replacement at once for a job that wants it', () => {
    const { pool, spawned } = poolOf(1)
    pool.acquire('j', 1)![0]!.release(true)
    expect(spawned[0]!.terminated).toBe(true)
    pool.acquire('k', 1)
    expect(spawned).toHaveLength(2)
  })

  it('still gives out what a released slot had under way', () => {
    const { pool, spawned } = poolOf(1)
    const [lease] = pool.acquire('j', 1)!
    const heard: string[] = []
    lease!.listen(
      (message) => heard.push(message.type),
      () => {},
    )
    lease!.release(false)
    spawned[0]!.say({ type: 'print', stream: 'stdout', text: 'last\n' })
    expect(heard).toEqual(['print'])
  })

  it('tells a job once when its slot ends', async () => {
    const { pool, spawned } = poolOf(1)
    const [lease] = pool.acquire('j', 1)!
    const told: string[] = []
    lease!.listen(
      () => {},
      (error) => told.push(error.code),
    )
    spawned[0]!.exit({ code: 9 })
    await vi.advanceTimersByTimeAsync(0)
    lease!.release(true)
    await vi.advanceTimersByTimeAsync(1000)
    expect([told, spawned.length, pool.free]).toEqual([['TR-TASK-002'], 2, 1])
  })

  it('waits longer each time a slot ends before it was ready', async () => {
    const { spawned } = poolOf(1)
    const starts: number[] = []
    for (let n = 0; n < 8; n++) {
      const { length } = spawned
      spawned.at(-1)!.exit({ code: 1 })
      const fromMs = Date.now()
      while (spawned.length === length) await vi.advanceTimersByTimeAsync(100)
      starts.push(Date.now() - fromMs)
    }
    expect(starts).toEqual([400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000])
    spawned.at(-1)!.say({ type: 'ready' })
    spawned.at(-1)!.exit({ code: 1 })
    const { length } = spawned
    await vi.advanceTimersByTimeAsync(100)
    expect(spawned).toHaveLength(length + 1)
  })

  it('grows as needed, and starts nothing ahead', async () => {
    const { pool, spawned } = poolOf('as needed')
    expect(spawned).toHaveLength(0)
    const leases = pool.acquire('j', 3)!
    expect([spawned.length, pool.total]).toEqual([3, 3])
    for (const lease of leases) lease.release(true)
    await vi.advanceTimersByTimeAsync(1000)
    expect([spawned.length, pool.acquire('k', 2)!.length, pool.total]).toEqual([3, 2, 3])
  })

  it('stops: jobs see their slots end, nothing is started again', async () => {
    const { pool, spawned } = poolOf(2)
    const [lease] = pool.acquire('j', 1)!
    const told: string[] = []
    lease!.listen(
      () => {},
      (error) => told.push(error.code),
    )
    const stopped = pool.stop()
    await vi.advanceTimersByTimeAsync(1000)
    await stopped
    expect([told, spawned.map((s) => s.terminated), spawned.length]).toEqual([['TR-CLUSTER-002'], [true, true], 2])
    expect(pool.acquire('k', 1)).toBeUndefined()
  })
})

describe('exitError()', () => {
  it.each([
    [{ code: 1, error: Object.assign(new Error('x'), { code: 'ERR_WORKER_OUT_OF_MEMORY' }) }, 'ran out of memory'],
    [
      { code: 1, error: Object.assign(new Error('it holds 9 MB'), { code: 'TR-TASK-002' }) },
      'ended: it holds 9 MB. Raise',
    ],
    [{ code: 1, error: new Error('in a timer') }, 'outside of any task'],
    [{ code: 3 }, 'exit code 3 and no error'],
  ])('says of %o that it %s', (exit, text) => {
    const error = exitError(2, exit)
    expect(error).toMatchObject({ code: 'TR-TASK-002', message: expect.stringContaining(text) })
    expect(error.message).toContain('Slot 2')
    expect(error.cause).toBe('error' in exit ? exit.error : undefined)
  })
})

describe('TaskManagers that come and go', () => {
  const place = (taskManager: string) => ({ taskManager })
  const lost = errorToData(new TailraceError('TR-CLUSTER-002', 'tm-2 is gone'))

  it('numbers slots over all of them, and a number is never used again', () => {
    const { pool, spawned } = poolOf(1)
    const remove = pool.add({ place: place('tm-2'), size: 2, spawn: poolOf(0).spawn })
    expect(pool.acquire('j', 3)!.map(({ slot, place }) => [slot, place.taskManager])).toEqual([
      [0, 'fake'],
      [1, 'tm-2'],
      [2, 'tm-2'],
    ])
    remove(lost)
    expect(pool.views().map(({ index }) => index)).toEqual([0])
    pool.add({ place: place('tm-3'), size: 1, spawn: poolOf(0).spawn })
    expect(pool.views().map(({ index }) => index)).toEqual([0, 3])
    expect(spawned.length).toBe(1)
  })

  it('tells jobs that their slots are lost, and starts nothing there again', () => {
    const { pool } = poolOf(0)
    const { spawn, spawned } = poolOf(0)
    const remove = pool.add({ place: place('tm-2'), size: 1, spawn })
    const ends: unknown[] = []
    const [lease] = pool.acquire('j', 1)!
    lease!.listen(
      () => {},
      (error) => ends.push(error.message),
    )
    remove(lost)
    lease!.release(true)
    vi.advanceTimersByTime(60_000)
    expect([ends, pool.total, spawned.length]).toEqual([['tm-2 is gone'], 0, 1])
    expect(pool.acquire('j', 1)).toBeUndefined()
  })
})
