/**
 * Snapshots of a backend in memory, through the code that writes and reads the chunks of checkpoints.
 */
import { restoreKeyed } from '../checkpoint/keyed-restore.ts'
import { CHUNK_BYTES, KeyedSnapshotWriter } from '../checkpoint/keyed-snapshot.ts'
import type { KeyedSnapshot, StateTable } from '../checkpoint/model.ts'
import { keyGroupRange } from '../core/key-groups.ts'
import type { KeyedBackend, TablesToRestore } from './backend.ts'

/** A row as text, to compare: table, row, timestamp. */
export type TakenRow = string

export class TakenTables {
  readonly #maxParallelism: number
  readonly #chunks: Uint8Array[] = []
  readonly #writer: KeyedSnapshotWriter
  /** Does a part of what is left; true when nothing is. */
  readonly step: () => boolean
  #snapshot: KeyedSnapshot | undefined

  /** Begins a snapshot. */
  constructor(backend: KeyedBackend, maxParallelism: number) {
    this.#maxParallelism = maxParallelism
    this.#writer = new KeyedSnapshotWriter((hash) => (hash >>> 0) % maxParallelism, {
      take: (bytes) => new ArrayBuffer(Math.max(bytes, CHUNK_BYTES)),
      give: (buffer, length) => this.#chunks.push(new Uint8Array(buffer.slice(0, length))) - 1,
    })
    this.step = backend.snapshot(this.#writer)
  }

  /** Does all that is left. */
  end(): this {
    if (this.#snapshot === undefined) {
      while (!this.step());
      this.#snapshot = this.#writer.finish() ?? { tables: [], chunks: [] }
    }
    return this
  }

  get tables(): StateTable[] {
    return this.end().#snapshot!.tables
  }

  /** What a subtask gets of it. */
  restored(parallelism = 1, subtaskIndex = 0): TablesToRestore {
    const maxParallelism = this.#maxParallelism
    const snapshots = [this.end().#snapshot!]
    return {
      readTables: (take) =>
        restoreKeyed({
          snapshots,
          range: keyGroupRange(maxParallelism, parallelism, subtaskIndex),
          maxParallelism,
          read: async (handle) => ('bytes' in handle ? handle.bytes : this.#chunks[handle.offset]!),
          take,
        }),
    }
  }

  /** All rows, sorted. */
  async rows(): Promise<TakenRow[]> {
    const rows: TakenRow[] = []
    await this.restored().readTables(({ name }) => (row, _, timestamp) => {
      rows.push(JSON.stringify([name, row, timestamp === -Infinity ? null : timestamp]))
    })
    return rows.sort()
  }
}
