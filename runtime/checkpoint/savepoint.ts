/**
 * A checkpoint or savepoint somewhere: found by a user's path, read, marked, and disposed of.
 *
 * A savepoint is a folder that can be copied or moved as a whole: its handles are relative to it. The handles of a checkpoint are relative to the folder of its deployment, which is
 * the one that `chk-<n>` lies in. Opened, both have absolute ones, since whoever goes on from them keeps files of its own.
 */
import { TailraceError } from '../core/errors.ts'
import { handlesOf, mapHandles } from './handles.ts'
import { decodeMetadata, METADATA_FILE } from './metadata.ts'
import type { CheckpointMetadata, StateHandle } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import { StateReader } from './read-state.ts'
import { below, isAbsolutePath, savepointPath } from './savepoint-path.ts'

/** In the folder of a savepoint whose transactions were committed. */
export const COMMITTED_FILE = '_committed'

/** A store by its URL, such as `/data` or `s3://bucket/path`; it may be open already, and it need not be there. */
export type OpenStore = (url: string) => Promise<ObjectStore>

export interface OpenSavepointOptions {
  open: OpenStore
  /** What a relative path begins at. */
  cwd: string
}

export interface OpenedSavepoint {
  /** Absolute. */
  readonly folder: string
  /** Of its `_metadata`, absolute. */
  readonly path: string
  /** Files of its handles are absolute. */
  readonly metadata: CheckpointMetadata
  readonly metadataBytes: number
  /** Its transactions were committed: a job that goes on from it must not commit them again. */
  readonly committed: boolean
  /** Bytes of a handle. Throws TR-CHECKPOINT-003 when they are missing, of another length or changed. */
  read(handle: StateHandle): Promise<Uint8Array>
  /** Deletes a savepoint with its bytes; `_metadata` goes first, so that no half of one looks whole. TR-CHECKPOINT-006 for a checkpoint. */
  dispose(): Promise<void>
  close(): Promise<void>
}

/**
 * Reads the metadata. Throws TR-CHECKPOINT-003 when there is none or it cannot be read.
 *
 * @example
 * const savepoint = await openSavepoint('s3://bucket/savepoint-ab12cd-0123456789ab', { open, cwd: process.cwd() })
 */
export async function openSavepoint(path: string, { open, cwd }: OpenSavepointOptions): Promise<OpenedSavepoint> {
  const { folder, parent, prefix } = savepointPath(path, cwd)
  const metadataPath = below(folder, METADATA_FILE)
  const store = await open(parent)
  try {
    const bytes = await store.get(prefix + METADATA_FILE)
    if (bytes === undefined)
      throw new TailraceError(
        'TR-CHECKPOINT-003',
        `Cannot read the checkpoint or savepoint "${path}": there is no file "${metadataPath}", wanted: the folder of one checkpoint (chk-7) or savepoint (savepoint-…), or the ${METADATA_FILE} in it`,
      )
    const stored = decodeMetadata(bytes, metadataPath)
    const base = stored.kind === 'savepoint' ? folder : parent
    const metadata = mapHandles(stored, (handle) =>
      'bytes' in handle || isAbsolutePath(handle.file) ? handle : { ...handle, file: below(base, handle.file) },
    )
    const committed = (await store.get(prefix + COMMITTED_FILE)) !== undefined
    const reader = new StateReader({ store, prefix: '', openOther: open })
    return {
      folder,
      path: metadataPath,
      metadata,
      metadataBytes: bytes.length,
      committed,
      read: (handle) => reader.read(handle),
      async dispose() {
        if (stored.kind !== 'savepoint')
          throw new TailraceError(
            'TR-CHECKPOINT-006',
            `Cannot dispose of "${path}": it is a checkpoint, whose files others of its deployment may need; wanted: a savepoint`,
          )
        await store.delete([prefix + METADATA_FILE])
        const own = handlesOf(stored).flatMap((h) => ('bytes' in h || isAbsolutePath(h.file) ? [] : [prefix + h.file]))
        await store.delete([...new Set(own), prefix + COMMITTED_FILE])
      },
      async close() {
        await reader.close()
        await store.close()
      },
    }
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Tells whoever restores from the savepoint that its transactions were committed. Done again it does no harm. */
export async function markCommitted(path: string, { open, cwd }: OpenSavepointOptions): Promise<void> {
  const { parent, prefix } = savepointPath(path, cwd)
  const store = await open(parent)
  try {
    const text = 'The transactions of this savepoint were committed.\n'
    await store.put(prefix + COMMITTED_FILE, new TextEncoder().encode(text))
  } finally {
    await store.close()
  }
}
