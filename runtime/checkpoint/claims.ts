/**
 * Who owns a deployment's checkpoints: small JSON records below `claims/`, each created conditionally and never changed.
 *
 *     claims/<epoch>          { formatVersion: 1, epoch, owner, claimedMs }                       the epoch is this owner's; older owners have lost
 *                             { formatVersion: 1, epoch, owner, claimedMs, ends: { nextCheckpointId } }
 *                                                                                                 the owner before it gave up all checkpoints: the job has ended
 *     claims/<epoch>.start    { formatVersion: 1, epoch, owner, takesOver, nextCheckpointId }     the owner of the epoch goes on from there, and only from there
 *
 * `takesOver` is `{ epoch, checkpointId }`, or null for nothing. What must hold, and why an owner has two records:
 * - an owner claims, THEN lists, THEN chooses: what an older owner completes after that list, it completes after the claim, so it finds the claim and tells nobody;
 * - but the next owner finds both the claim and that late checkpoint. Whether the claim's owner went on without it is in `start`, written before it acts. An owner that
 *   died between the two has done nothing, and its claim says nothing;
 * - after `start`, and after each completed checkpoint, an owner looks for newer claims, and acts only if there are none. So whatever it did before a newer claim, the claim's
 *   owner sees, and whatever comes after one stops;
 * - to end, an owner takes the next epoch itself: either it or its successor gets it, so nothing is deleted that a successor goes on from.
 *
 * When the answer to a creation is lost, the owner reads back and compares.
 */
import { TailraceError } from '../core/errors.ts'
import type { ObjectStore } from './object-store.ts'

const FORMAT_VERSION = 1
const CLAIM_KEY = /^(\d{1,15})(\.start)?$/
/** Others may claim at the same moment, each once. */
const CLAIM_TRIES_MAX = 32

/** One checkpoint of one owner; two owners may have used the same id. */
export interface CheckpointRef {
  epoch: number
  checkpointId: number
}

export interface Claim {
  epoch: number
  /** Of one run of a JobManager; never used again. */
  owner: string
  claimedMs: number
  /** No owner: the one before gave up all checkpoints. */
  ends?: { nextCheckpointId: number }
}

/** What an owner went on from. */
export interface Start {
  epoch: number
  owner: string
  takesOver: CheckpointRef | null
  /** Above every id that it found. */
  nextCheckpointId: number
}

/** Epochs that have each record, ascending. */
export interface ClaimKeys {
  claims: number[]
  starts: number[]
}

/** Names below `claims/` by what they are; others are left alone. */
export function parseClaimKeys(names: readonly string[]): ClaimKeys {
  const keys: ClaimKeys = { claims: [], starts: [] }
  for (const name of names) {
    const match = CLAIM_KEY.exec(name)
    if (match !== null) keys[match[2] === undefined ? 'claims' : 'starts'].push(Number(match[1]))
  }
  keys.claims.sort((a, b) => a - b)
  keys.starts.sort((a, b) => a - b)
  return keys
}

/** The records of one deployment, whose folder has the prefix `prefix` (empty, or with a slash at its end). */
export class Claims {
  readonly prefix: string
  readonly #store: ObjectStore

  constructor(store: ObjectStore, prefix: string) {
    this.prefix = `${prefix}claims/`
    this.#store = store
  }

  async list(): Promise<ClaimKeys> {
    const objects = await this.#store.list(this.prefix)
    return parseClaimKeys(objects.map(({ key }) => key.slice(this.prefix.length)))
  }

