import { describe, expect, it } from 'vitest'
import { CheckpointConfig, CheckpointingMode, ExternalizedCheckpointRetention } from './checkpoint-config.ts'
import { StreamExecutionEnvironment } from './environment.ts'

const environment = () => new StreamExecutionEnvironment(undefined)

describe('enableCheckpointing()', () => {
  it('sets the interval and the mode of the job', () => {
    const env = environment().enableCheckpointing('10 s')
    expect(env.getConfig().options).toMatchObject({
      'execution.checkpointing.interval': '10 s',
      'execution.checkpointing.mode': 'EXACTLY_ONCE',
    })
    const { options } = environment().enableCheckpointing(500, CheckpointingMode.AT_LEAST_ONCE).getConfig()
    expect(options).toMatchObject({
      'execution.checkpointing.interval': '500',
      'execution.checkpointing.mode': 'AT_LEAST_ONCE',
    })
  })

  it('leaves the mode that was set before', () => {
    const env = environment().configure('execution.checkpointing.mode', 'AT_LEAST_ONCE').enableCheckpointing(500)
    expect(env.getCheckpointConfig().getCheckpointingMode()).toBe('AT_LEAST_ONCE')
  })

  it('refuses an interval that is too short, at once', () => {
    expect(() => environment().enableCheckpointing(9)).toThrow(
      expect.objectContaining({
        code: 'TR-CHECKPOINT-006',
        message: 'Cannot use "9" for execution.checkpointing.interval: 10 ms or more is wanted',
      }),
    )
  })
})

describe('CheckpointConfig', () => {
  it('has Flink’s defaults', () => {
    const config = environment().getCheckpointConfig()
    expect([
      config.isCheckpointingEnabled(),
      config.getCheckpointInterval(),
      config.getCheckpointingConsistencyMode(),
      config.getCheckpointTimeout(),
      config.getMinPauseBetweenCheckpoints(),
      config.getMaxConcurrentCheckpoints(),
      config.getTolerableCheckpointFailureNumber(),
      config.getExternalizedCheckpointRetention(),
    ]).toEqual([false, -1, 'EXACTLY_ONCE', 600_000, 0, 1, 0, 'NO_EXTERNALIZED_CHECKPOINTS'])
  })

  it('sets keys of the job', () => {
    const env = environment()
    const config = env.getCheckpointConfig()
    expect(config).toBeInstanceOf(CheckpointConfig)
    config
      .setCheckpointInterval('1 min')
      .setCheckpointIntervalDuringBacklog('10 min')
      .setCheckpointingMode(CheckpointingMode.AT_LEAST_ONCE)
      .setCheckpointTimeout('5 min')
      .setMinPauseBetweenCheckpoints(30_000)
      .setMaxConcurrentCheckpoints(2)
      .setTolerableCheckpointFailureNumber(3)
      .setExternalizedCheckpointCleanup(ExternalizedCheckpointRetention.RETAIN_ON_CANCELLATION)
      .setCheckpointStorage(new URL('file:///data/checkpoints'))
    expect([
      config.isCheckpointingEnabled(),
      config.getCheckpointInterval(),
      config.getCheckpointingMode(),
      config.getCheckpointTimeout(),
      config.getMinPauseBetweenCheckpoints(),
      config.getMaxConcurrentCheckpoints(),
      config.getTolerableCheckpointFailureNumber(),
      config.getExternalizedCheckpointRetention(),
    ]).toEqual([true, 60_000, 'AT_LEAST_ONCE', 300_000, 30_000, 2, 3, 'RETAIN_ON_CANCELLATION'])
    expect(env.getConfig().options['execution.checkpointing.dir']).toBe('file:///data/checkpoints')
    expect(config.disableCheckpointing().isCheckpointingEnabled()).toBe(false)
  })

  it('refuses what contradicts what is set, and leaves that as it is', () => {
    const env = environment().configure('execution.checkpointing.unaligned', true)
    const config = env.getCheckpointConfig()
    expect(() => config.setCheckpointingMode('AT_LEAST_ONCE')).toThrow(/false \(as execution.checkpointing.mode is/)
    expect(() => config.setMaxConcurrentCheckpoints(0)).toThrow(/a whole number of 1 or more/)
    expect([config.getCheckpointingMode(), config.getMaxConcurrentCheckpoints()]).toEqual(['EXACTLY_ONCE', 1])
  })
})
