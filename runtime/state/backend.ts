/**
 * The contract of keyed state backends, as operators see it; backend.suite.ts is the suite that every backend runs.
 *
 * An operator makes one key current and calls the user's function; all state handles of the backend then speak of that key until the
 * next `setKey`. A key takes no room until one of its states is written, and none any more when all of them are cleared.
 */
import type { StateTable } from '../checkpoint/model.ts'
import type { Key } from '../core/functions.ts'
import type {
  AggregatingState,
  AggregatingStateDescriptor,
  ListState,
  ListStateDescriptor,
  MapState,
  MapStateDescriptor,
  ReducingState,
  ReducingStateDescriptor,
  StateDescriptor,
  ValueState,
  ValueStateDescriptor,
} from '../core/state.ts'
import type { KeyedStateStore } from '../core/window-functions.ts'

export interface KeyedBackend extends KeyedStateStore {
  /** Handles are made once per name: the same descriptor gives the same handle. Throws TR-STATE-001 for another kind or type. */
  getState<T>(descriptor: ValueStateDescriptor<T>): ValueState<T>
  getListState<T>(descriptor: ListStateDescriptor<T>): ListState<T>
  getMapState<K extends string | number | boolean | bigint, V>(descriptor: MapStateDescriptor<K, V>): MapState<K, V>
  getReducingState<T>(descriptor: ReducingStateDescriptor<T>): ReducingState<T>
  getAggregatingState<I, A, O>(descriptor: AggregatingStateDescriptor<I, A, O>): AggregatingState<I, O>
  /** Makes `key` current. `hash` is its hash (core/hash.ts), which the sender has shipped; both halves of unsigned and signed do. */
  setKey(key: Key, hash: number): void
  /** No key is current: handles throw TR-STATE-002. So it is before the first `setKey`. */
  unsetKey(): void
  /**
   * Makes each key current in turn that has this state (and may see it, if it lives for a time only), in no order, and calls `visit`, which may read and change the states of that key. Which
   * key is current afterwards is not said.
   */
  applyToKeys(descriptor: StateDescriptor, visit: (key: Key, state: any) => void): void
  /**
   * Begins a snapshot of what is there now: one table per state, named `prefix` and the state's name. Call the result between records until it
   * returns true; what they change meanwhile is not in it, nor is what had expired. Rows of a state with a time to live have the time of the last
   * access that counts as their timestamp, and their table the setting `ttl: true`.
   */
  snapshot(writer: TableSource, prefix?: string): () => boolean
  /**
   * Takes the tables of its kinds whose name begins with `prefix`. Throws TR-CHECKPOINT-004 for state of another kind or type than asked for. What
   * nobody asks for stays, and goes into the next snapshot. No key is current afterwards.
   */
  restore(restored: TablesToRestore, prefix?: string): Promise<void>
  /** Keys that have state, what has expired and was not cleaned up included. */
  readonly size: number
}

/** What rows go to; operators' SnapshotWriter has it. */
export interface TableSource {
  table(table: StateTable): {
    put(row: any, keyHash: number, timestamp: number): void
    putEarly(row: any, keyHash: number, timestamp: number): void
  }
}

/** State as a checkpoint had it; operators' RestoredState has it. */
export interface TablesToRestore {
  readTables(
    take: (table: StateTable) => ((row: any, keyHash: number, timestamp: number) => void) | undefined,
  ): Promise<void>
}

export interface BackendOptions {
  /** In errors. */
  readonly operatorName: string
  readonly maxParallelism: number
  readonly parallelism: number
  readonly subtaskIndex: number
}
