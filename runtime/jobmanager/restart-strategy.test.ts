import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../core/errors.ts'
import {
  canRetry,
  decideRestart,
  NO_RESTARTS,
  type RestartDecision,
  type RestartStrategy,
  readRestartStrategy,
} from './restart-strategy.ts'

/** Feeds failures at these times and says what came of each: the delay, or 'fail'. */
function run(strategy: RestartStrategy, timesMs: number[], random = 0.5, code: ErrorCode = 'TR-TASK-001') {
  let history = NO_RESTARTS
  return timesMs.map((nowMs) => {
    const decision: RestartDecision = decideRestart({ strategy, code, nowMs, history, random })
    if (decision.action === 'fail') return 'fail'
    history = decision.history
    return decision.delayMs
  })
}

const exponential = {
  kind: 'exponential-delay',
  initialMs: 100,
  maxMs: 1000,
  multiplier: 2,
  resetAfterMs: 5000,
  jitter: 0,
  attempts: Number.POSITIVE_INFINITY,
} satisfies RestartStrategy

describe('decideRestart()', () => {
  it('never restarts with none', () => {
    expect(run({ kind: 'none' }, [0])).toEqual(['fail'])
  })

  it.each([
    [0, [0], ['fail']],
    [1, [0, 50], [10, 'fail']],
    // However long the job has run in between.
    [2, [0, 1e9, 2e9], [10, 10, 'fail']],
    [Number.POSITIVE_INFINITY, [0, 20, 40, 60], [10, 10, 10, 10]],
  ])('fixed-delay restarts %d times in the life of the job', (attempts, times, expected) => {
    expect(run({ kind: 'fixed-delay', attempts, delayMs: 10 }, times)).toEqual(expected)
  })

  it.each([
    [1, [0, 50], [10, 'fail']],
    [2, [0, 50, 100], [10, 10, 'fail']],
    [2, [0, 500, 1001, 1400], [10, 10, 10, 'fail']],
    [1, [0, 1000], [10, 'fail']],
    [1, [0, 1001, 2002], [10, 10, 10]],
  ])('failure-rate gives up at more than %d within a second', (maxFailures, times, expected) => {
    expect(run({ kind: 'failure-rate', maxFailures, intervalMs: 1000, delayMs: 10 }, times)).toEqual(expected)
  })

  it('exponential-delay waits longer each time, up to the longest', () => {
    expect(run(exponential, [0, 200, 1000, 2000, 4000, 6000])).toEqual([100, 200, 400, 800, 1000, 1000])
  })

  it('exponential-delay begins anew once the job ran well for long enough after its restart', () => {
    expect(run(exponential, [0, 200, 400 + 5000, 5500 + 4999])).toEqual([100, 200, 100, 200])
  })

  it('exponential-delay restarts at once when a process is lost, and waits when the last restart was a moment ago', () => {
    const lost = (times: number[]) => run(exponential, times, 0.5, 'TR-CLUSTER-005')
    expect(lost([0])).toEqual([0])
    // It ran for a while in between: none of them is held against it.
    expect(lost([0, 1000, 2000, 3000])).toEqual([0, 0, 0, 0])
    // They come faster than the delay: 100, then 200 and 400 after the last restart.
    expect(lost([0, 60, 150, 400])).toEqual([0, 40, 150, 300])
    expect(run(exponential, [0, 60], 0.5, 'TR-EXCHANGE-001')).toEqual([0, 40])
  })

  it('exponential-delay gives up after so many in a row, and counts anew after it ran well', () => {
    const strategy = { ...exponential, attempts: 2 }
    expect(run(strategy, [0, 200, 500])).toEqual([100, 200, 'fail'])
    expect(run(strategy, [0, 200, 6000, 6200, 6500])).toEqual([100, 200, 100, 200, 'fail'])
  })

  it.each([
    [0, [100, 180, 360]],
    [1, [110, 220, 440]],
  ])('exponential-delay moves restarts apart, never below the first delay (random %d)', (random, expected) => {
    expect(run({ ...exponential, jitter: 0.1 }, [0, 200, 1000], random)).toEqual(expected)
  })

  it('exponential-delay never waits longer than the longest, jitter included', () => {
    expect(run({ ...exponential, initialMs: 1000, jitter: 0.5 }, [0], 1)).toEqual([1000])
  })

  it.each([
    ['fixed-delay', { kind: 'fixed-delay', attempts: 1, delayMs: 100 }],
    ['failure-rate', { kind: 'failure-rate', maxFailures: 1, intervalMs: 1000, delayMs: 100 }],
    ['exponential-delay', { ...exponential, attempts: 1 }],
  ] as [string, RestartStrategy][])('%s counts failures before a restart that is due as one', (_, strategy) => {
    expect(run(strategy, [0, 30, 99])).toEqual([100, 70, 1])
  })

  it.each([
    ['TR-TASK-001', true],
    ['TR-TASK-002', true],
    ['TR-SOURCE-001', true],
    ['TR-CHECKPOINT-001', true],
    // May be anything that was thrown without a code.
    ['TR-INTERNAL-001', true],
    ['TR-RECORD-001', false],
    ['TR-PROGRAM-001', false],
    ['TR-CLUSTER-002', false],
    ['TR-CHECKPOINT-002', false],
    ['TR-CHECKPOINT-003', false],
    ['TR-CHECKPOINT-004', false],
  ] as [ErrorCode, boolean][])('tries again after %s: %s', (code, retried) => {
    expect(canRetry(code)).toBe(retried)
    expect(run({ kind: 'fixed-delay', attempts: 9, delayMs: 1 }, [0], 0, code)).toEqual([retried ? 1 : 'fail'])
  })
})

