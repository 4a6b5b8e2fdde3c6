/**
 * What a new owner finds in the store, after its claim: which checkpoints it goes on from, and what nobody needs any more.
 *
 * What must hold: the job never starts from less than there is. The newest checkpoint that counts is readable and all of its files are there, or this throws
 * TR-CHECKPOINT-003 and names what is wrong; older ones that are broken are left out with a warning.
 */
import { TailraceError } from '../core/errors.ts'
import type { CompletedCheckpoint } from './checkpoint-store.ts'
import type { CheckpointRef, Claim, Claims } from './claims.ts'
import { parseClaimKeys } from './claims.ts'
import { handlesOf, statesOfSnapshot } from './handles.ts'
import { decideLineage, isSame } from './lineage.ts'
import { decodeMetadata, METADATA_FILE } from './metadata.ts'
import type { CheckpointMetadata, StateHandle } from './model.ts'
import type { ObjectStore, StoredObject } from './object-store.ts'
import { nameOfStates } from './operator-state.ts'
import { isAbsolutePath } from './savepoint-path.ts'
import { filesOf, parseSharedName } from './shared-files.ts'

export interface TakeOverOptions {
  store: ObjectStore
  /** Of the deployment's folder. */
  prefix: string
  claims: Claims
  claim: Claim
  retained: number
  graceMs: number
  warn(text: string): void
}

export interface TakenOver {
  /** That count and are kept, the oldest first. */
  completed: CompletedCheckpoint[]
  nextCheckpointId: number
  /** Keys of metadata that does not count or is not kept. */
  staleMetadata: string[]
  /** Keys of files that none of `completed` needs, by when they may be deleted: milliseconds from now. */
  orphans: { key: string; inMs: number }[]
  /** Epochs of older claims. */
  olderEpochs: number[]
}

export async function takeOver(options: TakeOverOptions): Promise<TakenOver> {
  const { store, prefix, claims, claim, retained, graceMs, warn } = options
  const objects = await store.list(prefix)
  const keys = parseClaimKeys(namesBelow(objects, claims.prefix))
  const own = objects.find(({ key }) => key === `${claims.prefix}${claim.epoch}`)
  if (own === undefined)
    throw new TailraceError(
      'TR-CHECKPOINT-005',
      `Cannot use "${store.url}" for checkpoints: it does not list the claim "${claims.prefix}${claim.epoch}" that was written just now, wanted: a store whose lists are up to date`,
    )
  // So it is also when this epoch had been another's, whose claim a newer owner has deleted.
  if (keys.claims.at(-1)! > claim.epoch) await claims.refuseIfDeposed(claim.epoch, `take over "${store.url}/${prefix}"`)
  const found = await readAllMetadata(options, objects)
  const { counting, stale, nextCheckpointId, problem } = decideLineage({
    starts: await readEach(keys.starts, (epoch) => claims.readStart(epoch)),
    end: await newestEnd(claims, keys, claim),
    checkpoints: found.readable.map(refOf),
  })
  if (problem !== undefined) throw cannotGoOn(store, prefix, problem)

  // One that cannot be read says no epoch: it may be the newest, but not when a newer one counts.
  const newestId = counting.at(-1)?.checkpointId ?? 0
  for (const { checkpointId, error } of found.unreadable) {
    if (checkpointId > newestId) throw error
    warn(`${(error as Error).message}. Checkpoint ${newestId} is newer, so it is left out; delete it by hand.`)
  }
  const byRef = (ref: CheckpointRef) => found.readable.find((one) => isSame(refOf(one), ref))!
  const wanted = counting.slice(-retained).map(byRef)
  const completed = await withAllFiles(options, wanted, objects)
  const dropped = found.readable.filter((one) => !completed.includes(one))
  if (stale.length > 0)
    warn(
      `Left out ${stale.map(({ checkpointId }) => `checkpoint ${checkpointId}`).join(', ')} in "${store.url}/${prefix}": completed by a JobManager that another had taken over from`,
    )
  return {
    completed,
    nextCheckpointId: Math.max(nextCheckpointId, ...found.unreadable.map(({ checkpointId }) => checkpointId + 1)),
    staleMetadata: dropped.map(({ metadata }) => metadataKey(prefix, metadata.checkpointId)),
    // What an unreadable one needs is not known.
    orphans:
      found.unreadable.length > 0
        ? []
        : orphansOf({ prefix, claim, completed, objects, nowMs: own.modifiedMs, graceMs }),
    olderEpochs: keys.claims.filter((epoch) => epoch < claim.epoch),
  }
}

export function metadataKey(prefix: string, checkpointId: number): string {
  return `${prefix}chk-${checkpointId}/${METADATA_FILE}`
}

/** The id that a name below the folder has, if it is one of metadata. */
export function parseMetadataName(name: string): number | undefined {
  const match = /^chk-(\d{1,15})\/_metadata$/.exec(name)
  return match === null ? undefined : Number(match[1])
}

function refOf({ metadata: { epoch, checkpointId } }: CompletedCheckpoint): CheckpointRef {
  return { epoch, checkpointId }
}

function namesBelow(objects: readonly StoredObject[], prefix: string): string[] {
  return objects.filter(({ key }) => key.startsWith(prefix)).map(({ key }) => key.slice(prefix.length))
}

/** Records by epoch; those that are gone meanwhile are needed by nobody. */
async function readEach<T>(
  epochs: readonly number[],
  read: (epoch: number) => Promise<T | undefined>,
): Promise<Map<number, T>> {
  const records = await Promise.all(epochs.map(read))
  return new Map(epochs.flatMap((epoch, i) => (records[i] === undefined ? [] : [[epoch, records[i]]])))
}

