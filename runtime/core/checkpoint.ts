/**
 * Checkpoints as operators, functions and connectors see them.
 */

/** Marks the place in a stream that belongs to a checkpoint: what comes before it is in the checkpoint, what comes after is not. */
export interface Barrier {
  readonly checkpointId: number
  /** When it was triggered, milliseconds since 1970 by the coordinator's clock. */
  readonly timestampMs: number
  readonly kind: 'checkpoint' | 'savepoint'
  /**
   * What the job does behind it: goes on, stops where it is (stop-with-savepoint), or has ended its input before (the last checkpoint of a bounded job,
   * and stop-with-savepoint that drains).
   */
  readonly then: 'go on' | 'suspend' | 'end'
}

/** A function that wants to know how checkpoints end [S-05]. Best effort: a call may be missed; `complete(n)` means that all up to n are done with. */
export interface CheckpointListener {
  notifyCheckpointComplete?(checkpointId: number): void | Promise<void>
  notifyCheckpointAborted?(checkpointId: number): void
}

/** Elements that belong to no key; on heap. `get` gives what was restored or added since. */
export interface OperatorListState<T> {
  get(): Iterable<T>
  add(value: T): void
  update(values: Iterable<T>): void
  clear(): void
}

/** State of an operator that belongs to no key [S-03]. */
export interface OperatorStateStore {
  /** At another parallelism the elements of all subtasks are dealt out anew. */
  getListState<T>(name: string): OperatorListState<T>
  /** After a restore every subtask has the elements of all. */
  getUnionListState<T>(name: string): OperatorListState<T>
}

export interface InitializationContext {
  /** The job goes on from a checkpoint or savepoint that has state of this operator. */
  readonly isRestored: boolean
  readonly restoredCheckpointId: number | undefined
  readonly operatorState: OperatorStateStore
}

/**
 * A function with state that belongs to no key.
 *
 * @example
 * class Batcher implements CheckpointedFunction {
 *   #open: Click[] = []
 *   #state!: OperatorListState<Click>
 *   initializeState(context: InitializationContext) {
 *     this.#state = context.operatorState.getListState('open')
 *     this.#open = [...this.#state.get()]
 *   }
 *   snapshotState() {
 *     this.#state.update(this.#open)
 *   }
 * }
 */
export interface CheckpointedFunction {
  /** Before `open`. */
  initializeState(context: InitializationContext): void
  /** At the barrier: what is in the state now is in the checkpoint. */
  snapshotState(checkpointId: number): void
}
