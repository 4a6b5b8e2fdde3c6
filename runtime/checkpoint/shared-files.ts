/**
 * Files of state below `shared/`: which ones this owner has written, which checkpoints need them, and which nobody needs any more.
 *
 * A file is `shared/<epoch>-<number>-<sha256>`: the epoch of the owner that wrote it, or for whom a TaskManager did (task-state-store.ts), a number that is used once in this epoch, the
 * hash of its bytes. What must hold:
 * - an owner deletes files of its own epoch, and of older ones what its lineage does not need; so a deposed owner never deletes what a newer one has written;
 * - a name is never used again, so a write or deletion that a store does long after it was given up hits nothing that is in use;
 * - each write makes a file of its own, though the bytes are the same: what is given up for one checkpoint is never what another counts on;
 * - a checkpoint is not completed with a file that this owner does not know to be there.
 */
import { createHash } from 'node:crypto'
import type { Clock } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import { bounded } from './bounded.ts'
import type { CheckpointRef } from './claims.ts'
import type { StateHandle } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import { isAbsolutePath } from './savepoint-path.ts'

const SHARED_NAME = /^shared\/(\d{1,15})-(\d{1,15})-([0-9a-f]{64})$/

/** What the name of a file says; undefined: it is none of ours. */
export function parseSharedName(name: string): { epoch: number; number: number; sha256: string } | undefined {
  const match = SHARED_NAME.exec(name)
  return match === null ? undefined : { epoch: Number(match[1]), number: Number(match[2]), sha256: match[3]! }
}

export function sharedName(epoch: number, number: number, hash: string): string {
  return `shared/${epoch}-${number}-${hash}`
}

/** Files of the deployment's folder that handles name; absolute ones are others'. */
export function filesOf(handles: readonly StateHandle[]): Set<string> {
  return new Set(handles.flatMap((handle) => ('file' in handle && !isAbsolutePath(handle.file) ? [handle.file] : [])))
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

interface SharedFile {
  name: string
  /** A checkpoint to come counts on it: none was completed or given up with it yet. */
  pending: boolean
  writtenMs: number
  /** Ids of checkpoints that need it. */
  checkpoints: Set<number>
}

export interface SharedFilesOptions {
  store: ObjectStore
  /** Of the deployment's folder. */
  prefix: string
  epoch: number
  clock: Clock
  writesMax: number
  /** After so long a file that no checkpoint was settled with is taken for lost: the task that wrote it is gone. */
  graceMs: number
}

export class SharedFiles {
  readonly #options: SharedFilesOptions
  readonly #bound: <T>(work: () => Promise<T>) => Promise<T>
  readonly #files = new Map<string, SharedFile>()
  /** Failed writes, which may be there all the same. */
  #failed: string[] = []
  #number = 0

  constructor(options: SharedFilesOptions) {
    this.#options = options
    this.#bound = bounded(options.writesMax)
  }

  /** Resolves when the bytes are stored; they must not change until then. */
  async write(bytes: Uint8Array): Promise<StateHandle> {
    const { store, prefix, epoch } = this.#options
    const name = sharedName(epoch, ++this.#number, sha256(bytes))
    this.#add(name, true)
    try {
      await this.#bound(() => store.put(prefix + name, bytes))
    } catch (error) {
      this.#files.delete(name)
      this.#failed.push(name)
      throw error
    }
    return { file: name, offset: 0, length: bytes.length }
  }

  /** A TaskManager has written these in this owner's epoch, and says so for the first time: they count as if they were written here. */
  written(names: Iterable<string>): void {
    for (const name of names)
      if (!this.#files.has(name) && parseSharedName(name)?.epoch === this.#options.epoch) this.#add(name, true)
  }

  /** The checkpoint needs these. Throws TR-CHECKPOINT-001 when one of them is not there; then nothing has changed. */
  attach(checkpointId: number, names: Iterable<string>): void {
    const files = [...names].map((name) => {
      const file = this.#files.get(name)
      if (file !== undefined) return file
      throw new TailraceError(
        'TR-CHECKPOINT-001',
        `Cannot complete checkpoint ${checkpointId}: its file "${name}" was neither written by this JobManager nor in a checkpoint that it keeps, or was deleted meanwhile; wanted: files that are there`,
      )
    })
    for (const file of files) file.checkpoints.add(checkpointId)
  }

  /** A checkpoint that was there before needs these, which were found. */
  adopt({ checkpointId }: CheckpointRef, names: Iterable<string>): void {
    for (const name of names) (this.#files.get(name) ?? this.#add(name, false)).checkpoints.add(checkpointId)
  }

  /** What was written for a checkpoint is now its own, or given up. */
  settle(names: Iterable<string>): void {
    for (const name of names) {
      const file = this.#files.get(name)
      if (file !== undefined) file.pending = false
    }
  }

  detach(checkpointId: number): void {
    for (const file of this.#files.values()) file.checkpoints.delete(checkpointId)
  }

  /** Names of files that nobody needs: each is given once, to be deleted, and is never used again. */
  takeUnneeded(): string[] {
    const names = this.#failed
    this.#failed = []
    const lostMs = this.#options.clock.monotonic() - this.#options.graceMs
    for (const file of this.#files.values()) {
      if (file.checkpoints.size > 0 || (file.pending && file.writtenMs > lostMs)) continue
      this.#files.delete(file.name)
      names.push(file.name)
    }
    return names
  }

  #add(name: string, pending: boolean): SharedFile {
    const file = { name, pending, writtenMs: this.#options.clock.monotonic(), checkpoints: new Set<number>() }
    this.#files.set(name, file)
    return file
  }
}
