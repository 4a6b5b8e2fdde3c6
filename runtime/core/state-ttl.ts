/**
 * How long state lives, as users say it [TTL-01..TTL-03]. Descriptors carry it (`enableTimeToLive`), backends keep to it (state/).
 *
 * Time is processing time, by the task's clock. It counts per value, per element of a list, per entry of a map, from the last access that counts.
 */
import { type Duration, durationMs } from './duration.ts'

/** Which accesses begin the time anew. `Disabled`: values do not expire. */
export type TtlUpdateType = 'Disabled' | 'OnCreateAndWrite' | 'OnReadAndWrite'

/** Whether a value that has expired, and is still there, is handed out once more. */
export type TtlStateVisibility = 'NeverReturnExpired' | 'ReturnExpiredIfNotCleanedUp'

/** Looks for what has expired while the state is in use. */
export interface IncrementalCleanup {
  /** Values, elements or map entries looked at per access of the state. */
  readonly size: number
  /** Also for each record, whether it uses the state or not. */
  readonly everyRecord: boolean
}

const DEFAULT_CLEANUP: IncrementalCleanup = { size: 5, everyRecord: false }

/**
 * The time to live of a state.
 *
 * @example
 * const seen = new ValueStateDescriptor<boolean>('seen')
 * seen.enableTimeToLive(
 *   StateTtlConfig.newBuilder('1 h').setUpdateType('OnReadAndWrite').cleanupIncrementally(10, false).build(),
 * )
 */
export class StateTtlConfig {
  static readonly UpdateType = {
    Disabled: 'Disabled',
    OnCreateAndWrite: 'OnCreateAndWrite',
    OnReadAndWrite: 'OnReadAndWrite',
  } as const
  static readonly StateVisibility = {
    NeverReturnExpired: 'NeverReturnExpired',
    ReturnExpiredIfNotCleanedUp: 'ReturnExpiredIfNotCleanedUp',
  } as const

  readonly ttlMs: number
  readonly updateType: TtlUpdateType
  readonly stateVisibility: TtlStateVisibility
  /** undefined: what nobody reads stays until a checkpoint is restored. */
  readonly incrementalCleanup: IncrementalCleanup | undefined

  constructor(
    ttlMs: number,
    updateType: TtlUpdateType,
    stateVisibility: TtlStateVisibility,
    incrementalCleanup: IncrementalCleanup | undefined,
  ) {
    this.ttlMs = ttlMs
    this.updateType = updateType
    this.stateVisibility = stateVisibility
    this.incrementalCleanup = incrementalCleanup
  }

  /** Milliseconds or a text such as `'1 h'`; more than 0. `Infinity` is a time, too. */
  static newBuilder(ttl: Duration): StateTtlConfigBuilder {
    return new StateTtlConfigBuilder(ttl)
  }

  get isEnabled(): boolean {
    return this.updateType !== 'Disabled'
  }
}

/** Every setting has a default: time begins with each write, nothing that has expired is handed out, and 5 values are looked at per access. */
export class StateTtlConfigBuilder {
  #ttlMs!: number
  #updateType: TtlUpdateType = 'OnCreateAndWrite'
  #stateVisibility: TtlStateVisibility = 'NeverReturnExpired'
  #cleanup: IncrementalCleanup | undefined
  #inBackground = true

  constructor(ttl: Duration) {
    this.setTimeToLive(ttl)
  }

  setTimeToLive(ttl: Duration): this {
    const ttlMs = durationMs(ttl)
    if (!(ttlMs > 0)) {
      throw new RangeError(`Cannot give state "${ttl}" to live: a time to live must be more than 0`)
    }
    this.#ttlMs = ttlMs
    return this
  }

  setUpdateType(updateType: TtlUpdateType): this {
    this.#updateType = oneOf(StateTtlConfig.UpdateType, updateType, 'update type')
    return this
  }
  updateTtlOnCreateAndWrite(): this {
    return this.setUpdateType('OnCreateAndWrite')
  }
  updateTtlOnReadAndWrite(): this {
    return this.setUpdateType('OnReadAndWrite')
  }

  setStateVisibility(stateVisibility: TtlStateVisibility): this {
    this.#stateVisibility = oneOf(StateTtlConfig.StateVisibility, stateVisibility, 'state visibility')
    return this
  }
  neverReturnExpired(): this {
    return this.setStateVisibility('NeverReturnExpired')
  }
  returnExpiredIfNotCleanedUp(): this {
    return this.setStateVisibility('ReturnExpiredIfNotCleanedUp')
  }

  /** There is no other time yet. */
  useProcessingTime(): this {
    return this
  }

  /** Checkpoints and savepoints leave out what has expired in any case: they are written whole. */
  cleanupFullSnapshot(): this {
    return this
  }

  /** Looks at `size` values per access of the state; with `everyRecord` for each record, too. */
  cleanupIncrementally(size: number, everyRecord: boolean): this {
    if (!Number.isSafeInteger(size) || size < 1) {
      throw new RangeError(`Cannot clean up ${String(size)} values per access: wanted a whole number from 1 on`)
    }
    this.#cleanup = { size, everyRecord }
    return this
  }

  /** Of RocksDB, which there is none of: accepted, so that settings can be brought along, and without effect. */
  cleanupInRocksdbCompactFilter(_queryTimeAfterNumEntries?: number, _periodicCompactionTime?: Duration): this {
    return this
  }

  /** Without `cleanupIncrementally` nothing is looked for: what has expired goes when it is read. */
  disableCleanupInBackground(): this {
    this.#inBackground = false
    return this
  }

  build(): StateTtlConfig {
    const cleanup = this.#cleanup ?? (this.#inBackground ? DEFAULT_CLEANUP : undefined)
    return new StateTtlConfig(this.#ttlMs, this.#updateType, this.#stateVisibility, cleanup)
  }
}

function oneOf<T extends string>(names: Record<T, T>, name: T, what: string): T {
  if (Object.hasOwn(names, name)) return name
  throw new RangeError(
    `Cannot set the ${what} of a time to live to "${String(name)}": wanted ${Object.keys(names).join(' or ')}`,
  )
}
