/** Checkpoints that come to nothing: declined, expired, refused by the store, given up with the attempt, or another's. */
import { describe, expect, it } from 'vitest'
import { errorToData, TailraceError } from '../../core/errors.ts'
import { beginCoordinator, FakeCheckpointStore, lets, TASKS, twoByTwoPlan } from './coordinator.suite.ts'

const boom = errorToData(new TailraceError('TR-TASK-001', 'boom'))
const deposed = new TailraceError('TR-CHECKPOINT-002', 'epoch 5 has taken over')

/** The first checkpoint has triggered its tasks; this many may fail. */
function triggered(tolerable: number, config: Record<string, string> = {}) {
  const begun = beginCoordinator({ config: { 'tolerable-failed-checkpoints': String(tolerable), ...config } })
  begun.time.advance(100)
  begun.say.enumerators(1)
  begun.heard()
  return begun
}

describe('a checkpoint that fails', () => {
  it('declined: its bytes are deleted, slots are told, and the next one comes with the interval', async () => {
    const { coordinator, failures, heard, say, store, take, time } = triggered(1)
    say.ack(1, 'a0')
    say.decline(1, 'b1')
    expect([heard(), store.discarded, failures]).toEqual([['abort 1'], ['1:a0-1'], []])
    const { counts, history, latest } = coordinator.statistics.view()
    expect([counts.failed, history[0]!.status]).toEqual([1, 'FAILED'])
    expect(latest.failed!.failureMessage).toBe('task "sink" (2/2) could not take its part: disk full')
    time.advance(100)
    await take(2)
    expect(heard().slice(-1)).toEqual(['complete 2'])
  })

  it('is counted once, however many tasks decline it', () => {
    const { failures, say } = triggered(1)
    for (const task of TASKS) say.decline(1, task)
    expect(failures).toEqual([])
  })

  it('with more failures in a row than are tolerated the job fails, and says which', () => {
    const { failures, heard, say, time } = triggered(1)
    say.decline(1, 'a0')
    time.advance(100)
    say.enumerators(2)
    heard()
    say.decline(2, 'b0')
    expect(heard()).toEqual(['abort 2', 'fail'])
    expect(failures[0]).toMatchObject({
      code: 'TR-CHECKPOINT-001',
      message:
        'Cannot take checkpoints of the job "clicks": 2 failed in a row, and execution.checkpointing.tolerable-failed-checkpoints is 1; ' +
        'checkpoint 2: task "sink" (1/2) could not take its part: disk full',
      cause: { message: 'disk full' },
    })
    time.advance(1000)
    expect(heard()).toEqual([])
  })

  it('one that completes sets the count back', async () => {
    const { failures, say, take, time } = triggered(1)
    say.decline(1, 'a0')
    time.advance(100)
    await take(2)
    time.advance(100)
    say.enumerators(3)
    say.decline(3, 'a0')
    expect(failures).toEqual([])
    time.advance(100)
    say.enumerators(4)
    say.decline(4, 'a0')
    expect(failures.length).toBe(1)
  })

  it('after the job has failed for it the next attempt may fail as often', () => {
    const { failures, run, say, time } = triggered(0)
    say.decline(1, 'a0')
    expect(failures.length).toBe(1)
    run()
    time.advance(100)
    say.enumerators(2)
    say.decline(2, 'a0')
    expect(failures[1]!.message).toContain('one failed, and')
  })

  it('expires, and names who has not acknowledged it', () => {
    const { failures, heard, say, store, time } = triggered(0, { timeout: '5 s' })
    say.ack(1, 'b0')
    time.advance(4999)
    expect(heard()).toEqual([])
    time.advance(1)
    expect([heard(), store.discarded]).toEqual([['abort 1', 'fail'], ['1:b0-1']])
    expect(failures[0]!.message).toContain(
      'checkpoint 1: task "source" (1/2), task "source" (2/2), task "sink" (2/2) had not acknowledged it after 5 s (execution.checkpointing.timeout)',
    )
    say.ack(1, 'a0')
    expect(store.discarded).toEqual(['1:b0-1', '1:a0-1'])
  })

  it('expires while enumerators are silent, and their states come too late', () => {
    const { failures, heard, say, time } = beginCoordinator({
      config: { timeout: '5 s', 'tolerable-failed-checkpoints': '1' },
    })
    time.advance(100)
    time.advance(5000)
    // No task knows of it.
    expect(heard()).toEqual(['enumerators 1', 'enumerators 2'])
    say.enumerators(1)
    expect([heard(), failures]).toEqual([[], []])
  })

  it('does not expire while the store has it', async () => {
    const { heard, say, store, time } = triggered(0, { timeout: '5 s' })
    store.hold()
    for (const task of TASKS) say.ack(1, task)
    time.advance(60_000)
    await lets()
    store.release()
    await lets()
    expect(heard().slice(0, 1)).toEqual(['complete 1'])
  })

  it('fails when an enumerator cannot give its state', () => {
    const { failures, heard, say, time } = beginCoordinator()
    time.advance(100)
    say.enumerators(1, {}, errorToData(new TailraceError('TR-SOURCE-001', 'no state of "source"')))
    expect(heard()).toEqual(['enumerators 1', 'fail'])
    expect(failures[0]!.message).toContain('checkpoint 1: no state of "source"')
  })

  it('fails when the store refuses it, and nothing is told', async () => {
    const { coordinator, heard, say, store, take, time } = triggered(1)
    store.refuse(new TailraceError('TR-CHECKPOINT-001', 'disk full'))
    for (const task of TASKS) say.ack(1, task)
    await lets()
    expect([heard(), coordinator.restorePoint]).toEqual([['abort 1'], undefined])
    expect(store.discarded).toEqual(['1:a0-1', '1:a1-1', '1:b0-1', '1:b1-1'])
    expect(coordinator.statistics.detail(1)!.failureMessage).toBe('its store could not complete it: disk full')
    time.advance(100)
    await take(2)
    expect(coordinator.restorePoint!.metadata.checkpointId).toBe(2)
  })

  it('is not counted when a task let a newer one go first', () => {
    const { failures, heard, say, time } = triggered(0)
    say.giveWay(1, 'b0')
    expect([heard(), failures]).toEqual([['abort 1'], []])
    time.advance(100)
    expect(heard()).toEqual(['enumerators 2'])
  })

  it('takes older ones with it that tasks still wait for', () => {
    const { heard, say, time } = triggered(5, { 'max-concurrent-checkpoints': '3' })
    time.advance(100)
    say.enumerators(2)
    heard()
    say.decline(2, 'a0')
    expect(heard().filter((e) => e.startsWith('abort'))).toEqual(['abort 2', 'abort 1'])
  })

  it('is told of to those who asked for it', async () => {
    const { coordinator, say, time } = beginCoordinator({ config: { 'tolerable-failed-checkpoints': '9' } })
    const asked = coordinator.takeCheckpoint()
    say.enumerators(1)
    say.decline(1, 'a0')
    await expect(asked).rejects.toMatchObject({
      code: 'TR-CHECKPOINT-001',
      message: 'Cannot take checkpoint 1 of the job "clicks": task "source" (1/2) could not take its part: disk full',
    })
    expect(time.pendingMs.length).toBe(1)
  })
})

