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
import type { StateHandle } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import { StateReader } from './read-state.ts'
import { sha256, sharedName } from './shared-files.ts'

export interface TaskStateOptions {
  /** undefined: state goes with the acknowledgement, into the memory of the JobManager. */
  store: ObjectStore | undefined
  /** Of the deployment's folder. */
  folder: string
  epoch: number
  /** From 1 to {@link WRITERS_MAX}; no other TaskManager has it in this epoch. */
  writer: number
  openOther(url: string): Promise<ObjectStore>
  writesMax?: number
}

/** Writers of an epoch, the JobManager, which is number 0, not counted. */
export const WRITERS_MAX = 99_999
const FILES_PER_WRITER = 10_000_000_000
const WRITES_MAX = 8
/** As Flink's for state in the JobManager's memory. */
export const IN_MEMORY_BYTES_MAX = 5 * 2 ** 20

/**
 * @example
 * const state = new TaskStateStore({ store, folder: 'my-job', epoch: 3, writer: 1, openOther })
 * const handle = await state.write(bytes) // { file: 'shared/3-10000000001-…', offset: 0, length }
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
  async write(bytes: Uint8Array): Promise<StateHandle> {
    const { store, epoch, writer } = this.#options
    if (store === undefined) {
      if (bytes.length > IN_MEMORY_BYTES_MAX)
        throw new TailraceError(
          'TR-CHECKPOINT-001',
          `Cannot keep ${bytes.length} bytes of a subtask's state in the memory of the JobManager: ${IN_MEMORY_BYTES_MAX} are its bound; set "execution.checkpointing.dir" to a place that all processes reach`,
        )
      return { bytes: new Uint8Array(bytes) }
    }
    const file = sharedName(epoch, writer * FILES_PER_WRITER + ++this.#files, sha256(bytes))
    await this.#bound(() => store.put(this.#prefix + file, bytes))
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
      return await this.#reader.read(handle)
    } catch (error) {
      const { store, epoch } = this.#options
      await new Claims(store!, this.#prefix).refuseIfDeposed(epoch, `read state in "${store!.url}/${this.#prefix}"`)
      throw error
    }
  }

  /** Deletes files that no acknowledgement has named. */
  async discard(_checkpointId: number, handles: readonly StateHandle[]): Promise<void> {
    const files = new Set(handles.flatMap((handle) => ('file' in handle ? [this.#prefix + handle.file] : [])))
    if (files.size > 0) await this.#options.store?.delete([...files])
  }

  async close(): Promise<void> {
    await this.#reader?.close()
    await this.#options.store?.close()
  }
}
