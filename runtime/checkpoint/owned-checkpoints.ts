/**
 * The checkpoints of a deployment in the hands of the owner of an epoch; opened by open-checkpoint-store.ts.
 *
 * To complete a checkpoint: create its metadata conditionally, look for newer claims, and only then return; only after that anything older goes. What must hold:
 * - metadata that is there names files that are there: files are written before it and deleted after it;
 * - an owner that has seen a newer claim changes nothing any more;
 * - when it cannot be said whether metadata was created, or whether there is a newer claim, the checkpoint is in doubt: it has failed, but may count after a restart. So its
 *   files stay until a newer one is complete, whatever `discard` is told.
 */
import type { Clock } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { CheckpointStore, CompletedCheckpoint } from './checkpoint-store.ts'
import { type Claim, type Claims, createAndCompare } from './claims.ts'
import { Deletions } from './deletions.ts'
import { handlesOf } from './handles.ts'
import { decodeMetadata, encodeMetadata } from './metadata.ts'
import type { CheckpointMetadata, StateHandle } from './model.ts'
import type { ObjectStore } from './object-store.ts'
import { StateReader } from './read-state.ts'
import { filesOf, parseSharedName, type SharedFiles } from './shared-files.ts'
import { metadataKey, parseMetadataName, type TakenOver } from './take-over.ts'

export interface OwnedOptions {
  store: ObjectStore
  prefix: string
  retained: number
  clock: Clock
  claims: Claims
  claim: Claim
  files: SharedFiles
  inlineBytesMax: number
  warn(text: string): void
  openOther: ((url: string) => Promise<ObjectStore>) | undefined
}

export class OwnedCheckpoints implements CheckpointStore {
  readonly url: string
  readonly epoch: number
  readonly #options: OwnedOptions
  readonly #files: SharedFiles
  readonly #reader: StateReader
  readonly #deletions: Deletions
  #completed: CompletedCheckpoint[]
  readonly #inDoubt = new Set<number>()
  #nextCheckpointId: number
  #orphans: { key: string; dueMs: number }[]
  #olderEpochs: number[]
  /** Why nothing may be changed any more. */
  #over: TailraceError | undefined

  constructor(options: OwnedOptions, found: TakenOver) {
    const { store, prefix, claim, clock } = options
    this.url = prefix === '' ? store.url : `${store.url}/${prefix.slice(0, -1)}`
    this.epoch = claim.epoch
    this.#options = options
    this.#files = options.files
    this.#reader = new StateReader(options)
    this.#deletions = new Deletions(store, options.warn)
    this.#completed = found.completed
    this.#nextCheckpointId = found.nextCheckpointId
    this.#olderEpochs = found.olderEpochs
    this.#orphans = found.orphans.map(({ key, inMs }) => ({ key, dueMs: clock.monotonic() + inMs }))
    for (const { metadata } of found.completed) this.#files.adopt(metadata, filesOf(handlesOf(metadata)))
    this.#sweep(found.staleMetadata)
  }

  get completed(): readonly CompletedCheckpoint[] {
    return this.#completed
  }

  get nextCheckpointId(): number {
    return this.#nextCheckpointId
  }

  async write(bytes: Uint8Array): Promise<StateHandle> {
    this.#refuseWhenOver('write state')
    if (bytes.length <= this.#options.inlineBytesMax) return { bytes: new Uint8Array(bytes) }
    return this.#files.write(bytes)
  }

  written(handles: readonly StateHandle[]): void {
    this.#files.written(filesOf(handles))
  }

  async read(handle: StateHandle): Promise<Uint8Array> {
    try {
      return await this.#reader.read(handle)
    } catch (error) {
      // A newer owner may have deleted it, rightly.
      await this.#options.claims.refuseIfDeposed(this.epoch, `read state in "${this.url}"`)
      throw error
    }
  }

  async complete(given: CheckpointMetadata): Promise<CompletedCheckpoint> {
    const { store, prefix, claims } = this.#options
    const { checkpointId } = given
    const what = `complete checkpoint ${checkpointId} in "${this.url}"`
    this.#refuseWhenOver(what)
    const metadata = { ...given, epoch: this.epoch }
    const bytes = encodeMetadata(metadata)
    const names = filesOf(handlesOf(metadata))
    this.#files.attach(checkpointId, names)
    this.#nextCheckpointId = Math.max(this.#nextCheckpointId, checkpointId + 1)
    const key = metadataKey(prefix, checkpointId)

    this.#inDoubt.add(checkpointId)
    try {
      const created = await createAndCompare(store, key, bytes)
      if (created !== 'ours') {
        this.#inDoubt.delete(checkpointId)
        this.#files.detach(checkpointId)
        throw this.#takenId(what, key, created.others)
      }
      await claims.refuseIfDeposed(this.epoch, what)
      this.#refuseWhenOver(what)
    } catch (error) {
      throw this.#failed(what, error)
    }
    this.#inDoubt.delete(checkpointId)
    this.#files.settle(names)
    const completed = { metadata, path: `${store.url}/${key}`, metadataBytes: bytes.length }
    this.#keep(completed)
    return completed
  }

  async discard(checkpointId: number, handles: readonly StateHandle[]): Promise<void> {
    this.#refuseWhenOver(`discard checkpoint ${checkpointId}`)
    // Files of one that is in doubt are attached to it, and stay.
    this.#files.settle(filesOf(handles))
    this.#sweep()
  }

  async discardAll(): Promise<void> {
    const { store, prefix, claims, claim } = this.#options
    const nextCheckpointId = this.#nextCheckpointId
    const what = `discard all checkpoints in "${this.url}"`
    this.#refuseWhenOver(what)
    try {
      await claims.end(claim, nextCheckpointId, what)
    } catch (error) {
      this.#noticeOver(error)
      throw error
    }
    this.#over = new TailraceError(
      'TR-INTERNAL-001',
      `Cannot use the checkpoints in "${this.url}": all of them were discarded, wanted: no calls after that`,
    )
    this.#completed = []
    // An owner that comes now uses ids from there on.
    const names = (await store.list(prefix)).map(({ key }) => key.slice(prefix.length))
    const metadata = names.filter((name) => (parseMetadataName(name) ?? Infinity) < nextCheckpointId)
    const files = names.filter((name) => (parseSharedName(name)?.epoch ?? Infinity) <= this.epoch)
    const keyOf = (name: string) => prefix + name
    this.#deletions.add(metadata.map(keyOf), files.map(keyOf))
    await this.#deletions.settled()
  }