  /**
   * Takes the epoch above all that were claimed, or `least` if that is higher.
   *
   * @param confirm rejects when this process may not claim any more. It is asked between the choice of an epoch and its claim: whoever has become entitled since, and claims before this one, has that epoch
   * itself, and then it is asked again
   */
  async claim(owner: string, claimedMs: number, least = 1, confirm?: () => Promise<void>): Promise<Claim> {
    for (let tries = 0; tries < CLAIM_TRIES_MAX; tries++) {
      const epoch = Math.max(least, ((await this.list()).claims.at(-1) ?? 0) + 1)
      await confirm?.()
      const claim = { epoch, owner, claimedMs }
      if (await this.#create(String(claim.epoch), claim)) return claim
    }
    throw new TailraceError(
      'TR-CHECKPOINT-002',
      `Cannot claim "${this.#url('')}": ${CLAIM_TRIES_MAX} times in a row another JobManager was faster, wanted: one at a time`,
    )
  }

  /** Takes the epoch after the owner's, so that nobody goes on from what it had. Throws TR-CHECKPOINT-002 when another has it. */
  async end(claim: Claim, nextCheckpointId: number, what: string): Promise<void> {
    const epoch = claim.epoch + 1
    if (!(await this.#create(String(epoch), { ...claim, epoch, ends: { nextCheckpointId } })))
      throw this.#deposed(what, epoch, claim.epoch)
    // Another may have had it, and an owner that is newer still has deleted its claim.
    await this.refuseIfDeposed(epoch, what)
  }

  /** Throws TR-CHECKPOINT-002 when there is a claim above `epoch`; `what` the owner was about to do is for the message. */
  async refuseIfDeposed(epoch: number, what: string): Promise<void> {
    const newest = (await this.list()).claims.at(-1) ?? 0
    if (newest > epoch) throw this.#deposed(what, newest, epoch)
    if (newest < epoch)
      throw new TailraceError(
        'TR-CHECKPOINT-005',
        `Cannot ${what}: the claim "${this.#url(epoch)}" of this JobManager is gone, wanted: nobody deletes the claims of a job that runs`,
      )
  }

  /** undefined: it is gone, as nobody needs it any more. */
  readClaim(epoch: number): Promise<Claim | undefined> {
    return this.#read(String(epoch))
  }

  readStart(epoch: number): Promise<Start | undefined> {
    return this.#read(`${epoch}.start`)
  }

  async writeStart(start: Start): Promise<void> {
    if (await this.#create(`${start.epoch}.start`, start)) return
    throw new TailraceError(
      'TR-INTERNAL-001',
      `Cannot write the claim "${this.#url(`${start.epoch}.start`)}": another is there, wanted: one owner per epoch`,
    )
  }

  /** Keys of all records of an epoch. */
  keysOf(epoch: number): string[] {
    return [`${this.prefix}${epoch}`, `${this.prefix}${epoch}.start`]
  }

  #url(name: string | number): string {
    return `${this.#store.url}/${this.prefix}${name}`
  }

  #deposed(what: string, newest: number, epoch: number): TailraceError {
    return new TailraceError(
      'TR-CHECKPOINT-002',
      `Cannot ${what}: another JobManager has claimed "${this.#url(newest)}", and this one has epoch ${epoch}; wanted: the older one stops`,
    )
  }

  async #read<T>(name: string): Promise<T | undefined> {
    const bytes = await this.#store.get(`${this.prefix}${name}`)
    if (bytes === undefined) return undefined
    let problem: string
    let cause: unknown
    try {
      const record = JSON.parse(new TextDecoder().decode(bytes))
      if (record.formatVersion === FORMAT_VERSION) return record
      problem = `it has format version ${record.formatVersion}`
    } catch (error) {
      problem = `it is no JSON (${(error as Error).message})`
      cause = error
    }
    throw new TailraceError(
      'TR-CHECKPOINT-003',
      `Cannot read the claim "${this.#url(name)}": ${problem}, wanted: a record of format version ${FORMAT_VERSION}`,
      { cause },
    )
  }

  /** False: another's is there. */
  async #create(name: string, record: Claim | Start): Promise<boolean> {
    const bytes = new TextEncoder().encode(`${JSON.stringify({ formatVersion: FORMAT_VERSION, ...record })}\n`)
    return (await createAndCompare(this.#store, `${this.prefix}${name}`, bytes)) === 'ours'
  }
}

/**
 * Creates an object whose bytes nobody else would write, and finds out whether it is there when the answer was lost.
 *
 * `others`: another's bytes are there. Throws what the store threw when nothing is there, or it cannot be read: then it may yet appear.
 */
export async function createAndCompare(
  store: ObjectStore,
  key: string,
  bytes: Uint8Array,
): Promise<'ours' | { others: Uint8Array }> {
  let failure: unknown
  try {
    if (await store.putIfAbsent(key, bytes)) return 'ours'
  } catch (error) {
    failure = error
  }
  const found = await store.get(key)
  if (found !== undefined) return Buffer.compare(found, bytes) === 0 ? 'ours' : { others: found }
  throw (
    failure ??
    new TailraceError(
      'TR-CHECKPOINT-007',
      `Cannot create "${store.url}/${key}": the store said that it is there, and then that it is not`,
    )
  )
}
