/**
 * Checkpoints of one deployment in an object store. DESIGN of the layout, below the deployment's folder:
 *
 *     claims/<epoch>          who owns the deployment since then; created conditionally, never changed
 *     chk-<n>/_metadata       checkpoint n is complete; created conditionally
 *     shared/<epoch>-<hash>   bytes that checkpoints name
 *
 * The interface is what a coordinator sees; see `openCheckpointStore`.
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
  /** Stores bytes under their hash, once; the handle names them. Safe to call for many chunks at once: it is bounded inside. */
  write(bytes: Uint8Array): Promise<StateHandle>
  /** Bytes of a handle. Throws TR-CHECKPOINT-003 when they are missing or of another length. */
  read(handle: StateHandle): Promise<Uint8Array>
  /**
   * Makes a checkpoint complete: creates its metadata, then looks for newer claims. Only after it may anyone be told. Older ones than `retained`
   * are deleted, with the bytes that no other needs. Throws TR-CHECKPOINT-002: another owner has taken over, and this one must stop.
   */
  complete(metadata: CheckpointMetadata): Promise<CompletedCheckpoint>
  /** A checkpoint was given up: bytes that only it has written are deleted. */
  discard(checkpointId: number, handles: readonly StateHandle[]): Promise<void>
  /** Deletes all completed checkpoints (the job has ended and nobody wants them). */
  discardAll(): Promise<void>
  close(): Promise<void>
}

export interface CompletedCheckpoint {
  metadata: CheckpointMetadata
  /** Of `_metadata`, absolute: what REST shows and a user restores from. */
  path: string
  /** Of `_metadata`. */
  metadataBytes: number
}