/** Only a claim above all starts can be one that matters. */
async function newestEnd(claims: Claims, keys: { claims: number[]; starts: number[] }, own: Claim) {
  const lastStart = keys.starts.at(-1) ?? 0
  const read = await readEach(
    keys.claims.filter((epoch) => epoch > lastStart && epoch < own.epoch),
    (epoch) => claims.readClaim(epoch),
  )
  const newest = [...read.values()].findLast(({ ends }) => ends !== undefined)
  return newest?.ends && { epoch: newest.epoch, nextCheckpointId: newest.ends.nextCheckpointId }
}

async function readAllMetadata({ store, prefix }: TakeOverOptions, objects: readonly StoredObject[]) {
  const readable: CompletedCheckpoint[] = []
  const unreadable: { checkpointId: number; error: unknown }[] = []
  await Promise.all(
    objects.map(async ({ key }) => {
      const checkpointId = parseMetadataName(key.slice(prefix.length))
      if (checkpointId === undefined) return
      const bytes = await store.get(key)
      // Its owner deletes it just now: there is a newer one.
      if (bytes === undefined) return
      const path = `${store.url}/${key}`
      try {
        const metadata = decodeMetadata(bytes, path)
        if (metadata.checkpointId !== checkpointId) throw foreign(path, metadata)
        readable.push({ metadata, path, metadataBytes: bytes.length })
      } catch (error) {
        unreadable.push({ checkpointId, error })
      }
    }),
  )
  return { readable, unreadable }
}

/** Those whose files are all there. Throws for the newest. */
async function withAllFiles(
  { store, prefix, warn }: TakeOverOptions,
  wanted: readonly CompletedCheckpoint[],
  objects: readonly StoredObject[],
): Promise<CompletedCheckpoint[]> {
  const sizes = new Map(objects.map(({ key, size }) => [key, size]))
  const whole: CompletedCheckpoint[] = []
  for (const checkpoint of wanted) {
    const problem = await findBroken(store, prefix, checkpoint.metadata, sizes)
    if (problem === undefined) {
      whole.push(checkpoint)
      continue
    }
    const text = `Cannot go on from checkpoint "${checkpoint.path}": ${problem}, wanted: all files as they were written`
    if (checkpoint === wanted.at(-1)) throw new TailraceError('TR-CHECKPOINT-003', text)
    warn(`${text}. A newer checkpoint is there, so it is left out.`)
  }
  return whole
}

async function findBroken(
  store: ObjectStore,
  prefix: string,
  metadata: CheckpointMetadata,
  sizes: ReadonlyMap<string, number>,
): Promise<string | undefined> {
  for (const operator of metadata.operators) {
    for (const { handle, states } of operator.subtasks.flatMap(statesOfSnapshot)) {
      if ('bytes' in handle || isAbsolutePath(handle.file)) continue
      const key = prefix + handle.file
      if ((sizes.get(key) ?? 0) >= handle.offset + handle.length && sizes.has(key)) continue
      // A list is not of one moment: the file may have come while it was made.
      const size = await sizeUpTo(store, key, handle)
      const file = `its file "${handle.file}" with ${nameOfStates(states)} of operator "${operator.name}"`
      if (size === undefined) return `${file} is missing`
      if (size < handle.offset + handle.length) return `${file} has ${size} bytes of ${handle.offset + handle.length}`
    }
  }
  return undefined
}

async function sizeUpTo(
  store: ObjectStore,
  key: string,
  { offset, length }: StateHandle & { offset: number; length: number },
): Promise<number | undefined> {
  return (await store.get(key, { offset: 0, length: offset + length }))?.length
}

/** Files of older owners, and what they left of proving the store. A newer owner's stay. */
function orphansOf(facts: {
  prefix: string
  claim: Claim
  completed: readonly CompletedCheckpoint[]
  objects: readonly StoredObject[]
  /** By the store's clock, as the times of objects are. */
  nowMs: number
  graceMs: number
}): { key: string; inMs: number }[] {
  const { prefix, claim, completed, objects, nowMs, graceMs } = facts
  const needed = new Set(completed.flatMap(({ metadata }) => [...filesOf(handlesOf(metadata))]))
  return objects.flatMap(({ key, modifiedMs }) => {
    const name = key.slice(prefix.length)
    const file = parseSharedName(name)
    const isOrphan = file === undefined ? name.startsWith('probes/') : file.epoch < claim.epoch && !needed.has(name)
    if (!isOrphan) return []
    return [{ key, inMs: Math.max(0, graceMs - (nowMs - modifiedMs)) }]
  })
}

function foreign(path: string, metadata: CheckpointMetadata): TailraceError {
  return new TailraceError(
    'TR-CHECKPOINT-003',
    `Cannot read the checkpoint "${path}": it is checkpoint ${metadata.checkpointId} of job "${metadata.jobName}", wanted: the one that its folder names`,
  )
}

function cannotGoOn(
  store: ObjectStore,
  prefix: string,
  problem: { missing: CheckpointRef } | { unknownEpoch: CheckpointRef },
): TailraceError {
  const of = ({ checkpointId }: CheckpointRef) => `${store.url}/${metadataKey(prefix, checkpointId)}`
  const text =
    'missing' in problem
      ? `Cannot go on from checkpoint "${of(problem.missing)}": it is missing, and no newer one is there`
      : `Cannot tell whether checkpoint "${of(problem.unknownEpoch)}" counts: there is no claim of epoch ${problem.unknownEpoch.epoch}, whose owner completed it`
  return new TailraceError('TR-CHECKPOINT-003', `${text}; wanted: the folder as Tailrace has written it`)
}
