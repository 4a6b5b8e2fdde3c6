/**
 * Checkpoints of one deployment in an object store. The layout, below the deployment's folder (docs/checkpoint-store.md has the bytes):
 *
 *     claims/<epoch>                   who owns the deployment since then; created conditionally, never changed
 *     claims/<epoch>.start             what that owner went on from; likewise
 *     chk-<n>/_metadata                checkpoint n is complete; created conditionally
 *     shared/<epoch>-<number>-<hash>   bytes that checkpoints name
 *
 * The interface is what a coordinator sees; open-checkpoint-store.ts opens it.
 */
import type { CheckpointMetadata, StateHandle } from './model.ts'

/** One owner's view. All calls but `read` fail with TR-CHECKPOINT-002 once a newer claim was seen. */
export interface CheckpointStore {
  readonly url: string
  /** The owner's epoch, above all before it. */
  readonly epoch: number
  /** Completed checkpoints that are kept, the oldest first; found when the store was opened, and added to since. */
  readonly completed: readonly CompletedCheckpoint[]
  /** Above every id that any owner has used. */
  readonly nextCheckpointId: number
  /**
   * Stores bytes in a file of their own; the handle names it, or holds them when they are few. Safe to call for many chunks at once: it is bounded inside. The bytes must
   * not change until it resolves, and are the caller's again then. Every handle goes to `complete` or to `discard`, with its checkpoint.
   */
  write(bytes: Uint8Array): Promise<StateHandle>
  /** Handles of an acknowledgement: what a TaskManager has written by itself (task-state-store.ts) counts from now on as written here. */
  written(handles: readonly StateHandle[]): void
  /** Bytes of a handle. Throws TR-CHECKPOINT-003 when they are missing or of another length. */
  read(handle: StateHandle): Promise<Uint8Array>
  /**
   * Makes a checkpoint complete: creates its metadata, then looks for newer claims. Only after it may anyone be told. Older ones than `retained`
   * are deleted, in the background, with the bytes that no other needs.
   *
   * Throws TR-CHECKPOINT-002: another owner has taken over, and this one must stop. Throws TR-CHECKPOINT-001: it failed, the next may succeed; discard it. After either of
   * them it may count all the same when the job starts again, for the answer may have been lost: what it holds must not be rolled back before a newer one is complete.
   */
  complete(metadata: CheckpointMetadata): Promise<CompletedCheckpoint>
  /** A checkpoint was given up: bytes that only it has written are deleted. */
  discard(checkpointId: number, handles: readonly StateHandle[]): Promise<void>
  /** Deletes all completed checkpoints (the job has ended and nobody wants them). Nothing but `close` may follow. */
  discardAll(): Promise<void>
  /** Waits for deletions. The object store stays open: it is the caller's. */
  close(): Promise<void>
}

export interface CompletedCheckpoint {
  metadata: CheckpointMetadata
  /** Of `_metadata`, absolute: what REST shows and a user restores from. */
  path: string
  /** Of `_metadata`. */
  metadataBytes: number
}