describe('an attempt that ends', () => {
  it('gives up what is under way, tells no one, and begins nothing', async () => {
    const { coordinator, failures, heard, say, store, time } = triggered(0)
    say.ack(1, 'a0')
    coordinator.attemptEnds(boom)
    expect([heard(), store.discarded, failures, time.pendingMs]).toEqual([[], ['1:a0-1'], [], []])
    say.ack(1, 'a1')
    say.state('CANCELED', ...TASKS)
    time.advance(10_000)
    expect([heard(), store.discarded]).toEqual([[], ['1:a0-1', '1:a1-1']])
    await coordinator.settled()
  })

  it('rejects what users have asked for', async () => {
    const { coordinator } = triggered(0)
    const asked = [coordinator.takeCheckpoint(), coordinator.takeSavepoint('/sp')]
    coordinator.attemptEnds(boom)
    for (const one of asked)
      await expect(one).rejects.toMatchObject({ message: expect.stringContaining('the job failed: boom') })
    await expect(coordinator.takeCheckpoint()).rejects.toMatchObject({
      message: expect.stringContaining('0 of its 4 tasks run, and all are wanted'),
    })
  })

  it('waits for what the store has, and the next one goes on from it', async () => {
    const { coordinator, heard, say, store } = triggered(0)
    store.hold()
    for (const task of TASKS) say.ack(1, task)
    coordinator.attemptEnds(boom)
    let settled = false
    const waiting = coordinator.settled().then(() => {
      settled = true
    })
    await lets()
    expect([settled, coordinator.restorePoint]).toEqual([false, undefined])
    store.release()
    await waiting
    // Its tasks are gone, so none is told.
    expect([coordinator.restorePoint!.metadata.checkpointId, heard()]).toEqual([1, []])
  })

  it('takes none while tasks of the next one start', () => {
    const { coordinator, heard, say, time } = triggered(0)
    coordinator.attemptEnds(boom)
    coordinator.attemptBegins(twoByTwoPlan())
    say.state('RUNNING', 'a0')
    time.advance(1000)
    expect(heard()).toEqual([])
    say.state('RUNNING', 'a1', 'b0', 'b1')
    time.advance(100)
    expect(heard()).toEqual(['enumerators 2'])
  })

  it('takes none after a task was lost, before anyone says that the attempt is over', () => {
    const { heard, say, time } = beginCoordinator()
    say.state('FAILED', 'b0')
    time.advance(1000)
    expect(heard()).toEqual([])
  })

  it('ends for good with the job', async () => {
    const { coordinator, heard, say, store, time } = triggered(0)
    const asked = coordinator.takeCheckpoint()
    say.ack(1, 'a0')
    coordinator.jobEnds(true)
    await expect(asked).rejects.toMatchObject({ message: expect.stringContaining('the job has ended') })
    await expect(coordinator.takeSavepoint('/sp')).rejects.toMatchObject({
      message: 'Cannot take a savepoint of the job "clicks": it has ended',
    })
    time.advance(1000)
    expect([heard(), store.discarded]).toEqual([[], ['1:a0-1']])
  })
})

describe('another owner', () => {
  it('ends the job before anyone is told, and nothing is touched any more', async () => {
    const { coordinator, failures, heard, say, store, time } = triggered(9)
    store.refuse(deposed)
    for (const task of TASKS) say.ack(1, task)
    await lets()
    expect([heard(), failures, store.discarded]).toEqual([['fail'], [deposed], []])
    time.advance(1000)
    say.ack(1, 'a0')
    expect([heard(), store.discarded, coordinator.restorePoint]).toEqual([[], [], undefined])
    expect(coordinator.statistics.detail(1)).toMatchObject({ status: 'FAILED' })
  })

  it('is noticed by a task that cannot store its bytes', () => {
    const { failures, heard, say } = triggered(9)
    say.decline(1, 'a0', errorToData(deposed))
    expect([heard(), failures.map((e) => e.code)]).toEqual([['fail'], ['TR-CHECKPOINT-002']])
  })

  it('has the epoch that the metadata names', async () => {
    const store = new FakeCheckpointStore()
    const { coordinator, take, time } = beginCoordinator({ store })
    time.advance(100)
    await take(1)
    expect(coordinator.restorePoint!.metadata.epoch).toBe(4)
  })
})
