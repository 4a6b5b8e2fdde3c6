/** A deployment whose job is stopped with a savepoint, or fails, while its JobManager is killed: whoever comes next neither does again what was committed nor leaves anything out. */
import { describe, expect, it } from 'vitest'
import { type Death, ToldDeployments, type ToldLeader } from './told-leaders.suite.ts'

const STOP = 'a'.repeat(32)
const FIRST = { generation: 1, from: 'latest' }
const NEXT = { generation: 2, from: 'latest', atLeast: 1, neverEmpty: true }

/** Counts to 10, which a checkpoint commits, then to 20, and is stopped there. */
async function stopped(death?: Death) {
  const world = new ToldDeployments()
  const first = await world.lead(FIRST, death)
  const { id } = first.job!
  await first.count(10, { checkpoint: true })
  expect([world.starts, world.committed]).toEqual([[0], 10])
  await first.count(20)
  await first.stop(STOP)
  expect([first.dead, first.ended]).toEqual(death === undefined ? [false, 'FINISHED'] : [true, undefined])
  return { world, id }
}

const stopOf = (leader: ToldLeader, jobId: string) => leader.dispatcher.operation(jobId, 'stop', STOP)
const at = (call: string, when: Death['when'], nth = 1): Death => ({ call, when, nth })

/** Of a stop, in their order. */
const BEFORE_ITS_END: [Death, newest: number][] = [
  [at('keepOperation', 'before', 1), 10],
  [at('keepOperation', 'after', 1), 10],
  [at('writeSavepoint', 'before'), 10],
  [at('writeSavepoint', 'after'), 10],
  [at('complete', 'before', 2), 10],
  [at('complete', 'after', 2), 20],
  [at('keepOperation', 'before', 2), 20],
  [at('keepOperation', 'after', 2), 20],
  [at('endJob', 'before'), 20],
]
const AFTER_ITS_END: Death[] = [
  at('endJob', 'after'),
  at('discardAll', 'before'),
  at('discardAll', 'after'),
  at('markCommitted', 'before'),
  at('markCommitted', 'after'),
  at('keepOperation', 'before', 3),
  at('keepOperation', 'after', 3),
  at('cleanJob', 'before'),
  at('cleanJob', 'after'),
  at('endProgram', 'before'),
  at('endProgram', 'after'),
]

describe('a job that is stopped with a savepoint while its JobManager is lost', () => {
  it.each(BEFORE_ITS_END)(
    'goes on in the same generation when that was %j, and is stopped once when that is asked for again',
    async (death, newest) => {
      const { world, id } = await stopped(death)
      const second = await world.lead(FIRST)
      expect([second.job, world.starts]).toMatchObject([{ id, status: 'RUNNING' }, [0, newest]])
      const known = stopOf(second, id)
      if (known !== undefined) expect(known).toMatchObject({ status: 'COMPLETED', error: { code: 'TR-HA-010' } })
      await second.count(30)
      for (let again = 0; again < 2; again++) await second.stop(STOP)
      const { path } = stopOf(second, id)!.result!
      expect([second.ended, world.committed]).toEqual(['FINISHED', 30])
      const third = await world.lead({ generation: 2, from: path, neverEmpty: true })
      expect([third.job?.status, world.starts.at(-1)]).toEqual(['RUNNING', 30])
    },
  )

  it.each(AFTER_ITS_END)('is not begun again in the same generation when that was %j', async (death) => {
    const { world, id } = await stopped(death)
    const second = await world.lead(FIRST)
    expect([second.endedBefore ?? second.ended, world.starts]).toEqual(['FINISHED', [0]])
    const { path } = stopOf(second, id)!.result!
    expect([world.savepoints.length, world.committed]).toEqual([1, 20])
    const changes = await second.dispatcher.changes(undefined, 0, AbortSignal.timeout(1_000))
    expect(changes!.value.jobs).toMatchObject([{ id, state: 'FINISHED', latestSavepoint: { path } }])
    const third = await world.lead({ generation: 2, from: path, neverEmpty: true })
    expect([third.job?.status, world.starts, world.knewCommitted]).toEqual(['RUNNING', [0, 20], true])
  })

  it.each([
    ...BEFORE_ITS_END,
    ...AFTER_ITS_END.map((death): [Death, number] => [death, 20]),
    [undefined, 20],
  ] satisfies [Death | undefined, number][])(
    'goes on in the next generation, told "latest", when that was %j, and in those after it',
    async (death, newest) => {
      const { world } = await stopped(death)
      for (const generation of [2, 2, 3, 4]) {
        const next = await world.lead({ ...NEXT, generation, ...(generation > 2 && { atLeast: undefined }) })
        expect([next.error, next.job?.status, world.starts.at(-1)]).toEqual([undefined, 'RUNNING', newest])
        next.kill()
      }
      const last = await world.lead({ ...NEXT, generation: 4 })
      await last.count(40, { checkpoint: true })
      last.kill()
      await world.lead({ ...NEXT, generation: 5 })
      expect([world.committed, world.starts.at(-1)]).toEqual([40, 40])
    },
  )

  it.each([
    at('discardAll', 'after'),
    at('markCommitted', 'after'),
    at('cleanJob', 'before'),
    at('endProgram', 'before'),
    at('endProgram', 'after'),
    at('forgetProgram', 'before'),
    at('forgetProgram', 'after'),
    at('addProgram', 'after'),
    at('addJob', 'before'),
    at('addJob', 'after'),
    at('readSavepoint', 'after'),
    at('beginJob', 'before'),
    at('beginJob', 'after'),
  ])('… also when the JobManager of that is lost as well: %j', async (death) => {
    const { world } = await stopped(at('endJob', 'after'))
    const second = await world.lead(NEXT, death)
    expect([second.dead, world.starts]).toEqual([true, [0]])
    const third = await world.lead(NEXT)
    expect([third.job?.status, world.starts, world.knewCommitted]).toEqual(['RUNNING', [0, 20], true])
  })

  it('is refused where a newer checkpoint was seen than it was stopped at', async () => {
    const { world } = await stopped()
    const second = await world.lead({ ...NEXT, atLeast: 9 })
    expect([second.error, world.starts]).toEqual(['TR-HA-007', [0]])
    const third = await world.lead({ ...NEXT, generation: 3 })
    expect([third.job?.status, world.starts]).toEqual(['RUNNING', [0, 20]])
  })
})

