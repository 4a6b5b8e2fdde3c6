/**
 * What a checkpoint is made of, as data: what a subtask took, where the bytes lie, what a subtask is given back, and what `_metadata` holds.
 *
 * A subtask's keyed state is a list of chunks of rows (state-format.md describes the bytes); each chunk says which key groups it has rows of, so a
 * subtask of another parallelism reads only the chunks that overlap its range, and of these the rows of its own groups. Other state is a list of
 * elements, which are dealt out anew.
 *
 * Everything is structured-cloneable; in `_metadata` it is JSON, with bytes in a section of their own (metadata.ts).
 */
import type { TypeDescription } from '../core/types.ts'

/** Bytes of a file of the store. */
export interface FileHandle {
  /** Key in the store below the deployment's folder, such as `shared/3-5f0c…`; absolute (with a scheme or a leading slash) in a savepoint of others. */
  file: string
  offset: number
  length: number
  /** CRC-32 of these bytes, made by the slot that took them: whoever reads them compares. Each handle of a checkpoint has it; one of a file whose parts have their own has none. */
  crc32?: number
}

/** Bytes of a file of the store, or, when they are few, the bytes themselves. */
export type StateHandle = FileHandle | { bytes: Uint8Array }

/** What rows of a table are; the row's fields are fixed by the kind. `k` is the key. */
export type TableKind =
  /** `{ k, v }`, one per key. */
  | 'value'
  /** `{ k, v }`, one per element, in order. */
  | 'list'
  /** `{ k, m, v }`, one per entry. */
  | 'map'
  /** `{ k, t }`: a timer of key k at time t. */
  | 'timers'
  /** `{ k, w, v }`: what the window that starts at w has of key k. */
  | 'window'

export interface StateTable {
  /** Unique in the operator and kind of owner; a state's own name, or one with a colon for what operators keep. */
  name: string
  kind: TableKind
  /** Of the rows. `any` when they had no common shape. */
  row: TypeDescription
  /** Settings that the next job must know, such as `ttl`. JSON. */
  settings?: Record<string, unknown>
}

/** Rows of one or several tables of one operator. */
export interface KeyedChunk {
  handle: StateHandle
  /** First and last key group that it has rows of. */
  firstGroup: number
  lastGroup: number
  rows: number
}

export interface KeyedSnapshot {
  /** Chunks name a table by its place in here. */
  tables: StateTable[]
  chunks: KeyedChunk[]
  /** By table, over all chunks: for whoever shows what there is. */
  totals?: { rows: number; bytes: number }[]
}

/** How elements are dealt out at another parallelism [KG-05]: in turn, all to all, or each subtask's own copy [B-04]. */
export type ListMode = 'split' | 'union' | 'broadcast'

/** State of an operator that belongs to no key. An element is msgpack; for `broadcast` it is an entry `[key, value]` of a map. */
export interface ListSnapshot {
  name: string
  mode: ListMode
  handle: StateHandle
  /** Where each element begins in the handle's bytes; the last one ends with them. */
  offsets: number[]
}

export interface OperatorSnapshot {
  /** 32 hex digits (graph/operator-ids.ts). */
  operatorId: string
  keyed?: KeyedSnapshot
  lists: ListSnapshot[]
}

/** What a subtask took for one checkpoint. */
export interface SubtaskSnapshot {
  operators: OperatorSnapshot[]
  /** It had finished all of its data before the barrier: nothing of it needs to run again [CC-04]. */
  finished: boolean
}

/** How long a subtask took for it; milliseconds and bytes. */
export interface SnapshotStats {
  /** From the trigger to the barrier that came first. */
  startDelayMs: number
  /** From the first barrier to the last. */
  alignmentMs: number
  syncMs: number
  asyncMs: number
  /** Of state, the part that was written anew. */
  bytesWritten: number
  /** Of state in all. */
  bytes: number
}

/** What a subtask gets back. Chunks may hold rows of other subtasks too. */
export interface SubtaskRestore {
  operators: OperatorRestore[]
}
export interface OperatorRestore {
  operatorId: string
  /** One per subtask of old that has rows for this one. */
  keyed: KeyedSnapshot[]
  lists: { name: string; mode: ListMode; parts: ListPart[] }[]
  /** The operator had finished all of its data. */
  finished: boolean
}
/** Elements from..to (exclusive) of a list. */
export interface ListPart {
  handle: StateHandle
  offsets: number[]
  from: number
  to: number
}

export type CheckpointKind = 'checkpoint' | 'savepoint'

/** What `_metadata` says of one operator. */
export interface OperatorMetadata {
  operatorId: string
  name: string
  uid: string | null
  parallelism: number
  maxParallelism: number
  /** By subtask; null where it had nothing. */
  subtasks: (OperatorSnapshot | null)[]
  /** By subtask. */
  finished: boolean[]
  /** Of a source: what its enumerator gave. JSON. */
  coordinator?: unknown
}

/** A completed checkpoint or savepoint. */
export interface CheckpointMetadata {
  formatVersion: 1
  checkpointId: number
  kind: CheckpointKind
  /** When it was triggered, milliseconds since 1970. */
  timestampMs: number
  jobId: string
  jobName: string
  /** Owner that completed it; 0 for a savepoint that no store of a deployment knows. */
  epoch: number
  /** Types agreed by edge: `from operator id / tag / to operator id` → type. */
  edgeTypes: Record<string, TypeDescription>
  operators: OperatorMetadata[]
}