describe('readRestartStrategy()', () => {
  const read = (options: Record<string, string>, checkpoints = false) => readRestartStrategy(options, { checkpoints })

  it('is none without checkpoints and exponential-delay with them, unless it is set', () => {
    expect(read({})).toEqual({ kind: 'none' })
    expect(read({}, true)).toEqual({
      kind: 'exponential-delay',
      initialMs: 1000,
      maxMs: 60_000,
      multiplier: 1.5,
      resetAfterMs: 3_600_000,
      jitter: 0.1,
      attempts: Number.POSITIVE_INFINITY,
    })
    expect(read({ 'restart-strategy': 'none' }, true)).toEqual({ kind: 'none' })
  })

  it.each([
    ['none', 'none'],
    ['off', 'none'],
    ['disable', 'none'],
    ['fixed-delay', 'fixed-delay'],
    ['FixedDelay', 'fixed-delay'],
    ['failure-rate', 'failure-rate'],
    ['failurerate', 'failure-rate'],
    ['exponential-delay', 'exponential-delay'],
    ['exponentialdelay', 'exponential-delay'],
  ])('takes %s for %s, under both keys', (text, kind) => {
    expect(read({ 'restart-strategy': text }).kind).toBe(kind)
    expect(read({ 'restart-strategy.type': text, 'restart-strategy': 'none' }).kind).toBe(kind)
  })

  it('has Flink’s defaults and sub-keys', () => {
    expect(read({ 'restart-strategy.type': 'fixed-delay' })).toEqual({
      kind: 'fixed-delay',
      attempts: 1,
      delayMs: 1000,
    })
    expect(
      read({
        'restart-strategy.type': 'fixed-delay',
        'restart-strategy.fixed-delay.attempts': '3',
        'restart-strategy.fixed-delay.delay': '10 s',
      }),
    ).toEqual({ kind: 'fixed-delay', attempts: 3, delayMs: 10_000 })
    expect(read({ 'restart-strategy': 'failure-rate' })).toEqual({
      kind: 'failure-rate',
      maxFailures: 1,
      intervalMs: 60_000,
      delayMs: 1000,
    })
    expect(
      read({
        'restart-strategy': 'failure-rate',
        'restart-strategy.failure-rate.max-failures-per-interval': '5',
        'restart-strategy.failure-rate.failure-rate-interval': '5 min',
        'restart-strategy.failure-rate.delay': '0',
      }),
    ).toEqual({ kind: 'failure-rate', maxFailures: 5, intervalMs: 300_000, delayMs: 0 })
    expect(
      read({
        'restart-strategy.type': 'exponential-delay',
        'restart-strategy.exponential-delay.initial-backoff': '1s',
        'restart-strategy.exponential-delay.max-backoff': '5min',
        'restart-strategy.exponential-delay.backoff-multiplier': '2.0',
        'restart-strategy.exponential-delay.reset-backoff-threshold': '10min',
        'restart-strategy.exponential-delay.jitter-factor': '0.2',
        'restart-strategy.exponential-delay.attempts-before-reset-backoff': '7',
      }),
    ).toEqual({
      kind: 'exponential-delay',
      initialMs: 1000,
      maxMs: 300_000,
      multiplier: 2,
      resetAfterMs: 600_000,
      jitter: 0.2,
      attempts: 7,
    })
  })

  it.each([
    [{ 'restart-strategy': 'sometimes' }, /"sometimes" for restart-strategy: one of none, fixed-delay/],
    [
      { 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.attempts': 'many' },
      /"many" for restart-strategy.fixed-delay.attempts: a whole number of 0 or more/,
    ],
    [
      { 'restart-strategy.type': 'exponential-delay', 'restart-strategy.exponential-delay.backoff-multiplier': '0.5' },
      /"0.5" for .*backoff-multiplier: 1 or more/,
    ],
    [
      { 'restart-strategy.type': 'exponential-delay', 'restart-strategy.exponential-delay.jitter-factor': '2' },
      /a number from 0 to 1/,
    ],
    [
      {
        'restart-strategy.type': 'exponential-delay',
        'restart-strategy.exponential-delay.initial-backoff': '10 s',
        'restart-strategy.exponential-delay.max-backoff': '1 s',
      },
      /no less than restart-strategy.exponential-delay.initial-backoff \(10000 ms\)/,
    ],
    [
      { 'restart-strategy.type': 'fixed-delay', 'restart-strategy.fixed-delay.delay': 'soon' },
      /"soon" for restart-strategy.fixed-delay.delay: a duration/,
    ],
  ])('refuses %j', (options, text) => {
    expect(() => read(options as Record<string, string>)).toThrow(
      expect.objectContaining({ code: 'TR-CHECKPOINT-006', message: expect.stringMatching(text) }),
    )
  })
})
