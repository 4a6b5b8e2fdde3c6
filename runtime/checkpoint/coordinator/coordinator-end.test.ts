/** Checkpoints while tasks finish [CC-04], and the last one of a job whose input ends. */
import { describe, expect, it } from 'vitest'
import type { OperatorSnapshot } from '../model.ts'
import { beginCoordinator, lets, TASKS } from './coordinator.suite.ts'

const list = (operatorId: string, name: string, mode: 'union' | 'split'): OperatorSnapshot => ({
  operatorId,
  lists: [{ name, mode, handle: { bytes: new Uint8Array([1]) }, offsets: [0] }],
})

describe('the end of the input', () => {
  it('takes the last checkpoint at once when all have ended their data', async () => {
    const { barriers, heard, say, take, time } = beginCoordinator({ config: { interval: '1 h', 'min-pause': '1 h' } })
    say.ended('a0', 'a1', 'b0')
    time.advance(5)
    expect(heard()).toEqual([])
    say.ended('b1')
    expect(heard()).toEqual(['enumerators 1'])
    await take(1, TASKS, { finished: true })
    expect(barriers.get(1)).toMatchObject({ kind: 'checkpoint', then: 'end' })
    expect(heard()).toEqual(['trigger a0 1', 'trigger a1 1', 'complete 1'])
    say.state('FINISHED', ...TASKS)
    time.advance(1e9)
    expect(heard()).toEqual([])
  })

  it('lets those who ended early go with a periodic one, and waits until they have', async () => {
    const { barriers, coordinator, heard, say, time } = beginCoordinator()
    say.ended('a0')
    time.advance(100)
    say.enumerators(1)
    say.ack(1, 'a0', { finished: true })
    for (const task of ['a1', 'b0', 'b1'] as const) say.ack(1, task)
    await lets()
    heard()
    time.advance(300)
    expect(heard()).toEqual([])
    say.state('FINISHED', 'a0')
    expect(heard()).toEqual(['enumerators 2'])
    say.enumerators(2)
    // The other source feeds both sinks.
    expect(heard()).toEqual(['trigger a1 2'])
    for (const task of ['a1', 'b0', 'b1'] as const) say.ack(2, task)
    await lets()
    const { operators } = coordinator.restorePoint!.metadata
    expect(operators.map((o) => [o.finished, o.subtasks.map((s) => s !== null)])).toEqual([
      [
        [true, false],
        [false, true],
      ],
      [
        [false, false],
        [true, true],
      ],
    ])
    expect(barriers.get(2)!.then).toBe('go on')
  })

  it('triggers those whose inputs have all finished', async () => {
    const { heard, say, take, time } = beginCoordinator()
    say.state('FINISHED', 'a0', 'a1')
    time.advance(100)
    heard()
    await take(1, ['b0', 'b1'])
    expect(heard()).toEqual(['trigger b0 1', 'trigger b1 1', 'complete 1'])
  })

  it('waits with the last one for a periodic one that may hold the end already', async () => {
    const { heard, say, time } = beginCoordinator()
    time.advance(100)
    say.ended(...TASKS)
    say.enumerators(1)
    heard()
    // The barrier reached the sinks before the end of the data.
    say.ack(1, 'a0', { finished: true })
    say.ack(1, 'a1', { finished: true })
    say.ack(1, 'b0')
    say.ack(1, 'b1')
    await lets()
    expect(heard()).toEqual(['complete 1'])
    say.state('FINISHED', 'a0', 'a1')
    expect(heard()).toEqual(['enumerators 2'])
    say.enumerators(2)
    expect(heard()).toEqual(['trigger b0 2', 'trigger b1 2'])
  })

  it('tries the last one again after the interval when it fails', () => {
    const { heard, say, time } = beginCoordinator({ config: { 'tolerable-failed-checkpoints': '3' } })
    say.ended(...TASKS)
    say.enumerators(1)
    heard()
    say.decline(1, 'b0')
    expect(heard()).toEqual(['abort 1'])
    time.advance(99)
    expect(heard()).toEqual([])
    time.advance(1)
    expect(heard()).toEqual(['enumerators 2'])
  })

  it('begins anew, uncounted, when a task finishes before its barrier came', () => {
    const { coordinator, failures, heard, say, time } = beginCoordinator()
    time.advance(100)
    say.enumerators(1)
    heard()
    say.state('FINISHED', 'a0')
    expect([heard(), failures]).toEqual([['abort 1', 'enumerators 2'], []])
    expect(coordinator.statistics.detail(1)!.failureMessage).toBe('task "source" (1/2) has finished')
    say.enumerators(2)
    expect(heard()).toEqual(['trigger a1 2'])
  })

  it('asks again for those who wanted it', async () => {
    const { coordinator, say, take } = beginCoordinator()
    const asked = [coordinator.takeSavepoint('/sp')]
    say.enumerators(1)
    say.state('FINISHED', 'a0')
    await take(2, ['a1', 'b0', 'b1'])
    asked.push(coordinator.takeCheckpoint())
    say.enumerators(3)
    say.state('FINISHED', 'a1')
    await take(4, ['b0', 'b1'])
    expect((await Promise.all(asked)).map((r) => r.checkpointId)).toEqual([2, 4])
  })

  it('is not disturbed by a task that finishes after it has acknowledged', async () => {
    const { heard, say, time } = beginCoordinator()
    time.advance(100)
    say.enumerators(1)
    say.ack(1, 'a0', { finished: true })
    say.state('FINISHED', 'a0')
    for (const task of ['a1', 'b0', 'b1'] as const) say.ack(1, task)
    await lets()
    expect(heard().slice(-1)).toEqual(['complete 1'])
  })

  it('does not wait for ever for a task that should have finished', async () => {
    const { heard, say, take, time } = beginCoordinator({ config: { timeout: '2 s' } })
    say.ended('a0')
    time.advance(100)
    say.enumerators(1)
    say.ack(1, 'a0', { finished: true })
    await take(1, ['a1', 'b0', 'b1'])
    heard()
    time.advance(1999)
    expect(heard()).toEqual([])
    time.advance(1)
    expect(heard()).toEqual(['enumerators 2'])
  })

  it('forgets in the next attempt who had finished', async () => {
    const { coordinator, heard, run, say, take, time } = beginCoordinator()
    say.ended('a0')
    time.advance(100)
    say.enumerators(1)
    say.ack(1, 'a0', { finished: true })
    await take(1, ['a1', 'b0', 'b1'])
    say.state('FINISHED', 'a0')
    coordinator.attemptEnds({ code: 'TR-TASK-001', message: 'boom', stack: '' })
    run()
    heard()
    time.advance(100)
    await take(2)
    expect(heard()).toEqual(['enumerators 2', 'trigger a0 2', 'trigger a1 2', 'complete 2'])
  })
})