  async close(): Promise<void> {
    this.#over ??= new TailraceError(
      'TR-INTERNAL-001',
      `Cannot use the checkpoints in "${this.url}": they were closed, wanted: no calls after that`,
    )
    await this.#deletions.settled()
    await this.#reader.close()
  }

  /** Adds a completed one and lets go of what it makes needless. */
  #keep(completed: CompletedCheckpoint): void {
    const { prefix, retained, claims } = this.#options
    const id = completed.metadata.checkpointId
    const all = [...this.#completed.filter(({ metadata }) => metadata.checkpointId !== id), completed]
    all.sort((a, b) => a.metadata.checkpointId - b.metadata.checkpointId)
    this.#completed = all.slice(-retained)
    const oldestId = this.#completed[0]!.metadata.checkpointId
    const gone = all.slice(0, -retained).map(({ metadata }) => metadata.checkpointId)
    // With fewer, whoever takes over would keep one that is there after all, while a deletion of it may still be on its way.
    if (this.#completed.length === retained)
      for (const doubtful of this.#inDoubt) if (doubtful < oldestId) gone.push(doubtful)
    for (const checkpointId of gone) {
      this.#inDoubt.delete(checkpointId)
      this.#files.detach(checkpointId)
    }
    const oldestEpoch = Math.min(...this.#completed.map(({ metadata }) => metadata.epoch))
    const needless = this.#olderEpochs.filter((epoch) => epoch < oldestEpoch)
    this.#olderEpochs = this.#olderEpochs.filter((epoch) => epoch >= oldestEpoch)
    this.#sweep(
      gone.map((checkpointId) => metadataKey(prefix, checkpointId)),
      needless.flatMap((epoch) => claims.keysOf(epoch)),
    )
  }

  /** Deletes metadata, and then files that nobody needs. */
  #sweep(metadata: readonly string[] = [], alsoFiles: readonly string[] = []): void {
    const nowMs = this.#options.clock.monotonic()
    const due = this.#orphans.filter(({ dueMs }) => dueMs <= nowMs)
    this.#orphans = this.#orphans.filter(({ dueMs }) => dueMs > nowMs)
    const unneeded = this.#files.takeUnneeded().map((name) => this.#options.prefix + name)
    this.#deletions.add(metadata, [...unneeded, ...alsoFiles, ...due.map(({ key }) => key)])
  }

  #refuseWhenOver(what: string): void {
    const over = this.#over
    if (over !== undefined)
      throw new TailraceError(over.code, `Cannot ${what}, for it is over: ${over.message}`, { cause: over })
  }

  /** An id that somebody else has used for a checkpoint. */
  #takenId(what: string, key: string, others: Uint8Array): TailraceError {
    const path = `${this.#options.store.url}/${key}`
    let epoch: number | undefined
    try {
      epoch = decodeMetadata(others, path).epoch
    } catch {
      // Whoever reads it will hear what is wrong with it.
    }
    if (epoch !== undefined && epoch > this.epoch)
      return new TailraceError(
        'TR-CHECKPOINT-002',
        `Cannot ${what}: the owner of epoch ${epoch} has completed it, and this one has epoch ${this.epoch}; wanted: the older one stops`,
      )
    if (epoch === this.epoch)
      return new TailraceError(
        'TR-INTERNAL-001',
        `Cannot ${what}: this owner has completed it with other state, wanted: an id is used once`,
      )
    return new TailraceError(
      'TR-CHECKPOINT-001',
      `Cannot ${what}: "${path}" is there, written by a JobManager that this one has taken over from; wanted: the next id`,
    )
  }

  /** The store's own errors as failures of a checkpoint: the next may succeed. */
  #failed(what: string, error: unknown): unknown {
    this.#noticeOver(error)
    const { code, message } = error as TailraceError
    if (code !== 'TR-CHECKPOINT-005' && code !== 'TR-CHECKPOINT-007') return error
    return new TailraceError('TR-CHECKPOINT-001', `Cannot ${what}: ${message}`, { cause: error })
  }

  #noticeOver(error: unknown): void {
    if ((error as TailraceError).code !== 'TR-CHECKPOINT-002') return
    this.#over ??= error as TailraceError
    this.#deletions.stop()
  }
}
