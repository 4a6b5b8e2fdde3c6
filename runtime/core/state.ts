/**
 * The contract of keyed state as user functions see it. Backends implement it (state/).
 */
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

/** Names one state of an operator; the same name must always mean the same kind and type (TR-STATE-001). */
export abstract class StateDescriptor {
  abstract readonly kind: 'value' | 'list' | 'map'
  readonly name: string
  constructor(name: string) {
    if (name === '') throw new TypeError('Cannot describe a state with an empty name')
    this.name = name
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
