/** Savepoints: beside checkpoints, and to stop the job with. */
import { describe, expect, it } from 'vitest'
import { errorToData, TailraceError } from '../../core/errors.ts'
import { beginCoordinator, lets, TASKS, twoByTwoPlan } from './coordinator.suite.ts'

const boom = errorToData(new TailraceError('TR-TASK-001', 'boom'))

describe('a savepoint', () => {
  it('is written where it should be, and tasks hear nothing of its end', async () => {
    const { barriers, coordinator, heard, savepoints, store, take, time } = beginCoordinator({
      config: { interval: '' },
    })
    time.advance(10)
    const asked = coordinator.takeSavepoint('/backups')
    await take(1)
    expect(await asked).toEqual({ checkpointId: 1, path: '/backups/savepoint-1' })
    expect(heard()).toEqual(['enumerators 1', 'trigger a0 1', 'trigger a1 1'])
    expect(barriers.get(1)).toMatchObject({ kind: 'savepoint', then: 'go on' })
    expect(savepoints[0]).toMatchObject({ directory: '/backups', metadata: { kind: 'savepoint', checkpointId: 1 } })
    // The bytes were copied; it is no place to go back to.
    expect(store.discarded).toEqual(['1:a0-1', '1:a1-1', '1:b0-1', '1:b1-1'])
    expect([store.completed, coordinator.restorePoint]).toEqual([[], undefined])
    expect(coordinator.statistics.view()).toMatchObject({
      counts: { completed: 1 },
      latest: { savepoint: { type: 'SAVEPOINT', externalPath: '/backups/savepoint-1' } },
    })
  })

  it('has the job to itself: it waits for a checkpoint, and a checkpoint for it', async () => {
    const { coordinator, heard, take, time } = beginCoordinator({ config: { 'max-concurrent-checkpoints': '5' } })
    time.advance(100)
    const asked = coordinator.takeSavepoint('/sp')
    await take(1)
    expect(heard()).toEqual(['enumerators 1', 'trigger a0 1', 'trigger a1 1', 'complete 1', 'enumerators 2'])
    time.advance(500)
    expect(heard()).toEqual([])
    await take(2)
    expect(heard()).toEqual(['trigger a0 2', 'trigger a1 2', 'enumerators 3'])
    expect((await asked).checkpointId).toBe(2)
  })

  it('does not wait for a pause, and each who asks gets one of their own', async () => {
    const { coordinator, savepoints, take } = beginCoordinator({ config: { 'min-pause': '1 h' } })
    const asked = [coordinator.takeSavepoint('/a'), coordinator.takeSavepoint('/b')]
    await take(1)
    await take(2)
    expect((await Promise.all(asked)).map(({ path }) => path)).toEqual(['/a/savepoint-1', '/b/savepoint-2'])
    expect(savepoints.map(({ directory }) => directory)).toEqual(['/a', '/b'])
  })

  it('that fails is told of, and counts for nothing', async () => {
    const { coordinator, failures, heard, say } = beginCoordinator()
    for (let id = 1; id <= 3; id++) {
      const asked = coordinator.takeSavepoint('/sp')
      say.enumerators(id)
      say.decline(id, 'b0')
      await expect(asked).rejects.toMatchObject({
        message: `Cannot take savepoint ${id} of the job "clicks": task "sink" (1/2) could not take its part: disk full`,
      })
    }
    expect([failures, heard().filter((e) => e.startsWith('abort'))]).toEqual([[], ['abort 1', 'abort 2', 'abort 3']])
  })

  it('that cannot be written fails with the reason', async () => {
    const { coordinator, failures, store, take } = beginCoordinator()
    const asked = coordinator.takeSavepoint('/sp')
    const rejected = expect(asked).rejects.toMatchObject({
      message: expect.stringContaining('it could not be written: EACCES: /sp'),
    })
    store.refuse(new Error('EACCES: /sp'))
    await take(1)
    await rejected
    expect([failures, store.discarded.length]).toEqual([[], 4])
  })

  it('that expires is told of', async () => {
    const { coordinator, failures, time } = beginCoordinator({ config: { timeout: '1 s', interval: '' } })
    const asked = coordinator.takeSavepoint('/sp')
    time.advance(1000)
    await expect(asked).rejects.toMatchObject({
      message: expect.stringContaining('have not given their states after 1 s'),
    })
    expect(failures).toEqual([])
  })

  it('is refused while tasks start, once they have finished, and while the job is being stopped', async () => {
    const starting = beginCoordinator({ idle: true })
    starting.coordinator.attemptBegins(twoByTwoPlan())
    starting.say.state('RUNNING', 'a0')
    await expect(starting.coordinator.takeSavepoint('/sp')).rejects.toMatchObject({
      message: 'Cannot take a savepoint of the job "clicks": 1 of its 4 tasks run, and all are wanted',
    })
    const finished = beginCoordinator()
    finished.say.state('FINISHED', ...TASKS)
    await expect(finished.coordinator.takeSavepoint('/sp')).rejects.toMatchObject({
      message: expect.stringContaining('all of its tasks have finished'),
    })
    const stopping = beginCoordinator()
    const stopped = stopping.coordinator.stopWithSavepoint('/sp', false)
    for (const ask of [
      stopping.coordinator.takeSavepoint('/sp'),
      stopping.coordinator.takeCheckpoint(),
      stopping.coordinator.stopWithSavepoint('/sp', true),
    ])
      await expect(ask).rejects.toMatchObject({
        message: expect.stringContaining('it is being stopped with a savepoint'),
      })
    stopping.coordinator.jobEnds(false)
    await expect(stopped).rejects.toMatchObject({ message: expect.stringContaining('the job has ended') })
  })
})

