/**
 * State in the store of a deployment, as a TaskManager in a process of its own sees it: it writes files under the epoch of the JobManager that has deployed it, and reads
 * those of restores. What checkpoints consist of, and when files go, is the JobManager's business (checkpoint-store.ts).
 *
 * What must hold: a file has a name that nobody else ever gives: each writer has a number of its own in an epoch, and counts. So files of the same bytes are
 * written twice, and none is deleted here once an acknowledgement has named it.
 */
import { TailraceError } from '../core/errors.ts'
import { bounded } from './bounded.ts'
import { Claims } from './claims.ts'
import type { FileHandle, StateHandle } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import { StateReader } from './read-state.ts'
import { parseSharedName, sha256, sharedName } from './shared-files.ts'

export interface TaskStateOptions {
  /** undefined: state goes with the acknowledgement, into the memory of the JobManager. */
  store: ObjectStore | undefined
  /** Of the deployment's folder. */
  folder: string
  epoch: number
  /** From 1 to {@link WRITERS_MAX}; no other TaskManager has it in this epoch. */
  writer: number
  openOther(url: string): Promise<ObjectStore>
  /** Nearer than the store; none unless given. */
  copies?: StateCopies
  writesMax?: number
}

/** A second copy of what is written, which may be lost. No call rejects. */
export interface StateCopies {
  /** Resolves when the memory of the bytes is not read any more. */
  write(checkpointId: number, file: string, bytes: Uint8Array): Promise<void>
  /** Bytes that are proven to be those of the handle; undefined: there are none. */
  read(handle: FileHandle): Promise<Uint8Array | undefined>
  /** Nobody will read these. */
  forget(files: Iterable<string>): void
}

/** Who has written a file, of all TaskManagers that have written for a job. */
export interface WriterRef {
  epoch: number
  writer: number
}

/** Writers of an epoch, the JobManager, which is number 0, not counted. */
export const WRITERS_MAX = 99_999
const FILES_PER_WRITER = 10_000_000_000
const WRITES_MAX = 8

/** What the name of a file says of its writer; undefined: it is a name of others. Number 0 is the JobManager. */
export function writerOf(file: string): WriterRef | undefined {
  const shared = parseSharedName(file)
  return shared && { epoch: shared.epoch, writer: Math.floor(shared.number / FILES_PER_WRITER) }
}

/** As Flink's for state in the JobManager's memory. */
export const IN_MEMORY_BYTES_MAX = 5 * 2 ** 20

/**
 * @example
 * const state = new TaskStateStore({ store, folder: 'my-job', epoch: 3, writer: 1, openOther })
 * const handle = await state.write(bytes, 17) // { file: 'shared/3-10000000001-…', offset: 0, length }
 */
export class TaskStateStore {
  readonly #options: TaskStateOptions
  readonly #bound: <T>(work: () => Promise<T>) => Promise<T>
  readonly #reader: StateReader | undefined
  readonly #prefix: string
  #files = 0

  constructor(options: TaskStateOptions) {
    const { store, folder, openOther, writesMax } = options
    this.#options = options
    this.#bound = bounded(writesMax ?? WRITES_MAX)
    this.#prefix = folder === '' ? '' : `${folder}/`
    this.#reader = store === undefined ? undefined : new StateReader({ store, prefix: this.#prefix, openOther })
  }

  /** Throws the store's errors, and TR-CHECKPOINT-001 for more than the JobManager keeps in its memory. */
  async write(bytes: Uint8Array, checkpointId: number): Promise<StateHandle> {
    const { store, epoch, writer, copies } = this.#options
    this.#reader?.readsEnd()
    if (store === undefined) {
      if (bytes.length > IN_MEMORY_BYTES_MAX)
        throw new TailraceError(
          'TR-CHECKPOINT-001',
          `Cannot keep ${bytes.length} bytes of a subtask's state in the memory of the JobManager: ${IN_MEMORY_BYTES_MAX} are its bound; set "execution.checkpointing.dir" to a place that all processes reach`,
        )
      return { bytes: new Uint8Array(bytes) }
    }
    const file = sharedName(epoch, writer * FILES_PER_WRITER + ++this.#files, sha256(bytes))
    const copied = copies?.write(checkpointId, file, bytes)
    try {
      await this.#bound(() => store.put(this.#prefix + file, bytes))
    } catch (error) {
      copies?.forget([file])
      throw error
    } finally {
      await copied
    }
    return { file, offset: 0, length: bytes.length }
  }

  /** Throws TR-CHECKPOINT-003 for what is missing or changed, TR-CHECKPOINT-002 when a newer owner may have deleted it, rightly. */
  async read(handle: StateHandle): Promise<Uint8Array> {
    if ('bytes' in handle) return handle.bytes
    if (this.#reader === undefined)
      throw new TailraceError(
        'TR-CHECKPOINT-003',
        `Cannot read "${handle.file}": the job has no "execution.checkpointing.dir"`,
      )
    try {
      return (await this.#options.copies?.read(handle)) ?? (await this.#reader.read(handle))
    } catch (error) {
      const { store, epoch } = this.#options
      await new Claims(store!, this.#prefix).refuseIfDeposed(epoch, `read state in "${store!.url}/${this.#prefix}"`)
      throw error
    }
  }

  /** Deletes files that no acknowledgement has named. */
  async discard(_checkpointId: number, handles: readonly StateHandle[]): Promise<void> {
    const files = new Set(handles.flatMap((handle) => ('file' in handle ? [handle.file] : [])))
    this.#options.copies?.forget(files)
    if (files.size > 0) await this.#options.store?.delete([...files].map((file) => this.#prefix + file))
  }

  async close(): Promise<void> {
    await this.#reader?.close()
    await this.#options.store?.close()
  }
}
