/**
 * The contract of sinks. What an author implements decides what the job can promise:
 *
 * - a writer alone: at least once. At a barrier the writer is flushed, and the acknowledgement waits for it.
 * - with writer state: what the writer knows at a barrier is given back after a failure.
 * - with `prepareCommit` and a committer: exactly once, in two phases. Before a checkpoint is acknowledged everything written until its barrier is
 *   with the system, durable but not visible; once the checkpoint is complete the committer makes it visible.
 * - with a global committer: one place commits what all subtasks have prepared.
 *
 * Committables (C) and writer state (W) are stored in checkpoints, and may be committed by another process than the one that prepared them: they
 * are plain data, small, and hold all that it takes (names, ids, lengths).
 */
import type { Clock } from './clock.ts'
import type { RuntimeContext } from './functions.ts'

export interface Sink<T, C = any, W = any> {
  createWriter(context: SinkContext): SinkWriter<T, C, W> | Promise<SinkWriter<T, C, W>>
  /**
   * Instead of `createWriter` when the job goes on from a checkpoint; wanted when writers have state. `states` are those of all writers that this one
   * takes over from: none, or several, when the parallelism has changed (or of all there were, see {@link writerState}). What was prepared by then has been given to the committer before.
   */
  restoreWriter?(context: SinkContext, states: W[]): SinkWriter<T, C, W> | Promise<SinkWriter<T, C, W>>
  /** What of the writers' state each restored writer is given: its part (`split`, when not given), or the states of all (`union`). */
  readonly writerState?: 'split' | 'union'
  createCommitter?(context: CommitterContext): Committer<C>
  /**
   * Adds an operator of parallelism 1 behind the writers. All commits are then made there: of one checkpoint after the other, with what all subtasks
   * have prepared for it, first by the committer, if there is one, and when that has ended by this one.
   */
  createGlobalCommitter?(context: CommitterContext): GlobalCommitter<C>
  /** Text for the plan and the page. */
  describe?(): string
}

/** How often a job takes checkpoints by itself, and how long one may take; milliseconds. */
export interface CheckpointTimes {
  readonly intervalMs: number
  readonly timeoutMs: number
}

export interface CommitterContext extends RuntimeContext {
  readonly clock: Clock
  /** Checkpoints are taken: what is prepared waits for them. Without, it is committed once, at the end of the input. */
  readonly checkpointing: boolean
  /** For systems that hold what is prepared for a limited time; undefined: no checkpoints are taken, or their times are not known. */
  readonly checkpointTimes: CheckpointTimes | undefined
  /**
   * Epoch of the process that owns the job's checkpoints: each one that takes over has a higher one. 0: nobody stores any. With `task.attemptNumber` it tells apart all attempts of a job
   * that may overlap for a while, for names that no two of them may share.
   */
  readonly ownerEpoch: number
  /**
   * Aborted when the task ends, also while its sink is still being opened: nothing may be asked of a system any more but what `close` does. What is opened all the same is closed at once.
   */
  readonly closing: AbortSignal
}

export interface SinkContext extends CommitterContext {
  /** The checkpoint that the job goes on from; undefined: it begins. */
  readonly restoredCheckpointId: number | undefined
  /** Calls back once, between records, when `clock.now()` reaches `timeMs`. Returns a handle for `cancelTimer`. */
  registerTimer(timeMs: number, callback: (timeMs: number) => void): number
  cancelTimer(handle: number): void
  /** The writer can take records again after `pending()` was true. */
  wake(): void
  /** Fails the task from a callback. */
  fail(error: unknown): void
}

export interface SinkWriter<T, C = any, W = any> {
  /** Takes one record; never blocks. What cannot be written yet is kept in a bounded buffer, see `pending`. */
  write(value: T, timestamp: number): void
  /** True while the buffer is full: the task takes no input until it is false. Called once a turn. */
  pending?(): boolean
  /**
   * Pushes out what is buffered; records may come before the promise resolves, which is when all that was written before the call is with the system:
   * a checkpoint is acknowledged after that. At `endOfInput` no record follows, and the promise resolves when all is durable.
   */
  flush(endOfInput: boolean): void | Promise<void>
  writeWatermark?(timestamp: number): void
  /**
   * At the barrier of a checkpoint, also of one that fails later: ends what is written and begins anew, without waiting. Records come at once; the
   * promise resolves when what was written before the barrier, in files or transactions that go on too, survives any crash. What it resolves to is
   * committed when this checkpoint, or a later one, is complete. A rejection fails the task, since what was written would be lost.
   */
  prepareCommit?(checkpointId: number): readonly C[] | Promise<readonly C[]>
  /**
   * At the same barrier, after `prepareCommit`: what the writer must know to go on from here. Taken at the call; a promise is for what only the system
   * can tell. At another parallelism the elements are dealt out anew.
   */
  snapshotState?(checkpointId: number): readonly W[] | Promise<readonly W[]>
  /** Also after a failure: what a checkpoint may refer to stays as it is. */
  close(): void | Promise<void>
}

/**
 * Makes visible what writers have prepared. Called with the committables of one checkpoint at a time, strictly in the order of checkpoints: the next one
 * only when all of the one before are done.
 *
 * **Must be idempotent.** After a failure everything that the checkpoint holds is committed again, before the first record; most of it will be there.
 *
 * @example
 * class Publisher implements Committer<string> {
 *   async commit(requests: readonly CommitRequest<string>[]) {
 *     for (const request of requests) {
 *       const { status } = await fetch(`http://inbox/batches/${request.committable}/publish`, { method: 'PUT' })
 *       if (status === 409) request.alreadyCommitted()
 *       else if (status === 410) request.failedWithKnownReason('the batch has expired')
 *       else if (status !== 200) request.retryLater(`status ${status}`)
 *     }
 *   }
 * }
 */
export interface Committer<C> {
  /** A request that gets no signal is done when the promise resolves. Throw to fail the job. */
  commit(requests: readonly CommitRequest<C>[]): void | Promise<void>
  /** Also after a failure. `allCommitted`: the input had ended, and everything is committed. */
  close?(allCommitted: boolean): void | Promise<void>
}

/** A committer of which there is one: it is given what all subtasks have prepared for a checkpoint together. */
export type GlobalCommitter<C> = Committer<C>

/** One committable. The signals may be given until the promise of `commit` has resolved; the last one counts. */
export interface CommitRequest<C> {
  readonly committable: C
  /** At whose barrier it was prepared. */
  readonly checkpointId: number
  /** How often it was asked for before. */
  readonly retries: number
  /** It was committed before: counted apart. */
  alreadyCommitted(): void
  /** The system cannot now: ask again, at most `sink.committer.retries` times; then the job fails with the last reason. */
  retryLater(reason?: unknown): void
  /** The same, with another committable from now on (also in checkpoints). */
  updateAndRetryLater(committable: C, reason?: unknown): void
  /**
   * It can never be committed (its transaction has expired, say), so what it stands for is lost. Fails the job with TR-SINK-002, unless
   * `tailrace.allow-lost-transactions` is true: then it is reported and left out.
   */
  failedWithKnownReason(reason: unknown): void
}
