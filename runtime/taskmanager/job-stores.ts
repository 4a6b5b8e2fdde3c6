/** Where the slots of a TaskManager in a process of its own write and read the state of jobs: a store for each owner of a deployment, opened when it is needed, and copies of it that are nearer. */
import { localRecovery } from '../checkpoint/local-recovery.ts'
import type { StateHandle } from '../checkpoint/model.ts'
import type { ObjectStore } from '../checkpoint/object-store.ts'
import { TaskStateStore } from '../checkpoint/task-state-store.ts'
import type { Deployment } from '../rpc/slot-messages.ts'
import type { JobCopies, LocalCopies } from './local-copies.ts'
import type { StateBytes } from './snapshot-uploads.ts'

export interface JobStoresOptions {
  /** Of the registration with the JobManager. */
  writer: number
  open(url: string, configuration: Readonly<Record<string, string>>): Promise<ObjectStore>
  /** Outlive a registration. */
  copies?: LocalCopies | undefined
}

export class JobStores {
  readonly #options: JobStoresOptions
  /** By job; of the newest owner. */
  readonly #stores = new Map<string, { epoch: number; store: LazyStore }>()

  constructor(options: JobStoresOptions) {
    this.#options = options
  }

  /** undefined: no snapshots are taken of the job. Throws TR-CHECKPOINT-006. */
  of({ jobId, plan, storage }: Deployment): StateBytes | undefined {
    if (storage === undefined) return undefined
    const { directory, folder, epoch } = storage
    const known = this.#stores.get(jobId)
    if (known?.epoch === epoch) return known.store
    void known?.store.close()
    const { open, writer, copies: all } = this.#options
    const openOther = (url: string) => open(url, plan.config.options)
    const copies = all?.of(jobId, localRecovery(plan.config.options, directory))
    const store = new LazyStore(copies, async () => {
      const objects = directory === undefined ? undefined : await openOther(directory)
      return new TaskStateStore({
        ...{ store: objects, folder, epoch, writer, openOther },
        ...(copies === undefined ? {} : { copies }),
      })
    })
    this.#stores.set(jobId, { epoch, store })
    return store
  }

  async close(): Promise<void> {
    const open = [...this.#stores.values()]
    this.#stores.clear()
    for (const { store } of open) await store.close()
  }
}

/** Opens it with the first call; one that could not be opened is tried again with the next. */
class LazyStore implements StateBytes {
  readonly copies: JobCopies | undefined
  readonly #open: () => Promise<TaskStateStore>
  #store: Promise<TaskStateStore> | undefined

  constructor(copies: JobCopies | undefined, open: () => Promise<TaskStateStore>) {
    this.copies = copies
    this.#open = open
  }

  async write(bytes: Uint8Array, checkpointId: number): Promise<StateHandle> {
    return (await this.#opened()).write(bytes, checkpointId)
  }
  async read(handle: StateHandle): Promise<Uint8Array> {
    return (await this.#opened()).read(handle)
  }
  async discard(checkpointId: number, handles: readonly StateHandle[]): Promise<void> {
    await (await this.#opened()).discard(checkpointId, handles)
  }
  async close(): Promise<void> {
    await (await this.#store?.catch(() => undefined))?.close()
  }

  #opened(): Promise<TaskStateStore> {
    if (this.#store !== undefined) return this.#store
    const opening = this.#open()
    this.#store = opening
    opening.catch(() => {
      this.#store = undefined
    })
    return opening
  }
}