describe('stopping with a savepoint', () => {
  it('suspends behind it, commits, and resolves when the job has finished', async () => {
    const { barriers, committed, coordinator, heard, say, store, take, time } = beginCoordinator()
    time.advance(10)
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    expect(heard()).toEqual(['enumerators 1'])
    await take(1)
    expect(barriers.get(1)).toMatchObject({ kind: 'savepoint', then: 'suspend' })
    expect(heard()).toEqual(['trigger a0 1', 'trigger a1 1', 'complete 1'])
    time.advance(10_000)
    expect(heard()).toEqual([])
    say.state('FINISHED', ...TASKS)
    expect(committed).toEqual([])
    coordinator.jobEnds(true)
    await coordinator.stopEnds()
    expect(await stopped).toEqual({ checkpointId: 1, path: '/sp/savepoint-1' })
    expect(committed).toEqual(['/sp/savepoint-1'])
    expect(coordinator.statistics.view().latest.savepoint).toMatchObject({ type: 'SYNC_SAVEPOINT' })
    expect(store.discarded).toEqual([])
  })

  it('goes before what was asked for, and nothing comes after it', async () => {
    const { coordinator, heard, take, time } = beginCoordinator()
    time.advance(100)
    const asked = coordinator.takeSavepoint('/before')
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    await take(2)
    time.advance(1000)
    expect(heard()).toEqual(['enumerators 1', 'enumerators 2', 'trigger a0 2', 'trigger a1 2', 'complete 2'])
    coordinator.jobEnds(true)
    await coordinator.stopEnds()
    expect((await stopped).checkpointId).toBe(2)
    await expect(asked).rejects.toMatchObject({ message: expect.stringContaining('the job has ended') })
  })

  it('gives up checkpoints under way, but for one that the store has', async () => {
    const { coordinator, heard, say, store, time } = beginCoordinator({ config: { 'max-concurrent-checkpoints': '2' } })
    time.advance(100)
    say.enumerators(1)
    store.hold()
    for (const task of TASKS) say.ack(1, task)
    time.advance(100)
    say.enumerators(2)
    heard()
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    expect(heard()).toEqual(['abort 2'])
    store.release()
    await lets()
    expect(heard()).toEqual(['complete 1', 'enumerators 3'])
    coordinator.jobEnds(false)
    await expect(stopped).rejects.toThrow()
  })

  it('drained: ends the sources, waits for all data, and takes it at the end', async () => {
    const { barriers, coordinator, heard, say, take, time } = beginCoordinator()
    const stopped = coordinator.stopWithSavepoint('/sp', true)
    expect(heard()).toEqual(['drain a0', 'drain a1'])
    say.ended('a0', 'a1', 'b0')
    time.advance(1000)
    expect(heard()).toEqual([])
    say.ended('b1')
    expect(heard()).toEqual(['enumerators 1'])
    await take(1, TASKS, { finished: true })
    expect(barriers.get(1)).toMatchObject({ kind: 'savepoint', then: 'end' })
    expect(heard()).toEqual(['trigger a0 1', 'trigger a1 1', 'complete 1'])
    say.state('FINISHED', ...TASKS)
    expect(coordinator.holdsEnd).toBe(false)
    coordinator.jobEnds(true)
    await coordinator.stopEnds()
    expect((await stopped).path).toBe('/sp/savepoint-1')
  })

  it('drained without checkpoints: tasks finish at once, and it is taken before the job ends', async () => {
    const { coordinator, heard, savepoints, say } = beginCoordinator({ config: { interval: '' } })
    const stopped = coordinator.stopWithSavepoint('/sp', true)
    say.state('FINISHED', ...TASKS)
    expect([heard(), coordinator.holdsEnd]).toEqual([['drain a0', 'drain a1', 'enumerators 1'], true])
    say.enumerators(1)
    await lets()
    expect([heard(), coordinator.holdsEnd]).toEqual([['complete 1'], false])
    expect(savepoints[0]!.metadata.operators.map((o) => o.finished)).toEqual([
      [true, true],
      [true, true],
    ])
    coordinator.jobEnds(true)
    await coordinator.stopEnds()
    expect((await stopped).path).toBe('/sp/savepoint-1')
  })

  it('drained: sources that have ended already are not asked', async () => {
    const { coordinator, heard, say } = beginCoordinator()
    say.ended('a0')
    const stopped = coordinator.stopWithSavepoint('/sp', true)
    expect(heard()).toEqual(['drain a1'])
    coordinator.jobEnds(false)
    await expect(stopped).rejects.toThrow()
  })

  it('is given up when the data does not end in time', async () => {
    const { coordinator, failures, time } = beginCoordinator({ config: { timeout: '5 s' } })
    const stopped = coordinator.stopWithSavepoint('/sp', true)
    time.advance(5000)
    expect(failures[0]!.message).toBe(
      'Cannot drain the job "clicks": its data had not ended after 5 s (execution.checkpointing.timeout)',
    )
    await expect(stopped).rejects.toMatchObject({ message: expect.stringContaining('its data had not ended') })
  })

  it.each([
    ['declined', (begun: ReturnType<typeof beginCoordinator>) => begun.say.decline(1, 'b0'), 'disk full'],
    [
      'overtaken',
      (begun: ReturnType<typeof beginCoordinator>) => begun.say.giveWay(1, 'b0'),
      'let a newer one go first',
    ],
    ['expired', (begun: ReturnType<typeof beginCoordinator>) => begun.time.advance(600_000), 'had not acknowledged it'],
  ])('fails the job when the savepoint is %s', async (_, fail, why) => {
    const begun = beginCoordinator({ config: { 'tolerable-failed-checkpoints': '9' } })
    const { coordinator, failures, heard, run, say, time } = begun
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    say.enumerators(1)
    heard()
    fail(begun)
    expect(heard()).toEqual(['abort 1', 'fail'])
    expect(failures[0]!.message).toContain('Cannot stop the job "clicks" with savepoint 1')
    await expect(stopped).rejects.toMatchObject({ message: expect.stringContaining(why) })
    // The next attempt is not being stopped.
    run()
    time.advance(100)
    expect(heard()).toEqual(['enumerators 2'])
  })

  it('after which the job is cancelled names the savepoint', async () => {
    const { committed, coordinator, take } = beginCoordinator()
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    const rejected = expect(stopped).rejects.toMatchObject({ message: expect.stringContaining('"/sp/savepoint-1"') })
    await take(1)
    coordinator.jobEnds(false)
    await rejected
    expect(committed).toEqual([])
  })

  it('after which a task fails names the savepoint, and the next attempt goes on from it', async () => {
    const { coordinator, run, store, take, time } = beginCoordinator()
    time.advance(100)
    await take(1)
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    await take(2)
    const error = coordinator.attemptEnds(boom)
    const text =
      'Cannot stop the job "clicks" with a savepoint: savepoint 2 was taken at "/sp/savepoint-2", but the job had not stopped yet: boom'
    expect(error?.message).toBe(text)
    await expect(stopped).rejects.toMatchObject({ message: text })
    // Tasks may have committed what the savepoint holds.
    expect(coordinator.restorePoint).toMatchObject({ path: 'memory:/chk-2/_metadata', metadata: { checkpointId: 2 } })
    run()
    time.advance(100)
    await take(3)
    expect(coordinator.restorePoint!.metadata.checkpointId).toBe(3)
    expect(store.discarded).toEqual([])
  })

  // The simulation's seed 459: the process died right after tasks had committed, and the next one began from the checkpoint before.
  it('is a checkpoint of the deployment before anyone is told, for whoever comes next', async () => {
    const { coordinator, heard, savepoints, say, store, time } = beginCoordinator()
    time.advance(10)
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    say.enumerators(1)
    for (const task of TASKS) say.ack(1, task)
    heard()
    await lets()
    expect(savepoints[0]!.metadata.kind).toBe('savepoint')
    expect(store.completed.map(({ metadata }) => [metadata.checkpointId, metadata.kind])).toEqual([[1, 'checkpoint']])
    expect(heard()).toEqual(['complete 1'])
    coordinator.jobEnds(true)
    await coordinator.stopEnds()
    await stopped
  })

  // The simulation's seed 335: a JobManager that another had taken over from stopped its job, and committed what the other did again.
  it('is refused to a JobManager that another has taken over from, and nobody is told', async () => {
    const { coordinator, failures, heard, savepoints, say, store } = beginCoordinator()
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    const rejected = expect(stopped).rejects.toMatchObject({ message: expect.stringContaining('epoch 5 has claimed') })
    say.enumerators(1)
    store.complete = async () => {
      throw new TailraceError('TR-CHECKPOINT-002', 'epoch 5 has claimed it')
    }
    for (const task of TASKS) say.ack(1, task)
    heard()
    await coordinator.settled()
    await rejected
    expect([savepoints.length, heard(), failures.map(({ code }) => code)]).toEqual([1, ['fail'], ['TR-CHECKPOINT-002']])
  })

  // The simulation's seed 767: while the job ended another JobManager took over and went on with it, and the user began it anew from the savepoint.
  it('fails when another JobManager has taken over before the job was ended in its store', async () => {
    const { committed, coordinator, say, take } = beginCoordinator()
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    const rejected = expect(stopped).rejects.toMatchObject({
      message: expect.stringMatching('"/sp/savepoint-1".*epoch 5 has claimed it'),
    })
    await take(1)
    say.state('FINISHED', ...TASKS)
    coordinator.jobEnds(true)
    await coordinator.stopEnds(new TailraceError('TR-CHECKPOINT-002', 'epoch 5 has claimed it'))
    await rejected
    expect(committed).toEqual([])
  })

  it('says where the savepoint is also when the job failed while it was written; nobody was told of it, so the last checkpoint holds', async () => {
    const { coordinator, heard, savepoints, say, store, take, time } = beginCoordinator()
    time.advance(100)
    await take(1)
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    say.enumerators(2)
    store.hold()
    for (const task of TASKS) say.ack(2, task)
    heard()
    expect(coordinator.attemptEnds(boom)).toBeUndefined()
    store.release()
    await coordinator.settled()
    await expect(stopped).rejects.toMatchObject({ message: expect.stringContaining('"/sp/savepoint-2"') })
    expect([savepoints.length, heard(), coordinator.restorePoint!.metadata.checkpointId]).toEqual([1, [], 1])
  })

  it('fails with both reasons when the job failed and the savepoint could not be written', async () => {
    const { coordinator, failures, say, store } = beginCoordinator()
    const stopped = coordinator.stopWithSavepoint('/sp', false)
    say.enumerators(1)
    store.hold()
    for (const task of TASKS) say.ack(1, task)
    coordinator.attemptEnds(boom)
    store.refuse(new Error('EACCES'))
    store.release()
    await coordinator.settled()
    await expect(stopped).rejects.toMatchObject({ message: expect.stringContaining('it could not be written: EACCES') })
    expect(failures).toEqual([])
  })
})
