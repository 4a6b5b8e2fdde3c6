/**
 * Which of the checkpoints in a store count: a pure decision over the records of claims.ts and the metadata that was found.
 *
 * The newest epoch that acted is the newest with a `start`, or with a claim that ends all. Of a `start`, the epoch's own checkpoints count; before them, those of the epoch
 * that it took over, up to the one it names; and so on. Everything else was completed too late, by an owner that had been deposed and told nobody.
 */
import type { CheckpointRef, Start } from './claims.ts'

export interface LineageFacts {
  /** By epoch. */
  starts: ReadonlyMap<number, Start>
  /** The newest claim that ends all. */
  end: { epoch: number; nextCheckpointId: number } | undefined
  /** Of all metadata. */
  checkpoints: readonly CheckpointRef[]
}

export interface Lineage {
  /** The oldest first; the job goes on from the last. */
  counting: CheckpointRef[]
  /** To be deleted: nobody was told of them, or they were given up. */
  stale: CheckpointRef[]
  /** Above every id in the facts. */
  nextCheckpointId: number
  /** Why the job must not start: it would from less than it has. */
  problem?: { missing: CheckpointRef } | { unknownEpoch: CheckpointRef }
}

export function decideLineage({ starts, end, checkpoints }: LineageFacts): Lineage {
  const nextCheckpointId = Math.max(
    1,
    end?.nextCheckpointId ?? 1,
    ...checkpoints.map(({ checkpointId }) => checkpointId + 1),
    ...[...starts.values()].map((start) => start.nextCheckpointId),
  )
  const none = { counting: [], stale: [], nextCheckpointId }
  const lastStart = Math.max(0, ...starts.keys())
  const last = Math.max(lastStart, end?.epoch ?? 0)
  const unknownEpoch = checkpoints.find(({ epoch }) => epoch > last)
  if (unknownEpoch !== undefined) return { ...none, problem: { unknownEpoch } }

  const isThere = (wanted: CheckpointRef) => checkpoints.some((one) => isSame(one, wanted))
  const counting: CheckpointRef[] = []
  let start = last === lastStart ? starts.get(last) : undefined
  let upTo = Infinity
  while (start !== undefined) {
    const { epoch, takesOver }: Start = start
    const own = checkpoints.filter((one) => one.epoch === epoch && one.checkpointId <= upTo)
    counting.push(...own.sort((a, b) => b.checkpointId - a.checkpointId))
    if (takesOver === null || takesOver.epoch >= epoch) break
    // Once there is a newer one, those before it may have been deleted.
    if (counting.length === 0 && !isThere(takesOver)) return { ...none, problem: { missing: takesOver } }
    start = starts.get(takesOver.epoch)
    upTo = takesOver.checkpointId
    // Records of an epoch go when none of its checkpoints is kept; one that is there counts all the same.
    if (start === undefined && isThere(takesOver)) counting.push(takesOver)
  }
  counting.reverse()
  return { counting, stale: checkpoints.filter((one) => !counting.some((c) => isSame(c, one))), nextCheckpointId }
}

export function isSame(a: CheckpointRef, b: CheckpointRef): boolean {
  return a.epoch === b.epoch && a.checkpointId === b.checkpointId
}
