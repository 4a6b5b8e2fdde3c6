/**
 * Savepoints as a JobManager uses them: by a user's paths, each with a store that is open meanwhile.
 */
import type { CheckpointMetadata } from './model.ts'
import { markCommitted, type OpenSavepointOptions, openSavepoint } from './savepoint.ts'
import { checkSavepointDirectory, type SavepointSource, writeSavepointInto } from './savepoint-writer.ts'

export interface SavepointsOptions extends OpenSavepointOptions {
  random(): number
  /** The job's checkpoint store. */
  from: SavepointSource
}

export interface Savepoints {
  /** What a savepoint, or a checkpoint of anyone, holds; files of its handles are absolute. Throws TR-CHECKPOINT-003. */
  readSavepoint(path: string): Promise<{ metadata: CheckpointMetadata; path: string; committed: boolean }>
  /** Throws unless {@link writeSavepoint} can write there. */
  checkDirectory(directory: string): Promise<void>
  /** Copies what `metadata` names into a folder of its own below `directory`; `path` is that folder. */
  writeSavepoint(metadata: CheckpointMetadata, directory: string): Promise<{ path: string; metadataBytes: number }>
  markCommitted(path: string): Promise<void>
  disposeSavepoint(path: string): Promise<void>
}

export function savepointsOf(options: SavepointsOptions): Savepoints {
  const { from } = options
  return {
    async readSavepoint(path) {
      const opened = await openSavepoint(path, options)
      await opened.close()
      return { metadata: opened.metadata, path: opened.path, committed: opened.committed }
    },
    checkDirectory: (directory) => checkSavepointDirectory({ ...options, directory }),
    async writeSavepoint(metadata, directory) {
      const { folder, metadataBytes } = await writeSavepointInto({ ...options, directory }, metadata, from)
      return { path: folder, metadataBytes }
    },
    markCommitted: (path) => markCommitted(path, options),
    disposeSavepoint: (path) => disposeSavepoint(path, options),
  }
}

/** Deletes a savepoint with its bytes. Throws TR-CHECKPOINT-003, and 006 for a checkpoint. */
export async function disposeSavepoint(path: string, options: OpenSavepointOptions): Promise<void> {
  const opened = await openSavepoint(path, options)
  try {
    await opened.dispose()
  } finally {
    await opened.close()
  }
}
