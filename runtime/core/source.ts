/**
 * The contract of sources: [SRC-01..SRC-05].
 *
 * A source is cut into splits. One enumerator per source runs beside the job's `main` and hands splits out; one reader per
 * subtask runs in a slot and reads them. All state of a reader lives in its splits. Nothing here blocks: a reader that has
 * nothing says when to ask again.
 *
 * A custom source implements {@link Source}; connectors/source.suite.ts is the suite that every one runs.
 */

export type Boundedness = 'bounded' | 'unbounded'

/** A part of the input that one reader reads in order. Plain JSON: it travels and is stored. `id` is unique in the source. */
export interface SourceSplit {
  readonly id: string
}

export interface Source<T, S extends SourceSplit = any, E = any> {
  readonly boundedness: Boundedness
  createEnumerator(context: EnumeratorContext<S>): SplitEnumerator<S, E>
  /** The enumerator as it was when `state` was taken by {@link SplitEnumerator.snapshot}. */
  restoreEnumerator?(context: EnumeratorContext<S>, state: E): SplitEnumerator<S, E>
  createReader(context: ReaderContext): SourceReader<T, S>
  /** Text for the plan and the page, such as `files(/data/*.json)`. */
  describe?(): string
}

export interface EnumeratorContext<S extends SourceSplit> {
  /** Parallelism of the source. */
  readonly parallelism: number
  /** Subtasks whose reader is registered. */
  readers(): number[]
  assign(split: S, subtask: number): void
  /** No split will come any more for this subtask. */
  noMoreSplits(subtask: number): void
  /**
   * There is no split for this subtask now; `assign` may give it one later. Answers a request: a reader that has asked and has no split
   * holds the watermark back until it is answered, as what comes may be earlier than all that others read; then it is idle.
   */
  noSplitsNow(subtask: number): void
  /** Sends an event of the source's own to a reader. */
  sendEvent(subtask: number, event: unknown): void
  /** Runs `task` off the coordinator's turn and then `then` on it; with `everyMs` again and again. Failures fail the job. */
  callAsync<R>(task: () => Promise<R>, then: (result: R) => void, everyMs?: number): void
  /** The source has more than it can read at once, or no more: checkpoints may be taken less often (`execution.checkpointing.interval-during-backlog`). */
  setIsProcessingBacklog(isProcessingBacklog: boolean): void
}

export interface SplitEnumerator<S extends SourceSplit, E = unknown> {
  start(): void
  /** A reader is there (again). */
  addReader(subtask: number): void
  /** A reader has nothing to read. Answer by `assign`, `noMoreSplits` or `noSplitsNow`, at once or later. */
  handleSplitRequest(subtask: number): void
  /** Splits of a failed reader that no checkpoint holds. */
  addSplitsBack(splits: S[], subtask: number): void
  handleEvent?(subtask: number, event: unknown): void
  /** What it would go on from: JSON. Splits that are assigned are in the readers' snapshots. null: it begins again. */
  snapshot(): E
  /** The checkpoint and all before it are complete: what they hold will not be asked for again. Best effort. */
  notifyCheckpointComplete?(checkpointId: number): void
  close(): void
}

/** What {@link SourceReader.poll} found. */
export type PollStatus =
  /** Ask again at once. */
  | 'more'
  /** Nothing now: ask again after `ReaderContext.wake()` or at the time given to `ReaderContext.wakeAt()`. */
  | 'idle'
  /** Nothing will ever come: all splits are read and no more will be assigned. */
  | 'end'

export interface ReaderContext {
  readonly subtask: number
  readonly parallelism: number
  /** Asks the enumerator for a split. Until it answers, a reader without splits holds the watermark back. */
  requestSplit(): void
  sendEvent(event: unknown): void
  /** Data has come: poll soon. May be called from any callback of the thread. */
  wake(): void
  /** Poll at this time (clock.monotonic() milliseconds) at the latest. One pending time; the earliest holds. */
  wakeAt(monotonicMs: number): void
  /** Fails the task from a callback; a throw in `poll` does the same. */
  fail(error: unknown): void
  readonly clock: import('./clock.ts').Clock
  readonly metrics: import('./metrics.ts').MetricGroup
}

export interface SourceReader<T, S extends SourceSplit = SourceSplit> {
  start(): void
  /**
   * Emits at most about `max` records through `output` and returns. Must not block and should return within a millisecond.
   * `output` is the reader's; records of a split go through `output.split(id)`, which keeps that split's watermark.
   */
  poll(output: ReaderOutput<T>, max: number): PollStatus
  addSplits(splits: S[]): void
  noMoreSplits(): void
  /** Splits with the positions after the last emitted record. */
  snapshot(checkpointId: number): S[]
  notifyCheckpointComplete?(checkpointId: number): void
  /** Watermark alignment: stop and go on reading these splits. */
  pauseOrResumeSplits?(pause: string[], resume: string[]): void
  handleEvent?(event: unknown): void
  close(): void | Promise<void>
}

/** Takes records of one split. `timestamp` is the record's own (a log's append time), NO_TIMESTAMP when it has none. */
export interface SplitOutput<T> {
  collect(value: T, timestamp: number): void
  /** Nothing more will come from this split for now; its watermark no longer holds the reader's back. */
  markIdle(): void
  markActive(): void
}

export interface ReaderOutput<T> extends SplitOutput<T> {
  /** The output of one split; created at the first call. Keep it, do not look it up per record. */
  split(id: string): SplitOutput<T>
  /** The split is read to its end. */
  release(id: string): void
  /** Sends a value (a record that could not be decoded) to a side output; false when no one consumes it. */
  sideOutput?(tagId: string, value: unknown): boolean
}

const BRAND = Symbol.for('tailrace.source')

export { BRAND as SOURCE_BRAND }
