/**
 * What the slots of a TaskManager have written to the store for the newest checkpoint, once more on this machine's disk: a restart reads from there what it would have to fetch.
 *
 *     written with the checkpoint ──▶ read by restarts ──▶ removed: a newer one is complete, it was given up, or the job has ended
 *
 * What must hold:
 * - a copy is never needed: what is missing, cut off or changed is told of and read from the store, and what cannot be written fails no checkpoint;
 * - what is read is what was written: by the checksum that its handle has, or by the hash in its file's name;
 * - all copies together have a bound, and a disk that is full is left to others: its copies go, and no more are made.
 *
 * A process that was killed leaves its copies on the disk; one that comes back under its name goes on with them, and others remove them (processes/local-disk.ts). Of those nobody knows for which
 * checkpoint they were: they stay until the first one that completes.
 */
import { crc32 } from 'node:zlib'
import type { LocalRecovery } from '../checkpoint/local-recovery.ts'
import type { FileHandle } from '../checkpoint/model.ts'
import { parseSharedName, sha256 } from '../checkpoint/shared-files.ts'
import { type StateCopies, type WriterRef, writerOf } from '../checkpoint/task-state-store.ts'
import type { Clock } from '../core/clock.ts'
import { errorToData } from '../core/errors.ts'

export interface LocalFile {
  key: string
  size: number
}

/** A place of this process alone. */
export interface LocalDisk {
  /** For messages. */
  readonly path: string
  /** Of all copies. */
  readonly bytesMax: number
  /** What was there when it was opened: copies of an earlier process of the same name. */
  readonly found: readonly LocalFile[]
  /** Writes a file; `key` is a folder and a name. The bytes must not change until it resolves. */
  put(key: string, bytes: Uint8Array): Promise<void>
  /** undefined: there is none. What of the range is behind its end is left out. */
  get(key: string, range: { offset: number; length: number }): Promise<Uint8Array | undefined>
  delete(keys: readonly string[]): Promise<void>
}

export interface LocalCopiesOptions {
  disk: LocalDisk
  clock: Clock
  /** A line of the log. */
  log(text: string): void
}

/** Copies of a job that has no slots here, and of which nobody has said anything for so long, are removed: nobody could tell us that it has ended. */
const FORGOTTEN_MS = 10 * 60_000

interface Copy {
  /** undefined: nobody knows. */
  checkpointId: number | undefined
  key: string
  size: number
  written: boolean
  /** Nobody wants it any more: whoever writes it removes it then. */
  dropped: boolean
}

export class LocalCopies {
  readonly #options: LocalCopiesOptions
  readonly #jobs = new Map<string, JobCopies>()
  readonly #removals = new Set<Promise<void>>()
  #bytes = 0
  #saidFull = false
  /** The disk does not take them. */
  #givenUp = false

  constructor(options: LocalCopiesOptions) {
    this.#options = options
    const strange: LocalFile[] = []
    for (const file of options.disk.found) {
      this.#bytes += file.size
      const [job, name] = file.key.split('/') as [string, string]
      const isCopy = writerOf(`shared/${name}`) !== undefined
      if (isCopy) this.#ofJob(decodeURIComponent(job)).found(`shared/${name}`, file)
      else strange.push(file)
    }
    this.remove(strange)
  }

  /** Bytes that they take. */
  get bytes(): number {
    return this.#bytes
  }

  /** Those of a job. */
  of(jobId: string, settings: LocalRecovery): JobCopies {
    const copies = this.#ofJob(jobId)
    copies.settings = settings
    return copies
  }

  #ofJob(jobId: string): JobCopies {
    let copies = this.#jobs.get(jobId)
    if (copies === undefined) {
      copies = new JobCopies(jobId, this, this.#options)
      this.#jobs.set(jobId, copies)
    }
    return copies
  }

