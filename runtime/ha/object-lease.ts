/**
 * A lease in a directory on a shared disk (the lock file), or in any other object store: no more is needed than to create an object that is not there yet.
 *
 *     <prefix>1, <prefix>2, … <prefix>n        each the whole record; the one with the highest number counts
 *
 * To replace version n is to create n + 1 (link(2) or If-None-Match decide who does), and then to list: a writer that stood still for long may create a number that was used and
 * deleted before, but then it sees a higher one, and has not written. What must hold:
 * - the highest number never goes down: a writer deletes only what is well below its own;
 * - the record that began a term is durable and stays as long as the term, so epochs rise after a power failure too; renewals need not be durable.
 *
 * A holder that crashes leaves its record, which others find unchanged until its time is up. There is no lock of the operating system, and no process to ask.
 */
import { createAndCompare } from '../checkpoint/claims.ts'
import { openDirectoryStore } from '../checkpoint/directory-store.ts'
import type { ObjectStore } from '../checkpoint/object-store.ts'
import { proveStore } from '../checkpoint/prove-store.ts'
import { TailraceError } from '../core/errors.ts'
import { decodeLease, encodeLease } from './lease-file.ts'
import type { LeaseRecord, LeaseStore, StoredLease } from './lease-store.ts'

/** So many superseded records stay: the list of a directory is not of one moment, and must show at least one that is nearly the newest. */
const KEPT = 8
/** A record may be superseded and deleted between a list and a read. */
const READ_TRIES_MAX = 5
/** Reading a small directory costs a tenth of a millisecond. */
const LOCK_FILE_POLL_MS = 250

export interface ObjectLeaseOptions {
  store: ObjectStore
  /** Writes to the same place without making it durable, for renewals. */
  renewals?: ObjectStore
  /** Ends with a slash, or is empty. */
  prefix: string
  /** How often others read it. Each read is a list and a get. */
  pollMs: number
  warn(text: string): void
}

export interface LockFileOptions {
  pollMs?: number
  warn(text: string): void
}

/**
 * Opens the lock file of a cluster: a directory of its own on a disk that all of its JobManagers and TaskManagers share.
 *
 * @example
 * const store = await openLockFile('/shared/ha/cluster-1/leader', { warn })
 */
export async function openLockFile(
  directory: string,
  { pollMs = LOCK_FILE_POLL_MS, warn }: LockFileOptions,
): Promise<LeaseStore> {
  const store = await openDirectoryStore(directory)
  const renewals = await openDirectoryStore(directory, { durable: false })
  return openObjectLease({ store, renewals, prefix: '', pollMs, warn })
}

/** A lease in an object store. The stores are closed with it. */
export function openObjectLease(options: ObjectLeaseOptions): LeaseStore {
  return new ObjectLease(options)
}

interface NumberedLease extends StoredLease {
  readonly number: number
  /** Number of the record that began the term. */
  readonly began: number
}

class ObjectLease implements LeaseStore {
  readonly place: string
  readonly pollMs: number
  /** Whoever deletes it deletes the whole store of the cluster. */
  readonly absentIsNew = true
  readonly #store: ObjectStore
  readonly #renewals: ObjectStore
  readonly #prefix: string
  readonly #warn: (text: string) => void
  #proven: Promise<void> | undefined
  #deleting: Promise<void> | undefined
  #warned = ''

  constructor({ store, renewals = store, prefix, pollMs, warn }: ObjectLeaseOptions) {
    this.#store = store
    this.#renewals = renewals
    this.#prefix = prefix
    this.#warn = warn
    this.pollMs = pollMs
    this.place = `the lease in "${store.url}${prefix === '' ? '' : `/${prefix.slice(0, -1)}`}"`
  }

  async read(): Promise<NumberedLease | undefined> {
    for (let tries = 1; tries <= READ_TRIES_MAX; tries++) {
      const number = (await this.#numbers()).at(-1)
      if (number === undefined) return undefined
      const bytes = await this.#store.get(this.#key(number))
      if (bytes === undefined) continue
      const place = `${this.#store.url}/${this.#key(number)}`
      const decoded = decodeLease(bytes, place, number)
      if (decoded.problem !== undefined) this.#warnOnce(decoded.problem)
      return { ...decoded, version: String(number), number }
    }
    throw new TailraceError(
      'TR-HA-002',
      `Cannot read ${this.place}: ${READ_TRIES_MAX} times the newest record was gone when it was read, wanted: records stay until there are newer ones`,
    )
  }

  async write(record: LeaseRecord, over: NumberedLease | undefined): Promise<NumberedLease | undefined> {
    await this.#prove(record)
    const number = (over?.number ?? 0) + 1
    const isSameTerm = over !== undefined && over.record.epoch === record.epoch
    const began = isSameTerm ? over.began : number
    const bytes = encodeLease(record, began)
    const written = await createAndCompare(isSameTerm ? this.#renewals : this.#store, this.#key(number), bytes)
    if (written !== 'ours') return undefined
    const numbers = await this.#numbers()
    if (numbers.at(-1) !== number) return undefined
    this.#deleteOld(numbers.filter((old) => old < number - KEPT && old !== began))
    return { record, version: String(number), number, began }
  }

  async close(): Promise<void> {
    await this.#deleting
    await this.#store.close()
    if (this.#renewals !== this.#store) await this.#renewals.close()
  }

  /** Ascending. */
  async #numbers(): Promise<number[]> {
    const objects = await this.#store.list(this.#prefix)
    const names = objects.map(({ key }) => key.slice(this.#prefix.length))
    return names
      .filter((name) => /^[1-9]\d{0,14}$/.test(name))
      .map(Number)
      .sort((a, b) => a - b)
  }

  #key(number: number): string {
    return `${this.#prefix}${number}`
  }

  /** Once, by the first who writes: onlookers need no right to. */
  async #prove({ holder }: LeaseRecord): Promise<void> {
    if (holder === null) return
    this.#proven ??= proveStore(this.#store, `${this.#prefix}probes/${holder.startId}`)
    try {
      await this.#proven
    } catch (error) {
      this.#proven = undefined
      throw error
    }
  }

  /** In the background, one time after the other. */
  #deleteOld(numbers: readonly number[]): void {
    if (numbers.length === 0 || this.#deleting !== undefined) return
    this.#deleting = this.#renewals
      .delete(numbers.map((number) => this.#key(number)))
      .catch((error) => this.#warnOnce((error as Error).message))
      .finally(() => {
        this.#deleting = undefined
      })
  }

  #warnOnce(text: string): void {
    if (text !== this.#warned) this.#warn(text)
    this.#warned = text
  }
}
