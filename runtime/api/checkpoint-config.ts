/**
 * The checkpoints of a job as its program sets them, in the words of Flink's CheckpointConfig. Each setter sets a configuration key, over what the command line says, and
 * throws TR-CHECKPOINT-006 at once for a value that cannot be used.
 */
import {
  type CheckpointMode,
  type CheckpointRetention,
  type CheckpointSettings,
  readCheckpointSettings,
} from '../checkpoint/settings.ts'
import type { Duration } from '../core/duration.ts'

/** What a checkpoint promises for records of several channels [C-02]. */
export const CheckpointingMode = {
  /** After a failure each record has its effect on state once. */
  EXACTLY_ONCE: 'EXACTLY_ONCE',
  /** No channel waits for another; after a failure some records count twice. */
  AT_LEAST_ONCE: 'AT_LEAST_ONCE',
} as const satisfies Record<CheckpointMode, CheckpointMode>
export type CheckpointingMode = CheckpointMode

/** What becomes of the checkpoints when the job ends; once it has finished they are always deleted. */
export const ExternalizedCheckpointRetention = {
  /** The last one stays when the job fails, and goes when it is cancelled. */
  DELETE_ON_CANCELLATION: 'DELETE_ON_CANCELLATION',
  /** The last one stays when the job fails or is cancelled. */
  RETAIN_ON_CANCELLATION: 'RETAIN_ON_CANCELLATION',
  /** They go with the job. */
  NO_EXTERNALIZED_CHECKPOINTS: 'NO_EXTERNALIZED_CHECKPOINTS',
} as const satisfies Record<CheckpointRetention, CheckpointRetention>
export type ExternalizedCheckpointRetention = CheckpointRetention

interface Options {
  set(key: string, value: string | number | boolean): void
  all(): Readonly<Record<string, string>>
}

/**
 * @example
 * env.enableCheckpointing('10 s')
 * env.getCheckpointConfig().setMinPauseBetweenCheckpoints('5 s').setTolerableCheckpointFailureNumber(3)
 */
export class CheckpointConfig {
  readonly #options: Options

  /** @internal See `StreamExecutionEnvironment.getCheckpointConfig()`. */
  constructor(options: Options) {
    this.#options = options
  }

  isCheckpointingEnabled(): boolean {
    return this.#settings.intervalMs !== undefined
  }
  disableCheckpointing(): this {
    return this.#set('interval', '')
  }

  /** Between the begins of two checkpoints; 10 ms at least. */
  setCheckpointInterval(interval: Duration): this {
    return this.#set('interval', interval)
  }
  /** Milliseconds; -1 when they are off. */
  getCheckpointInterval(): number {
    return this.#settings.intervalMs ?? -1
  }

  /** The interval while a source works off a backlog; 0: none are taken then. */
  setCheckpointIntervalDuringBacklog(interval: Duration): this {
    return this.#set('interval-during-backlog', interval)
  }

  setCheckpointingConsistencyMode(mode: CheckpointingMode): this {
    return this.#set('mode', mode)
  }
  getCheckpointingConsistencyMode(): CheckpointingMode {
    return this.#settings.mode
  }
  /** The older name of {@link setCheckpointingConsistencyMode}. */
  setCheckpointingMode(mode: CheckpointingMode): this {
    return this.setCheckpointingConsistencyMode(mode)
  }
  getCheckpointingMode(): CheckpointingMode {
    return this.#settings.mode
  }

  /** A checkpoint that takes longer is given up. 10 min by default. */
  setCheckpointTimeout(timeout: Duration): this {
    return this.#set('timeout', timeout)
  }
  getCheckpointTimeout(): number {
    return this.#settings.timeoutMs
  }

  /** From the end of one to the begin of the next. */
  setMinPauseBetweenCheckpoints(pause: Duration): this {
    return this.#set('min-pause', pause)
  }
  getMinPauseBetweenCheckpoints(): number {
    return this.#settings.minPauseMs
  }

  setMaxConcurrentCheckpoints(max: number): this {
    return this.#set('max-concurrent-checkpoints', max)
  }
  getMaxConcurrentCheckpoints(): number {
    return this.#settings.maxConcurrent
  }

  /** This many may fail in a row before the job fails and is restarted; 0 by default. */
  setTolerableCheckpointFailureNumber(tolerable: number): this {
    return this.#set('tolerable-failed-checkpoints', tolerable)
  }
  getTolerableCheckpointFailureNumber(): number {
    return this.#settings.tolerableFailures
  }

  setExternalizedCheckpointRetention(retention: ExternalizedCheckpointRetention): this {
    return this.#set('externalized-checkpoint-retention', retention)
  }
  getExternalizedCheckpointRetention(): ExternalizedCheckpointRetention {
    return this.#settings.retention
  }
  /** The older name of {@link setExternalizedCheckpointRetention}. */
  setExternalizedCheckpointCleanup(retention: ExternalizedCheckpointRetention): this {
    return this.setExternalizedCheckpointRetention(retention)
  }

  /** Where checkpoints go: a path or URL such as `/data/checkpoints` or `s3://bucket/checkpoints`. */
  setCheckpointStorage(directory: string | URL): this {
    return this.#set('dir', String(directory))
  }

  get #settings(): CheckpointSettings {
    return readCheckpointSettings(this.#options.all())
  }

  #set(name: string, value: string | number): this {
    const key = `execution.checkpointing.${name}`
    readCheckpointSettings({ ...this.#options.all(), [key]: String(value).trim() })
    this.#options.set(key, value)
    return this
  }
}
