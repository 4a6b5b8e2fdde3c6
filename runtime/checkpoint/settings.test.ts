import { describe, expect, it } from 'vitest'
import { readCheckpointSettings } from './settings.ts'

describe('readCheckpointSettings()', () => {
  it('takes no checkpoints by itself, and has Flink’s defaults', () => {
    expect(readCheckpointSettings({})).toEqual({
      intervalMs: undefined,
      intervalDuringBacklogMs: undefined,
      mode: 'EXACTLY_ONCE',
      timeoutMs: 600_000,
      minPauseMs: 0,
      maxConcurrent: 1,
      tolerableFailures: 0,
      retained: 1,
      retention: 'NO_EXTERNALIZED_CHECKPOINTS',
      unaligned: false,
      directory: undefined,
      savepointDirectory: undefined,
      restore: undefined,
      local: { keeps: false, reads: false },
      allowNonRestoredState: false,
      historyMax: 10,
    })
  })

  it.each([
    ['execution.checkpointing.interval', '10 s', 'intervalMs', 10_000],
    ['execution.checkpointing.interval', '60000', 'intervalMs', 60_000],
    ['execution.checkpointing.interval-during-backlog', '0', 'intervalDuringBacklogMs', Number.POSITIVE_INFINITY],
    ['execution.checkpointing.interval-during-backlog', '10 min', 'intervalDuringBacklogMs', 600_000],
    ['execution.checkpointing.mode', 'at_least_once', 'mode', 'AT_LEAST_ONCE'],
    ['execution.checkpointing.timeout', 'PT5M', 'timeoutMs', 300_000],
    ['execution.checkpointing.min-pause', '500 ms', 'minPauseMs', 500],
    ['execution.checkpointing.max-concurrent-checkpoints', '3', 'maxConcurrent', 3],
    ['execution.checkpointing.tolerable-failed-checkpoints', '5', 'tolerableFailures', 5],
    ['execution.checkpointing.num-retained', '3', 'retained', 3],
    ['state.checkpoints.num-retained', '3', 'retained', 3],
    [
      'execution.checkpointing.externalized-checkpoint-retention',
      'RETAIN_ON_CANCELLATION',
      'retention',
      'RETAIN_ON_CANCELLATION',
    ],
    ['execution.checkpointing.unaligned', 'true', 'unaligned', true],
    ['execution.checkpointing.unaligned.enabled', 'TRUE', 'unaligned', true],
    ['execution.checkpointing.dir', 's3://b/c', 'directory', 's3://b/c'],
    ['state.checkpoints.dir', 's3://b/c', 'directory', 's3://b/c'],
    ['execution.checkpointing.savepoint-dir', '/sp', 'savepointDirectory', '/sp'],
    ['state.savepoints.dir', '/sp', 'savepointDirectory', '/sp'],
    ['web.checkpoints.history', '3', 'historyMax', 3],
    ['jobmanager.web.checkpoints.history', '3', 'historyMax', 3],
  ])('reads %s: %s', (key, text, name, value) => {
    expect(readCheckpointSettings({ [key]: text })).toMatchObject({ [name]: value })
  })

  it('takes the newer of two spellings, and an empty text for none', () => {
    expect(
      readCheckpointSettings({
        'execution.checkpointing.num-retained': '2',
        'state.checkpoints.num-retained': '9',
        'execution.checkpointing.dir': '',
        'state.checkpoints.dir': '/old',
      }),
    ).toMatchObject({ retained: 2, directory: '/old' })
  })

  it.each([
    [{ 'execution.state-recovery.path': '/sp-1' }, { claimMode: 'NO_CLAIM', allowNonRestoredState: false }],
    [
      { 'execution.savepoint.path': '/sp-1', 'execution.savepoint.ignore-unclaimed-state': 'true' },
      { claimMode: 'NO_CLAIM', allowNonRestoredState: true },
    ],
    [
      { 'execution.savepoint.path': '/sp-1', 'execution.savepoint-restore-mode': 'CLAIM' },
      { claimMode: 'CLAIM', allowNonRestoredState: false },
    ],
    [
      {
        'execution.state-recovery.path': '/sp-1',
        'execution.state-recovery.claim-mode': 'claim',
        'execution.state-recovery.ignore-unclaimed-state': 'true',
      },
      { claimMode: 'CLAIM', allowNonRestoredState: true },
    ],
  ])('restores as %j says', (options, restore) => {
    const { claimMode, allowNonRestoredState } = restore
    expect(readCheckpointSettings(options as unknown as Record<string, string>)).toMatchObject({
      restore: { path: '/sp-1', claimMode },
      allowNonRestoredState,
    })
  })

  it.each([
    [{ 'execution.checkpointing.interval': '9' }, '"9" for execution.checkpointing.interval: 10 ms or more is wanted'],
    [{ 'execution.checkpointing.interval': 'often' }, '"often" for execution.checkpointing.interval: a duration'],
    [{ 'execution.checkpointing.timeout': '0' }, 'execution.checkpointing.timeout: 10 ms or more'],
    [{ 'execution.checkpointing.min-pause': '-1' }, 'execution.checkpointing.min-pause: 0 ms or more'],
    [{ 'execution.checkpointing.max-concurrent-checkpoints': '0' }, 'a whole number of 1 or more'],
    [{ 'execution.checkpointing.tolerable-failed-checkpoints': '1.5' }, 'a whole number of 0 or more'],
    [{ 'state.checkpoints.num-retained': '0' }, '"0" for state.checkpoints.num-retained: a whole number of 1 or more'],
    [{ 'execution.checkpointing.mode': 'MOSTLY_ONCE' }, 'one of EXACTLY_ONCE, AT_LEAST_ONCE'],
    [{ 'execution.state-recovery.claim-mode': 'STEAL' }, 'NO_CLAIM or CLAIM is wanted'],
    [{ 'execution.checkpointing.unaligned': 'yes' }, 'execution.checkpointing.unaligned: true or false'],
    [
      { 'execution.checkpointing.interval': '10 s', 'execution.checkpointing.interval-during-backlog': '5 s' },
      'no less than execution.checkpointing.interval (10000 ms)',
    ],
    [
      { 'execution.checkpointing.unaligned': 'true', 'execution.checkpointing.mode': 'AT_LEAST_ONCE' },
      '"true" for execution.checkpointing.unaligned: false (as execution.checkpointing.mode is AT_LEAST_ONCE)',
    ],
    [
      {
        'execution.checkpointing.unaligned.enabled': 'true',
        'execution.checkpointing.max-concurrent-checkpoints': '2',
      },
      '"2" for execution.checkpointing.max-concurrent-checkpoints: 1 (as execution.checkpointing.unaligned.enabled is true)',
    ],
  ])('refuses %j', (options, text) => {
    expect(() => readCheckpointSettings(options as unknown as Record<string, string>)).toThrow(
      expect.objectContaining({ code: 'TR-CHECKPOINT-006', message: expect.stringContaining(text) }),
    )
  })
})
