import { describe, expect, it } from 'vitest'
import { decideTrigger, type TriggerFacts } from './decide-trigger.ts'

const NEVER = Number.NEGATIVE_INFINITY
const FOREVER = Number.POSITIVE_INFINITY

/** A running job at 1000 with an interval of 100, whose last checkpoint began at 850 and ended at 860. */
const RUNS: TriggerFacts = {
  nowMs: 1000,
  tasks: 'run',
  leavingUntilMs: NEVER,
  beginning: false,
  pending: 0,
  savepointPending: false,
  stop: 'no',
  wantsSavepoint: false,
  wantsCheckpoint: false,
  intervalMs: 100,
  minPauseMs: 0,
  maxConcurrent: 1,
  lastBeginMs: 850,
  lastCompletedMs: 860,
  finalNotBeforeMs: NEVER,
}

const decide = (facts: Partial<TriggerFacts>) => {
  const decision = decideTrigger({ ...RUNS, ...facts })
  return 'begin' in decision ? decision.begin : decision.waitMs
}

describe('decideTrigger()', () => {
  it.each<[string, Partial<TriggerFacts>, string | number]>([
    ['one is due', {}, 'periodic'],
    ['exactly due', { lastBeginMs: 900 }, 'periodic'],
    ['not yet due', { lastBeginMs: 940 }, 40],
    ['the first one of an attempt', { lastBeginMs: 990, lastCompletedMs: NEVER }, 90],
    ['long due', { lastBeginMs: 10 }, 'periodic'],
    ['a pause delays it', { minPauseMs: 200 }, 60],
    ['a pause that is over does not', { minPauseMs: 140 }, 'periodic'],
    [
      'a pause counts from the end, and the interval from the begin',
      { minPauseMs: 50, lastBeginMs: 930, lastCompletedMs: 990 },
      40,
    ],
    ['one is under way', { pending: 1 }, FOREVER],
    ['two may be', { pending: 1, maxConcurrent: 2 }, 'periodic'],
    ['two are', { pending: 2, maxConcurrent: 2 }, FOREVER],
    ['no interval', { intervalMs: undefined }, FOREVER],
    ['a backlog', { intervalMs: FOREVER }, FOREVER],
    ['tasks start', { tasks: 'not all run' }, FOREVER],
    ['all tasks have finished', { tasks: 'finished' }, FOREVER],
    ['another one begins', { beginning: true, maxConcurrent: 2 }, FOREVER],
    ['tasks are about to finish', { leavingUntilMs: 1010 }, 10],
    ['tasks should have finished', { leavingUntilMs: 1000 }, 'periodic'],
    ['a savepoint is under way', { pending: 1, savepointPending: true, maxConcurrent: 2 }, FOREVER],
  ])('periodic: %s', (_, facts, expected) => {
    expect(decide(facts)).toBe(expected)
  })

  it.each<[string, Partial<TriggerFacts>, string | number]>([
    ['at once', { lastBeginMs: 999 }, 'manual'],
    ['without waiting for the pause', { minPauseMs: 5000 }, 'manual'],
    ['without periodic ones', { intervalMs: undefined }, 'manual'],
    ['not beyond the limit', { pending: 1 }, FOREVER],
    ['not while tasks start', { tasks: 'not all run' }, FOREVER],
    ['as the last one when the input has ended', { tasks: 'ended' }, 'final'],
    ['when the input has ended without periodic ones', { tasks: 'ended', intervalMs: undefined }, 'manual'],
  ])('a checkpoint that is asked for: %s', (_, facts, expected) => {
    expect(decide({ wantsCheckpoint: true, ...facts })).toBe(expected)
  })

  it.each<[string, Partial<TriggerFacts>, string | number]>([
    ['at once', { minPauseMs: 5000, lastBeginMs: 999 }, 'savepoint'],
    ['before a checkpoint that is asked for', { wantsCheckpoint: true }, 'savepoint'],
    ['before the last checkpoint', { tasks: 'ended' }, 'savepoint'],
    ['without periodic checkpoints', { intervalMs: undefined }, 'savepoint'],
    ['alone', { pending: 1, maxConcurrent: 5 }, FOREVER],
    ['not while tasks start', { tasks: 'not all run' }, FOREVER],
    ['not while tasks are about to finish', { leavingUntilMs: 1500 }, 500],
  ])('a savepoint: %s', (_, facts, expected) => {
    expect(decide({ wantsSavepoint: true, ...facts })).toBe(expected)
  })

  it.each<[string, Partial<TriggerFacts>, string | number]>([
    ['at once, whatever the interval', { lastBeginMs: 999, minPauseMs: 5000 }, 'final'],
    ['after the one under way, which may hold the end', { pending: 1, maxConcurrent: 2 }, FOREVER],
    ['after the tasks that a checkpoint has let go', { leavingUntilMs: 1200 }, 200],
    ['again after a failure, not at once', { finalNotBeforeMs: 1030 }, 30],
    ['again in time', { finalNotBeforeMs: 1000 }, 'final'],
  ])('the last checkpoint: %s', (_, facts, expected) => {
    expect(decide({ tasks: 'ended', ...facts })).toBe(expected)
  })

  it.each<[string, Partial<TriggerFacts>, string | number]>([
    ['at once', { stop: 'suspend' }, 'stop'],
    ['before anything else', { stop: 'suspend', wantsSavepoint: true, wantsCheckpoint: true }, 'stop'],
    ['without periodic checkpoints', { stop: 'suspend', intervalMs: undefined }, 'stop'],
    ['also when the input has ended', { stop: 'suspend', tasks: 'ended' }, 'stop'],
    ['not before a checkpoint that is being stored', { stop: 'suspend', pending: 1 }, FOREVER],
    ['not when all has finished', { stop: 'suspend', tasks: 'finished' }, FOREVER],
    ['drained: not before the data has ended', { stop: 'drain' }, FOREVER],
    ['drained: when it has', { stop: 'drain', tasks: 'ended' }, 'stop'],
    ['drained: when nobody has waited with the end', { stop: 'drain', tasks: 'finished' }, 'stop'],
    ['no periodic ones meanwhile', { stop: 'drain', lastBeginMs: 0 }, FOREVER],
  ])('stopping: %s', (_, facts, expected) => {
    expect(decide(facts)).toBe(expected)
  })

  it('says why it waits', () => {
    expect(decideTrigger({ ...RUNS, tasks: 'not all run' })).toEqual({ waitMs: FOREVER, why: 'not all tasks run' })
  })
})
