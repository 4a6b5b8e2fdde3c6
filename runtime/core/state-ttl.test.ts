import { describe, expect, it } from 'vitest'
import { ValueStateDescriptor } from './state.ts'
import { StateTtlConfig, type StateTtlConfigBuilder } from './state-ttl.ts'

describe('StateTtlConfig', () => {
  const defaults = {
    ttlMs: 1000,
    updateType: 'OnCreateAndWrite',
    stateVisibility: 'NeverReturnExpired',
    incrementalCleanup: { size: 5, everyRecord: false },
    isEnabled: true,
  }
  it.each<[string, (builder: StateTtlConfigBuilder) => StateTtlConfigBuilder, object]>([
    ['nothing', (b) => b, {}],
    ['another time', (b) => b.setTimeToLive('2 min'), { ttlMs: 120_000 }],
    ['no end', (b) => b.setTimeToLive(Infinity), { ttlMs: Infinity }],
    ['reads count', (b) => b.setUpdateType(StateTtlConfig.UpdateType.OnReadAndWrite), { updateType: 'OnReadAndWrite' }],
    ['reads count, shorter', (b) => b.updateTtlOnReadAndWrite(), { updateType: 'OnReadAndWrite' }],
    ['only writes count, after all', (b) => b.updateTtlOnReadAndWrite().updateTtlOnCreateAndWrite(), {}],
    ['none', (b) => b.setUpdateType('Disabled'), { updateType: 'Disabled', isEnabled: false }],
    [
      'expired values',
      (b) => b.setStateVisibility(StateTtlConfig.StateVisibility.ReturnExpiredIfNotCleanedUp),
      { stateVisibility: 'ReturnExpiredIfNotCleanedUp' },
    ],
    [
      'expired values, shorter',
      (b) => b.returnExpiredIfNotCleanedUp(),
      { stateVisibility: 'ReturnExpiredIfNotCleanedUp' },
    ],
    ['no expired values, after all', (b) => b.returnExpiredIfNotCleanedUp().neverReturnExpired(), {}],
    ['clean-up', (b) => b.cleanupIncrementally(7, true), { incrementalCleanup: { size: 7, everyRecord: true } }],
    ['no clean-up', (b) => b.disableCleanupInBackground(), { incrementalCleanup: undefined }],
    [
      'only the clean-up that is asked for',
      (b) => b.disableCleanupInBackground().cleanupIncrementally(2, false),
      { incrementalCleanup: { size: 2, everyRecord: false } },
    ],
    [
      'what there is no choice of',
      (b) => b.useProcessingTime().cleanupFullSnapshot().cleanupInRocksdbCompactFilter(1000, '30 d'),
      {},
    ],
  ])('%s', (_, set, expected) => {
    const config = set(StateTtlConfig.newBuilder('1 s')).build()
    expect({ ...config, isEnabled: config.isEnabled }).toEqual({ ...defaults, ...expected })
  })

  it.each<[string, () => unknown, RegExp]>([
    ['0', () => StateTtlConfig.newBuilder(0), /Cannot give state "0" to live.*more than 0/],
    ['less than 0', () => StateTtlConfig.newBuilder('-1 h'), /"-1 h"/],
    ['NaN', () => StateTtlConfig.newBuilder(Number.NaN), /NaN/],
    ['no time', () => StateTtlConfig.newBuilder('soon'), /soon/],
    ['no clean-up of 0', () => StateTtlConfig.newBuilder(1).cleanupIncrementally(0, false), /Cannot clean up 0 values/],
    ['no clean-up of 1.5', () => StateTtlConfig.newBuilder(1).cleanupIncrementally(1.5, false), /1\.5/],
    [
      'an update type',
      () => StateTtlConfig.newBuilder(1).setUpdateType('OnRead' as any),
      /"OnRead": wanted Disabled or OnCreateAndWrite or OnReadAndWrite/,
    ],
    [
      'a visibility',
      () => StateTtlConfig.newBuilder(1).setStateVisibility('toString' as any),
      /"toString": wanted NeverReturnExpired or ReturnExpiredIfNotCleanedUp/,
    ],
  ])('refuses %s', (_, build, message) => {
    expect(build).toThrow(RangeError)
    expect(build).toThrow(message)
  })

  it('goes with a descriptor', () => {
    const descriptor = new ValueStateDescriptor<number>('n')
    expect(descriptor.ttl).toBeUndefined()
    const config = StateTtlConfig.newBuilder(5).build()
    descriptor.enableTimeToLive(config)
    expect(descriptor.ttl).toBe(config)
    descriptor.enableTimeToLive(StateTtlConfig.newBuilder(5).setUpdateType('Disabled').build())
    expect(descriptor.ttl).toBeUndefined()
  })
})
