/**
 * Where handles are in the metadata of a checkpoint: one walk for everyone who counts, copies or rewrites them.
 */
import type { CheckpointMetadata, OperatorSnapshot, StateHandle, SubtaskRestore } from './model.ts'

/**
 * Metadata with another handle in each handle's place, in a fixed order: by operator, subtask, keyed chunks before lists. The rest is shared, not
 * copied.
 *
 * @example
 * mapHandles(metadata, (handle) => ('bytes' in handle ? handle : { ...handle, file: `s3://bucket/sp-1/${handle.file}` }))
 */
export function mapHandles(
  metadata: CheckpointMetadata,
  map: (handle: StateHandle) => StateHandle,
): CheckpointMetadata {
  return {
    ...metadata,
    operators: metadata.operators.map((operator) => ({
      ...operator,
      subtasks: operator.subtasks.map((subtask) => (subtask === null ? null : mapSnapshot(subtask, map))),
    })),
  }
}

function mapSnapshot(snapshot: OperatorSnapshot, map: (handle: StateHandle) => StateHandle): OperatorSnapshot {
  const { keyed } = snapshot
  return {
    ...snapshot,
    ...(keyed === undefined
      ? {}
      : { keyed: { ...keyed, chunks: keyed.chunks.map((chunk) => ({ ...chunk, handle: map(chunk.handle) })) } }),
    lists: snapshot.lists.map((list) => ({ ...list, handle: map(list.handle) })),
  }
}

/** All handles in the order of {@link mapHandles}; one that two places name comes twice. */
export function handlesOf(metadata: CheckpointMetadata): StateHandle[] {
  return metadata.operators.flatMap((operator) => operator.subtasks.flatMap(handlesOfSnapshot))
}

/** Handles of what one subtask has of one operator. */
export function handlesOfSnapshot(snapshot: OperatorSnapshot | null): StateHandle[] {
  return statesOfSnapshot(snapshot).map(({ handle }) => handle)
}

/** The same with the names of the states that the bytes may be of: of a chunk any of the tables. */
export function statesOfSnapshot(snapshot: OperatorSnapshot | null): { handle: StateHandle; states: string[] }[] {
  if (snapshot === null) return []
  const { tables, chunks } = snapshot.keyed ?? { tables: [], chunks: [] }
  const states = tables.map(({ name }) => name)
  return [
    ...chunks.map(({ handle }) => ({ handle, states })),
    ...snapshot.lists.map(({ handle, name }) => ({ handle, states: [name] })),
  ]
}

/** Handles of what one subtask is given back. */
export function handlesOfRestore(restore: SubtaskRestore | undefined): StateHandle[] {
  return (restore?.operators ?? []).flatMap(({ keyed, lists }) => [
    ...keyed.flatMap(({ chunks }) => chunks.map(({ handle }) => handle)),
    ...lists.flatMap(({ parts }) => parts.map(({ handle }) => handle)),
  ])
}

/** Bytes that a handle stands for. */
export function handleBytes(handle: StateHandle): number {
  return 'bytes' in handle ? handle.bytes.length : handle.length
}