  /** As whom this process has written what it has copies of. */
  held(): (WriterRef & { jobId: string })[] {
    return [...this.#jobs].flatMap(([jobId, copies]) => copies.writers().map((writer) => ({ jobId, ...writer })))
  }

  /** The job has ended. */
  drop(jobId: string): void {
    this.#jobs.get(jobId)?.clear()
    this.#jobs.delete(jobId)
  }

  /** Removes those of jobs that are not heard of any more. @param here jobs that have slots here */
  sweep(here: ReadonlySet<string>): void {
    const forgottenMs = this.#options.clock.monotonic() - FORGOTTEN_MS
    for (const [jobId, { heardMs }] of this.#jobs) if (heardMs < forgottenMs && !here.has(jobId)) this.drop(jobId)
  }

  /** Removes all; resolves when they are gone. */
  async clear(): Promise<void> {
    for (const jobId of [...this.#jobs.keys()]) this.drop(jobId)
    await Promise.all(this.#removals)
  }

  // --- what the copies of a job need

  /** Room for so many bytes. */
  take(bytes: number): boolean {
    const { disk, log } = this.#options
    if (this.#givenUp) return false
    if (this.#bytes + bytes > disk.bytesMax) {
      if (!this.#saidFull)
        log(
          `Local copies of state in ${disk.path} have come to their bound of ${megabytes(disk.bytesMax)} (tailrace.local-backup.max-size): what is beyond it is in the store alone`,
        )
      this.#saidFull = true
      return false
    }
    this.#bytes += bytes
    return true
  }

  giveBack(bytes: number): void {
    this.#bytes -= bytes
  }

  remove(copies: readonly LocalFile[]): void {
    if (copies.length === 0) return
    const { disk, log } = this.#options
    const removal = disk
      .delete(copies.map(({ key }) => key))
      .catch((error) => log(`Cannot remove local copies of state in ${disk.path}: ${errorToData(error).message}`))
      .then(() => {
        for (const { size } of copies) this.giveBack(size)
        this.#removals.delete(removal)
      })
    this.#removals.add(removal)
  }

  giveUp(error: unknown): void {
    if (this.#givenUp) return
    this.#givenUp = true
    const { disk, log } = this.#options
    log(
      `Cannot keep local copies of state in ${disk.path}: ${errorToData(error).message}; none are kept until this process is started again. Checkpoints go on`,
    )
    for (const copies of this.#jobs.values()) copies.clear()
  }
}

export class JobCopies implements StateCopies {
  settings: LocalRecovery = { keeps: false, reads: false }
  /** When something was said of the job last. */
  heardMs: number
  readonly #jobId: string
  readonly #all: LocalCopies
  readonly #options: LocalCopiesOptions
  /** By file. */
  readonly #copies = new Map<string, Copy>()
  /** Bytes that were read since it was told of. */
  #fromCopies = 0
  #fromStore = 0

  constructor(jobId: string, all: LocalCopies, options: LocalCopiesOptions) {
    this.#jobId = jobId
    this.#all = all
    this.#options = options
    this.heardMs = options.clock.monotonic()
  }

  /** An earlier process has left it. */
  found(file: string, { key, size }: LocalFile): void {
    this.#copies.set(file, { checkpointId: undefined, key, size, written: true, dropped: false })
  }

  async write(checkpointId: number, file: string, bytes: Uint8Array): Promise<void> {
    this.#hear()
    if (!this.settings.keeps || !this.#all.take(bytes.length)) return
    const key = `${encodeURIComponent(this.#jobId)}/${file.slice(file.lastIndexOf('/') + 1)}`
    const copy: Copy = { checkpointId, key, size: bytes.length, written: false, dropped: false }
    this.#copies.set(file, copy)
    try {
      await this.#options.disk.put(key, bytes)
      copy.written = true
    } catch (error) {
      copy.dropped = true
      this.#copies.delete(file)
      this.#all.giveUp(error)
    }
    if (copy.dropped) this.#all.remove([copy])
  }

  async read(handle: FileHandle): Promise<Uint8Array | undefined> {
    if (!this.settings.reads) return undefined
    const copy = this.#copies.get(handle.file)
    const bytes = copy?.written === true ? await this.#proven(handle, copy) : undefined
    if (bytes === undefined) this.#fromStore += handle.length
    else this.#fromCopies += handle.length
    return bytes
  }

  forget(files: Iterable<string>): void {
    const unwanted = new Set(files)
    this.#drop((_, file) => unwanted.has(file))
  }

  /** An attempt goes on from this checkpoint; undefined: from none. What others have is of no use. */
  begins(checkpointId: number | undefined): void {
    this.#hear()
    this.#drop((copy) => checkpointId === undefined || (copy.checkpointId ?? checkpointId) !== checkpointId)
  }

  /** It is what the next attempt goes on from. */
  completed(checkpointId: number): void {
    this.#hear()
    this.#drop((copy) => (copy.checkpointId ?? -1) < checkpointId)
    this.#tell()
  }

  /** It was given up. */
  aborted(checkpointId: number): void {
    this.#drop((copy) => copy.checkpointId === checkpointId)
  }

  clear(): void {
    this.#drop(() => true)
  }

  writers(): WriterRef[] {
    const writers = [...this.#copies.keys()].flatMap((file) => writerOf(file) ?? [])
    return [...new Map(writers.map((one) => [`${one.epoch}/${one.writer}`, one])).values()]
  }

  /** Whether it is the bytes that the handle means, and says what is wrong where it is not. */
  async #proven(handle: FileHandle, copy: Copy): Promise<Uint8Array | undefined> {
    const { offset, length } = handle
    const isWhole = offset === 0 && length === copy.size
    // Nothing would tell whether it is right.
    if (handle.crc32 === undefined && !isWhole) return undefined
    let problem: string
    try {
      const bytes = await this.#options.disk.get(copy.key, { offset, length })
      if (bytes === undefined) problem = 'it is missing'
      else if (bytes.length !== length) problem = `it has ${offset + bytes.length} bytes of ${copy.size}`
      else if (handle.crc32 === undefined ? isNamed(handle.file, bytes) : crc32(bytes) === handle.crc32) return bytes
      else problem = 'its bytes were changed'
    } catch (error) {
      problem = errorToData(error).message
    }
    const { disk, log } = this.#options
    // Another read may have told of it.
    if (this.#copies.get(handle.file) === copy) {
      log(`The local copy ${disk.path}/${copy.key} is of no use: ${problem}. Its state is read from the store`)
      this.#drop((one) => one === copy)
    }
    return undefined
  }

  #drop(which: (copy: Copy, file: string) => boolean): void {
    const removed: Copy[] = []
    for (const [file, copy] of this.#copies) {
      if (!which(copy, file)) continue
      this.#copies.delete(file)
      copy.dropped = true
      if (copy.written) removed.push(copy)
    }
    this.#all.remove(removed)
  }

  #hear(): void {
    this.heardMs = this.#options.clock.monotonic()
  }

  #tell(): void {
    if (this.#fromCopies > 0)
      this.#options.log(
        `Job ${this.#jobId} went on here from ${megabytes(this.#fromCopies)} of local copies, and ${megabytes(this.#fromStore)} of the store`,
      )
    this.#fromCopies = 0
    this.#fromStore = 0
  }
}

function isNamed(file: string, bytes: Uint8Array): boolean {
  return parseSharedName(file)?.sha256 === sha256(bytes)
}

function megabytes(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} KB` : `${(bytes / 1_000_000).toFixed(1)} MB`
}