describe('what a finished task leaves', () => {
  async function sinkFinishes(state: OperatorSnapshot[]) {
    const begun = beginCoordinator()
    const { say, take, time } = begun
    say.ended('b0')
    time.advance(100)
    say.enumerators(1)
    say.ack(1, 'b0', { finished: true, operators: state })
    await take(1, ['a0', 'a1', 'b1'])
    say.state('FINISHED', 'b0')
    await lets()
    return begun
  }

  it('is its part of union states, in every later checkpoint', async () => {
    const { coordinator, failures, say, take, time } = await sinkFinishes([
      {
        ...list('b', 'offsets', 'union'),
        lists: [...list('b', 'offsets', 'union').lists, ...list('b', 'sent', 'split').lists],
      },
    ])
    for (let id = 2; id <= 3; id++) {
      time.advance(100)
      say.enumerators(id)
      say.ack(id, 'b1', { operators: [list('b', 'offsets', 'union')] })
      await take(id, ['a0', 'a1'])
      const sink = coordinator.restorePoint!.metadata.operators[1]!
      expect([sink.finished, sink.subtasks.map((s) => s!.lists.map((l) => l.name))]).toEqual([
        [true, false],
        [['offsets'], ['offsets']],
      ])
    }
    expect(failures).toEqual([])
  })

  it('is nothing else, as it is done with', async () => {
    const { coordinator, take, time } = await sinkFinishes([list('b', 'sent', 'split')])
    time.advance(100)
    await take(2, ['a0', 'a1', 'b1'])
    expect(coordinator.restorePoint!.metadata.operators[1]!.subtasks[0]).toBeNull()
  })

  it('no checkpoint completes with a union state of which a part is gone', async () => {
    const { coordinator, failures, say, take, time } = await sinkFinishes([])
    time.advance(100)
    say.enumerators(2)
    say.ack(2, 'b1', { operators: [list('b', 'offsets', 'union')] })
    await take(2, ['a0', 'a1'])
    expect(failures[0]!.message).toContain(
      'checkpoint 2: union state "offsets" of operator "sink" (uid "sink") is not whole, since some of its subtasks have finished',
    )
    expect(coordinator.restorePoint!.metadata.checkpointId).toBe(1)
  })
})
