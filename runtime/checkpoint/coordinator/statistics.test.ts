import { describe, expect, it } from 'vitest'
import { ManualClock } from '../../core/clock.ts'
import { CheckpointStatistics } from './statistics.ts'

const stats = (bytes: number) => ({
  startDelayMs: 0,
  alignmentMs: 0,
  syncMs: 0,
  asyncMs: 0,
  bytesWritten: bytes / 2,
  bytes,
})

const PLACES = [{ vertexId: 'v', subtask: 0, inputs: [] }]

function begin(historyMax = 3) {
  const clock = new ManualClock(1000)
  const statistics = new CheckpointStatistics({ clock, historyMax })
  const complete = (id: number, durationMs: number, bytes: number) => {
    statistics.begins(id, 'CHECKPOINT', PLACES)
    statistics.expects(id, [0])
    clock.advance(durationMs)
    statistics.acknowledged(id, 0, stats(bytes))
    statistics.completed(id, { path: `/chk-${id}`, metadataBytes: 1 })
  }
  return { clock, complete, statistics }
}

describe('CheckpointStatistics', () => {
  it('has nothing to say before the first one', () => {
    const { statistics } = begin()
    expect(statistics.view()).toMatchObject({ latest: {}, history: [], summary: { durationMs: { min: Number.NaN } } })
    expect(statistics.numbers()).toMatchObject({ lastCheckpointDuration: -1, lastCompletedCheckpointId: -1 })
    expect(statistics.detail(1)).toBeUndefined()
  })

  it('keeps the last ones, and the last of each kind beyond that', () => {
    const { complete, statistics } = begin()
    complete(1, 1, 2)
    statistics.begins(2, 'CHECKPOINT', PLACES)
    statistics.failed(2, 'disk full')
    statistics.begins(3, 'SAVEPOINT', PLACES)
    statistics.completed(3, { path: '/sp', metadataBytes: 1 })
    for (let id = 4; id <= 8; id++) complete(id, 1, 2)
    statistics.begins(9, 'CHECKPOINT', PLACES)
    const { counts, history, latest } = statistics.view()
    expect(history.map((c) => [c.id, c.status])).toEqual([
      [9, 'IN_PROGRESS'],
      [8, 'COMPLETED'],
      [7, 'COMPLETED'],
      [6, 'COMPLETED'],
    ])
    expect(counts).toEqual({ restored: 0, total: 9, inProgress: 1, completed: 7, failed: 1 })
    expect([latest.completed!.id, latest.savepoint!.id, latest.failed!.id]).toEqual([8, 3, 2])
    expect([statistics.detail(2)?.failureMessage, statistics.detail(4), statistics.detail(9)?.status]).toEqual([
      'disk full',
      undefined,
      'IN_PROGRESS',
    ])
  })

  it('says whose files are gone', () => {
    const { complete, statistics } = begin()
    for (let id = 1; id <= 2; id++) complete(id, 1, 2)
    statistics.begins(3, 'SAVEPOINT', PLACES)
    statistics.completed(3, { path: '/sp', metadataBytes: 1 })
    const discarded = () => [1, 2, 3].map((id) => statistics.detail(id)!.discarded)
    expect(discarded()).toEqual([false, false, false])
    statistics.keeps([2])
    expect(discarded()).toEqual([true, false, false])
    statistics.keeps([])
    expect([discarded(), statistics.view().latest.completed!.discarded]).toEqual([[true, true, false], true])
  })

  it('sums up over all of them, with quantiles', () => {
    const { complete, statistics } = begin()
    for (let id = 1; id <= 100; id++) complete(id, id, 1000)
    const { checkpointedSize, durationMs, stateSize } = statistics.view().summary
    expect(durationMs).toEqual({ min: 1, max: 100, avg: 50.5, p50: 50, p90: 90, p95: 95, p99: 99, p999: 100 })
    expect([stateSize.avg, checkpointedSize.avg]).toEqual([1000, 500])
    // Quantiles are of the last thousand.
    for (let id = 101; id <= 1100; id++) complete(id, 7, 1000)
    expect(statistics.view().summary.durationMs).toMatchObject({ min: 1, max: 100, p50: 7, p999: 7 })
  })

  it('ends each once', () => {
    const { complete, statistics } = begin()
    complete(1, 1, 2)
    statistics.failed(1, 'late')
    statistics.completed(7, { path: '/', metadataBytes: 0 })
    expect(statistics.view().counts).toEqual({ restored: 0, total: 1, inProgress: 0, completed: 1, failed: 0 })
  })
})
