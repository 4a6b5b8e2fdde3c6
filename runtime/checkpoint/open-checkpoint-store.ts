/**
 * Opens the checkpoints of one deployment as their new owner. The steps, in this order and no other (claims.ts says why):
 *
 * 1. prove that the store keeps conditional writes;
 * 2. claim the epoch above all others;
 * 3. list, and decide what counts;
 * 4. write down what is gone on from;
 * 5. look for newer claims.
 */
import type { Clock } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import type { CheckpointStore } from './checkpoint-store.ts'
import { Claims } from './claims.ts'
import type { ObjectStore } from './object-store.ts'
import { OwnedCheckpoints } from './owned-checkpoints.ts'
import { proveStore } from './prove-store.ts'
import { SharedFiles } from './shared-files.ts'
import { takeOver } from './take-over.ts'

export interface OpenCheckpointStoreOptions {
  store: ObjectStore
  /** Of the deployment, such as its identity; empty: the store is its own. */
  folder: string
  /** Names this run of the JobManager, and no other ever: a random text that may be part of a key. */
  owner: string
  /** How many completed checkpoints are kept. */
  retained: number
  clock: Clock
  /** Files that are written at a time. */
  writesMax?: number
  /** Up to so many bytes go into the metadata instead of a file of their own. */
  inlineBytesMax?: number
  /** How old bytes are that nobody names, in milliseconds, before they are taken for lost; longer than a checkpoint may take. */
  graceMs?: number
  /** Hears what is left out, and what could not be deleted yet. */
  warn(text: string): void
  /** Opens the folder of a file that is not this deployment's, such as one of a savepoint that a checkpoint names. */
  openOther?(url: string): Promise<ObjectStore>
  /** Rejects when this process may not own it any more, by what is in another store: asked before each try to claim it. */
  refuseIfDeposed?(what: string): Promise<void>
}

/** As Flink (`execution.checkpointing.data-inline-threshold`). */
const INLINE_BYTES_MAX = 20 * 1024
const WRITES_MAX = 8
const GRACE_MS = 3_600_000

/**
 * Takes over the checkpoints in a folder of an object store; whoever had them before is deposed. The object store stays the caller's to close.
 *
 * Throws TR-CHECKPOINT-002 when another was faster, 003 when the newest checkpoint is broken, 005 when the store cannot be used, 007 when it does not answer.
 *
 * @example
 * const store = await openObjectStore('s3://bucket/checkpoints', settings)
 * const checkpoints = await openCheckpointStore({ store, folder: jobId, owner: randomUUID(), retained: 1, clock, warn })
 * const newest = checkpoints.completed.at(-1)
 */
export async function openCheckpointStore(options: OpenCheckpointStoreOptions): Promise<CheckpointStore> {
  const { store, folder, owner, retained, clock, warn } = options
  if (!Number.isInteger(retained) || retained < 1)
    throw new TailraceError(
      'TR-CHECKPOINT-006',
      `Cannot use ${retained} for "execution.checkpointing.num-retained": wanted a whole number of 1 or more`,
    )
  const prefix = folder === '' ? '' : `${folder}/`
  const graceMs = options.graceMs ?? GRACE_MS

  await proveStore(store, `${prefix}probes/${owner}`)
  const claims = new Claims(store, prefix)
  const what = `take over the checkpoints in "${store.url}/${prefix}"`
  const claim = await claims.claim(owner, clock.now(), 1, () => options.refuseIfDeposed?.(what) ?? Promise.resolve())
  const { epoch } = claim
  const found = await takeOver({ store, prefix, claims, claim, retained, graceMs, warn }).catch(async (error) => {
    // What looks broken may be the work of an owner that is newer still.
    await claims.refuseIfDeposed(epoch, what)
    throw error
  })
  const newest = found.completed.at(-1)?.metadata
  await claims.writeStart({
    epoch,
    owner,
    takesOver: newest === undefined ? null : { epoch: newest.epoch, checkpointId: newest.checkpointId },
    nextCheckpointId: found.nextCheckpointId,
  })
  await claims.refuseIfDeposed(epoch, what)

  const inlineBytesMax = options.inlineBytesMax ?? INLINE_BYTES_MAX
  const writesMax = options.writesMax ?? WRITES_MAX
  const files = new SharedFiles({ store, prefix, epoch, clock, writesMax, graceMs })
  const { openOther } = options
  return new OwnedCheckpoints(
    { store, prefix, retained, clock, claims, claim, files, inlineBytesMax, warn, openOther },
    found,
  )
}
