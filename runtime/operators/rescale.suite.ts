/**
 * One operator in several subtasks, whose snapshots are dealt out to subtasks of any number.
 *
 * @example
 * const before = await openSubtasks(() => new Operator({ fn: new Fn() }), 2)
 * before[0].operator.process(1, 0)
 * const after = await openSubtasks(() => new Operator({ fn: new Fn() }), 3, takeSnapshots(before))
 */
import type { CollectingReceiver, FakeContext } from '../testing/operator-context.ts'
import { openOperator } from '../testing/operator-context.ts'
import { barrier, restoredFrom, SnapshotUnderWay, type TakenSnapshot } from '../testing/snapshots.ts'
import type { BaseOperator } from './operator.ts'

export const MAX_PARALLELISM = 16

export interface Subtask<Op> {
  operator: Op
  context: FakeContext
  out: CollectingReceiver
}

/** Opens subtasks, from snapshots if there are any. */
export async function openSubtasks<Op extends BaseOperator>(
  make: () => Op,
  parallelism: number,
  from?: readonly TakenSnapshot[],
  operatorName = 'operator',
): Promise<Subtask<Op>[]> {
  const maxParallelism = MAX_PARALLELISM
  const subtasks: Subtask<Op>[] = []
  for (let subtask = 0; subtask < parallelism; subtask++) {
    const restored = from && restoredFrom(from, subtask, parallelism, { maxParallelism })
    subtasks.push(await openOperator(make(), { operatorName, subtask, parallelism, maxParallelism, restored }))
  }
  return subtasks
}

/** The state of all subtasks as it is now. */
export function takeSnapshots(subtasks: readonly Subtask<BaseOperator>[], checkpointId = 1): TakenSnapshot[] {
  return subtasks.map((subtask) => takeSnapshot(subtask, checkpointId))
}

export function takeSnapshot({ operator }: Subtask<BaseOperator>, checkpointId = 1): TakenSnapshot {
  return new SnapshotUnderWay(operator, barrier(checkpointId), MAX_PARALLELISM).endNow()
}