describe('a savepoint whose JobManager is lost', () => {
  it.each([at('writeSavepoint', 'before'), at('writeSavepoint', 'after'), at('keepOperation', 'before', 2)])(
    'when that was %j is told as lost, and taken once when it is asked for again under its id',
    async (death) => {
      const world = new ToldDeployments()
      const first = await world.lead(FIRST, death)
      const { id } = first.job!
      await first.count(10, { checkpoint: true })
      await first.savepoint(STOP)
      expect(first.dead).toBe(true)
      const second = await world.lead(FIRST)
      const found = () => second.dispatcher.operation(id, 'savepoint', STOP)
      expect(found()).toMatchObject({ status: 'COMPLETED', error: { code: 'TR-HA-010' } })
      const before = world.savepoints.length
      for (let again = 0; again < 3; again++) await second.savepoint(STOP)
      expect(found()).toMatchObject({ status: 'COMPLETED', result: { path: expect.stringContaining('/savepoints/') } })
      expect(world.savepoints).toHaveLength(before + 1)
      second.kill()
      const third = await world.lead(FIRST)
      await third.savepoint(STOP)
      expect(third.dispatcher.operation(id, 'savepoint', STOP)?.result).toEqual(found()?.result)
      expect(world.savepoints).toHaveLength(before + 1)
    },
  )
})

describe('a job that has failed', () => {
  async function failed(restore: Parameters<ToldDeployments['lead']>[0], death?: Death) {
    const { world } = await stopped()
    const [savepoint] = world.savepoints
    const path = `/savepoints/${savepoint!.split('/')[0]}`
    const leader = await world.lead(restore.from === 'savepoint' ? { ...restore, from: path } : restore, death)
    return { world, leader }
  }

  it('leaves its newest checkpoint to the next generation, and is not run again by who stood by', async () => {
    const { world, leader } = await failed(NEXT)
    await leader.count(30, { checkpoint: true })
    await leader.count(35)
    await leader.fail()
    expect([leader.ended, world.committed]).toEqual(['FAILED', 30])
    const next = await world.lead({ ...NEXT, generation: 3 })
    expect([next.job?.status, world.starts.at(-1)]).toEqual(['RUNNING', 30])
  })

  it.each(['latest', 'savepoint'])('before its first checkpoint goes on from what it began with: %s', async (from) => {
    const { world, leader } = await failed({ generation: 2, from, neverEmpty: true })
    expect(world.starts).toEqual([0, 20])
    await leader.count(25)
    await leader.fail()
    expect(leader.ended).toBe('FAILED')
    // Its container is started again, and then it is deployed anew.
    for (const generation of [2, 2, 3]) {
      const next = await world.lead({ generation, from: 'latest', neverEmpty: true })
      expect([next.job?.status, world.starts.at(-1)]).toEqual(['RUNNING', 20])
      await next.fail()
      expect(next.ended).toBe('FAILED')
    }
  })

  it('is run anew by the next generation, though its leader was lost before its program had ended', async () => {
    const { world, leader } = await failed(NEXT, at('endJob', 'after'))
    await leader.count(30, { checkpoint: true })
    await leader.fail()
    expect([leader.dead, leader.ended]).toEqual([true, undefined])
    const next = await world.lead({ ...NEXT, generation: 3 })
    expect([next.job?.status, world.starts.at(-1)]).toEqual(['RUNNING', 30])
  })
})
