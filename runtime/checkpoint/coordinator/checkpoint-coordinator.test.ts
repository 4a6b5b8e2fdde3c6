/** A checkpoint from its begin to its end, when everything goes well: order, ids, limits, pauses, subsumption. */
import { describe, expect, it } from 'vitest'
import { beginCoordinator, FakeCheckpointStore, lets, TASKS, twoByTwoPlan } from './coordinator.suite.ts'

describe('CheckpointCoordinator', () => {
  it('takes one: enumerators, sources, all acknowledgements, the store, and then everyone is told', async () => {
    const { barriers, coordinator, heard, say, store, time } = beginCoordinator()
    time.advance(99)
    expect(heard()).toEqual([])
    time.advance(1)
    expect(heard()).toEqual(['enumerators 1'])
    say.enumerators(1, { a: { next: 7 } })
    expect(heard()).toEqual(['trigger a0 1', 'trigger a1 1'])
    expect(barriers.get(1)).toEqual({ checkpointId: 1, timestampMs: 10_100, kind: 'checkpoint', then: 'go on' })
    store.hold()
    for (const task of TASKS) say.ack(1, task)
    await lets()
    expect(heard()).toEqual([])
    store.release()
    await lets()
    expect(heard()).toEqual(['complete 1'])
    const { metadata, path } = coordinator.restorePoint!
    expect(path).toBe('memory:/chk-1/_metadata')
    expect(metadata).toMatchObject({
      formatVersion: 1,
      checkpointId: 1,
      kind: 'checkpoint',
      timestampMs: 10_100,
      jobId: 'j',
      jobName: 'clicks',
      epoch: 4,
    })
    expect(metadata.operators.map((o) => [o.operatorId, o.name, o.parallelism, o.finished, o.coordinator])).toEqual([
      ['a', 'source', 2, [false, false], { next: 7 }],
      ['b', 'sink', 2, [false, false], undefined],
    ])
    expect(metadata.operators[1]!.subtasks.map((s) => s!.lists[0]!.handle)).toEqual([
      { file: 'b0-1', offset: 0, length: 9 },
      { file: 'b1-1', offset: 0, length: 9 },
    ])
  })

  it('begins with the interval, not before all tasks run', () => {
    const { coordinator, heard, say, time } = beginCoordinator({ idle: true })
    coordinator.attemptBegins(twoByTwoPlan())
    say.state('RUNNING', 'a0', 'a1', 'b0')
    time.advance(1000)
    expect([heard(), time.pendingMs]).toEqual([[], []])
    say.state('RUNNING', 'b1')
    expect(time.pendingMs).toEqual([100])
  })

  it('keeps the interval from begin to begin, and begins late when one took longer', async () => {
    const { heard, take, time } = beginCoordinator()
    time.advance(100)
    time.advance(30)
    await take(1)
    heard()
    time.advance(69)
    expect(heard()).toEqual([])
    time.advance(1)
    expect(heard()).toEqual(['enumerators 2'])
    time.advance(250)
    expect(heard()).toEqual([])
    await take(2)
    expect(heard()).toEqual(['trigger a0 2', 'trigger a1 2', 'complete 2', 'enumerators 3'])
  })

  it('pauses after the end of one', async () => {
    const { heard, take, time } = beginCoordinator({ config: { 'min-pause': '80' } })
    time.advance(150)
    await take(1)
    heard()
    time.advance(79)
    expect(heard()).toEqual([])
    time.advance(1)
    expect(heard()).toEqual(['enumerators 2'])
  })

  it('takes none without an interval', () => {
    const { heard, time } = beginCoordinator({ config: { interval: '' } })
    time.advance(1e9)
    expect([heard(), time.pendingMs]).toEqual([[], []])
  })

  it('has no more under way than it may', async () => {
    for (const max of [1, 2, 5]) {
      const { coordinator, heard, say, take, time } = beginCoordinator({
        config: { 'max-concurrent-checkpoints': String(max) },
      })
      for (let i = 1; i <= 9; i++) {
        time.advance(100)
        if (i <= max) say.enumerators(i)
      }
      expect(heard().filter((e) => e.startsWith('enumerators')).length).toBe(max)
      expect(coordinator.statistics.view().counts).toMatchObject({ inProgress: max, total: max })
      await take(1)
      expect(heard()).toContain(`enumerators ${max + 1}`)
    }
  })

  it('has one begin at a time', () => {
    const { heard, say, time } = beginCoordinator({ config: { 'max-concurrent-checkpoints': '3' } })
    time.advance(250)
    expect(heard()).toEqual(['enumerators 1'])
    say.enumerators(1)
    expect(heard()).toEqual(['trigger a0 1', 'trigger a1 1', 'enumerators 2'])
  })

  it('completes several in their order, each when all have acknowledged it', async () => {
    const { heard, say, time } = beginCoordinator({ config: { 'max-concurrent-checkpoints': '2' } })
    time.advance(100)
    say.enumerators(1)
    time.advance(100)
    say.enumerators(2)
    heard()
    for (const task of TASKS) {
      say.ack(1, task)
      if (task !== 'b1') say.ack(2, task)
    }
    await lets()
    expect(heard().filter((e) => e.startsWith('complete'))).toEqual(['complete 1'])
    say.ack(2, 'b1')
    await lets()
    expect(heard().filter((e) => e.startsWith('complete'))).toEqual(['complete 2'])
  })

  it('gives up older ones when a newer one is complete', async () => {
    const { coordinator, heard, say, store, take, time } = beginCoordinator({
      config: { 'max-concurrent-checkpoints': '2' },
    })
    time.advance(100)
    say.enumerators(1)
    say.ack(1, 'a0')
    time.advance(100)
    heard()
    await take(2)
    expect(heard().slice(0, 4)).toEqual(['trigger a0 2', 'trigger a1 2', 'complete 2', 'abort 1'])
    expect(store.discarded).toEqual(['1:a0-1'])
    say.ack(1, 'b0')
    expect(store.discarded).toEqual(['1:a0-1', '1:b0-1'])
    expect(coordinator.statistics.detail(1)).toMatchObject({
      status: 'FAILED',
      failureMessage: 'a newer one is complete',
    })
  })

  it('never stores an older one behind a newer one', async () => {
    const { heard, say, store, time } = beginCoordinator({ config: { 'max-concurrent-checkpoints': '2' } })
    time.advance(100)
    say.enumerators(1)
    time.advance(100)
    say.enumerators(2)
    store.hold()
    for (const task of TASKS) say.ack(2, task)
    // The first one is whole while the second is being stored.
    for (const task of TASKS) say.ack(1, task)
    heard()
    store.release()
    await lets()
    expect(heard().filter((e) => !e.startsWith('enumerators'))).toEqual(['complete 2', 'abort 1'])
    expect(store.completed.map((c) => c.metadata.checkpointId)).toEqual([2])
  })

  it('tells which ones the store has let go of', async () => {
    const { coordinator, store, take, time } = beginCoordinator()
    for (let id = 1; id <= 3; id++) {
      // It keeps two.
      if (id === 3) store.completed.shift()
      time.advance(100)
      await take(id)
    }
    const view = coordinator.statistics.view()
    expect(view.history.map((one) => [one.id, one.discarded])).toEqual([
      [3, false],
      [2, false],
      [1, true],
    ])
  })

  it('goes on with ids above all that any owner has used', () => {
    const store = new FakeCheckpointStore()
    store.nextCheckpointId = 41
    const { heard, time } = beginCoordinator({ store })
    time.advance(100)
    expect(heard()).toEqual(['enumerators 41'])
  })

  it('goes on with ids above that of the savepoint that it begins from', async () => {
    const first = beginCoordinator()
    first.time.advance(100)
    await first.take(1)
    const { metadata } = first.coordinator.restorePoint!
    const { coordinator, heard, run, time } = beginCoordinator({ idle: true })
    coordinator.beginFrom({ metadata: { ...metadata, checkpointId: 60, kind: 'savepoint' }, path: '/sp-60' })
    run()
    time.advance(100)
    expect(heard()).toEqual(['enumerators 61'])
    expect(coordinator.statistics.view()).toMatchObject({
      counts: { restored: 1 },
      latest: { restored: { id: 60, restoreTimestamp: 10_000, isSavepoint: true, externalPath: '/sp-60' } },
    })
  })

  it('begins with what the store has', async () => {
    const store = new FakeCheckpointStore()
    const first = beginCoordinator({ store })
    first.time.advance(100)
    await first.take(1)
    const { coordinator } = beginCoordinator({ store, idle: true })
    expect(coordinator.restorePoint?.path).toBe('memory:/chk-1/_metadata')
  })

  it('never tells of ids twice, over attempts', async () => {
    const { coordinator, heard, run, take, time } = beginCoordinator()
    time.advance(100)
    await take(1)
    time.advance(100)
    heard()
    coordinator.attemptEnds({ code: 'TR-TASK-001', message: 'boom', stack: '' })
    run()
    time.advance(100)
    expect(heard()).toEqual(['enumerators 3'])
    await take(3)
    expect(heard()).toEqual(['trigger a0 3', 'trigger a1 3', 'complete 3'])
  })

  it('passes over what it does not know', async () => {
    const { failures, heard, say, store, time } = beginCoordinator()
    say.ack(9, 'a0')
    say.decline(9, 'a0')
    say.enumerators(9)
    time.advance(100)
    say.enumerators(1)
    say.ack(1, 'a0')
    say.ack(1, 'a0')
    heard()
    // The bytes of whoever is not waited for are nobody's.
    expect([store.discarded, failures]).toEqual([['9:a0-9', '1:a0-1'], []])
  })

  it('takes checkpoints less often, or not at all, while a source has a backlog', async () => {
    for (const [backlog, next] of [
      ['300', [300]],
      ['0', []],
    ] as const) {
      const { coordinator, heard, time } = beginCoordinator({ config: { 'interval-during-backlog': backlog } })
      coordinator.backlog('a', true)
      expect(time.pendingMs).toEqual(next)
      time.advance(200)
      coordinator.backlog('a', false)
      expect(heard()).toEqual(['enumerators 1'])
    }
  })

  it('serves all who ask for a checkpoint with the next one, at once', async () => {
    const { coordinator, heard, take, time } = beginCoordinator({ config: { 'min-pause': '1 h' } })
    time.advance(10)
    const asked = [coordinator.takeCheckpoint()]
    expect(heard()).toEqual(['enumerators 1'])
    asked.push(coordinator.takeCheckpoint(), coordinator.takeCheckpoint())
    await take(1)
    await take(2)
    expect(await Promise.all(asked)).toEqual([
      { checkpointId: 1, path: 'memory:/chk-1/_metadata' },
      { checkpointId: 2, path: 'memory:/chk-2/_metadata' },
      { checkpointId: 2, path: 'memory:/chk-2/_metadata' },
    ])
  })

  it('shows what is under way and what was', async () => {
    const { coordinator, say, take, time } = beginCoordinator()
    time.advance(100)
    time.advance(5)
    say.enumerators(1)
    say.ack(1, 'a0')
    time.advance(10)
    const [running] = coordinator.statistics.view().history
    expect(running).toMatchObject({
      id: 1,
      status: 'IN_PROGRESS',
      type: 'CHECKPOINT',
      triggerTimestamp: 10_100,
      latestAckTimestamp: 10_105,
      durationMs: 15,
      numSubtasks: 4,
      numAcknowledged: 1,
      stateSize: 20,
      checkpointedSize: 10,
    })
    expect(running!.tasks[0]).toMatchObject({
      vertexId: 'a',
      status: 'IN_PROGRESS',
      numSubtasks: 2,
      numAcknowledged: 1,
    })
    expect(running!.tasks[0]!.subtasks).toEqual([
      {
        index: 0,
        ackTimestamp: 10_105,
        durationMs: 5,
        startDelayMs: 1,
        alignmentMs: 2,
        syncMs: 3,
        asyncMs: 4,
        stateSize: 20,
        checkpointedSize: 10,
      },
      null,
    ])
    await take(1, ['a1', 'b0', 'b1'])
    const view = coordinator.statistics.view()
    expect(view.counts).toEqual({ restored: 0, total: 1, inProgress: 0, completed: 1, failed: 0 })
    expect(view.latest.completed).toMatchObject({
      status: 'COMPLETED',
      externalPath: 'memory:/chk-1/_metadata',
      metadataSize: 100,
      stateSize: 80,
    })
    expect(view.summary.durationMs).toMatchObject({ min: 15, max: 15, avg: 15, p50: 15, p999: 15 })
    expect(coordinator.statistics.numbers()).toEqual({
      lastCheckpointDuration: 15,
      lastCheckpointSize: 40,
      lastCheckpointFullSize: 80,
      lastCheckpointMetadataSize: 100,
      lastCompletedCheckpointId: 1,
      lastCheckpointCompletedTimestamp: 10_115,
      lastCheckpointRestoreTimestamp: -1,
      numberOfInProgressCheckpoints: 0,
      numberOfCompletedCheckpoints: 1,
      numberOfFailedCheckpoints: 0,
      totalNumberOfCheckpoints: 1,
    })
  })
})
