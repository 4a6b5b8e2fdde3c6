/**
 * The contract of keyed state as user functions see it. Backends implement it (state/).
 */
import type { AggregateFunction } from './functions.ts'
import type { StateTtlConfig } from './state-ttl.ts'
import type { Type } from './types.ts'

/** One value per key. */
export interface ValueState<T> {
  /**
   * undefined when nothing is set. The value may be changed, but only update() keeps the change: with a declared row type, or on disk, this
   * is a copy.
   */
  value(): T | undefined
  update(value: T): void
  clear(): void
}

/** A list per key. */
export interface ListState<T> {
  /** Empty when nothing is set. */
  get(): Iterable<T>
  add(value: T): void
  addAll(values: Iterable<T>): void
  /** Replaces the list; an empty one clears it. */
  update(values: Iterable<T>): void
  clear(): void
}

/** A map per key. */
export interface MapState<K extends string | number | boolean | bigint, V> {
  get(key: K): V | undefined
  put(key: K, value: V): void
  putAll(entries: Iterable<readonly [K, V]>): void
  remove(key: K): void
  contains(key: K): boolean
  entries(): Iterable<[K, V]>
  keys(): Iterable<K>
  values(): Iterable<V>
  isEmpty(): boolean
  clear(): void
}

/** The values of a key, reduced to one. */
export interface ReducingState<T> {
  /** undefined when nothing was added. Kept as with {@link ValueState}: changing it in place keeps nothing. */
  get(): T | undefined
  add(value: T): void
  clear(): void
}

/** The values of a key, aggregated; only the accumulator is kept. */
export interface AggregatingState<I, O> {
  /** undefined when nothing was added. */
  get(): O | undefined
  add(value: I): void
  clear(): void
}

/** Names one state of an operator; the same name must always mean the same kind and type (TR-STATE-001). */
export abstract class StateDescriptor {
  abstract readonly kind: 'value' | 'list' | 'map' | 'reducing' | 'aggregating'
  readonly name: string
  #ttl: StateTtlConfig | undefined
  constructor(name: string) {
    if (name === '') throw new TypeError('Cannot describe a state with an empty name')
    this.name = name
  }

  /** How long what is kept lives; undefined: until it is cleared. */
  get ttl(): StateTtlConfig | undefined {
    return this.#ttl
  }

  /** What is kept goes some time after it was last written (or read). Call it before the state is asked for. */
  enableTimeToLive(config: StateTtlConfig): void {
    this.#ttl = config.isEnabled ? config : undefined
  }
}

export class ValueStateDescriptor<T> extends StateDescriptor {
  readonly kind = 'value'
  readonly type: Type<T> | undefined
  constructor(name: string, type?: Type<T>) {
    super(name)
    this.type = type
  }
}

export class ListStateDescriptor<T> extends StateDescriptor {
  readonly kind = 'list'
  readonly type: Type<T> | undefined
  constructor(name: string, type?: Type<T>) {
    super(name)
    this.type = type
  }
}

export class MapStateDescriptor<K extends string | number | boolean | bigint, V> extends StateDescriptor {
  readonly kind = 'map'
  readonly keyType: Type<K> | undefined
  readonly type: Type<V> | undefined
  constructor(name: string, keyType?: Type<K>, valueType?: Type<V>) {
    super(name)
    this.keyType = keyType
    this.type = valueType
  }
}

/**
 * A value that others are reduced into.
 *
 * @example
 * const highest = new ReducingStateDescriptor<number>('highest', Math.max)
 */
export class ReducingStateDescriptor<T> extends StateDescriptor {
  readonly kind = 'reducing'
  readonly reduce: (a: T, b: T) => T
  readonly type: Type<T> | undefined
  /** `reduce` may change its first argument and return it. */
  constructor(name: string, reduce: ((a: T, b: T) => T) | { reduce(a: T, b: T): T }, type?: Type<T>) {
    super(name)
    refuseLife(name, reduce)
    this.reduce = typeof reduce === 'function' ? reduce : (a, b) => reduce.reduce(a, b)
    this.type = type
  }
}

/**
 * An accumulator that values are added to.
 *
 * @example
 * const mean = new AggregatingStateDescriptor('mean', {
 *   createAccumulator: () => ({ n: 0, sum: 0 }),
 *   add: (value: number, a) => ({ n: a.n + 1, sum: a.sum + value }),
 *   getResult: (a) => a.sum / a.n,
 * })
 */
export class AggregatingStateDescriptor<I, A, O> extends StateDescriptor {
  readonly kind = 'aggregating'
  readonly aggregate: AggregateFunction<I, A, O>
  /** Of the accumulator. */
  readonly type: Type<A> | undefined
  constructor(name: string, aggregate: AggregateFunction<I, A, O>, accumulatorType?: Type<A>) {
    super(name)
    refuseLife(name, aggregate)
    this.aggregate = aggregate
    this.type = accumulatorType
  }
}

/** What a state calls has no life of its own: it would wait for an `open` that never comes. */
function refuseLife(name: string, fn: object): void {
  if ('open' in fn || 'close' in fn) {
    throw new TypeError(
      `Cannot describe state "${name}": its function has open or close, which a state never calls; open what it needs in the function that uses the state`,
    )
  }
}
