/**
 * One operator in several subtasks, whose snapshots are taken into memory and dealt out to subtasks of any number, by the code that jobs run.
 *
 * @example
 * const before = await openSubtasks(() => new Operator({ fn: new Fn() }), 2)
 * before[0].operator.process(1, 0)
 * const after = await openSubtasks(() => new Operator({ fn: new Fn() }), 3, takeSnapshots(before))
 */
import type { OperatorSnapshot, StateHandle } from '../checkpoint/model.ts'
import { dealKeyed, dealLists } from '../checkpoint/redistribute.ts'
import { keyGroupRange } from '../core/key-groups.ts'
import type { FromSlot } from '../rpc/slot-messages.ts'
import { ChunkBuffers } from '../taskmanager/chunk-buffers.ts'
import { RestoredOperator } from '../taskmanager/restored-state.ts'
import { TaskSnapshot } from '../taskmanager/task-snapshot.ts'
import { CollectingReceiver, FakeContext } from '../testing/operator-context.ts'
import type { BaseOperator } from './operator.ts'

export const MAX_PARALLELISM = 16

export interface Subtask<Op> {
  operator: Op
  context: FakeContext
  out: CollectingReceiver
}

/** null: the subtask had nothing. */
export type Snapshots = (OperatorSnapshot | null)[]

/** Opens subtasks, from snapshots if there are any. */
export async function openSubtasks<Op extends BaseOperator>(
  make: () => Op,
  parallelism: number,
  from?: Snapshots,
  operatorName = 'operator',
): Promise<Subtask<Op>[]> {
  const keyed = from === undefined ? undefined : dealKeyed(from, MAX_PARALLELISM, parallelism)
  const lists = from === undefined ? undefined : dealLists(from, parallelism)
  const subtasks: Subtask<Op>[] = []
  for (let subtask = 0; subtask < parallelism; subtask++) {
    const context = new FakeContext({ operatorName, subtask, parallelism, maxParallelism: MAX_PARALLELISM })
    const { operatorId } = context
    if (from !== undefined)
      context.restored = new RestoredOperator({
        checkpointId: 1,
        restore: { operatorId, keyed: keyed![subtask]!, lists: lists![subtask]!, finished: false },
        range: keyGroupRange(MAX_PARALLELISM, parallelism, subtask),
        maxParallelism: MAX_PARALLELISM,
        read: async (handle) => (handle as { bytes: Uint8Array }).bytes,
      })
    const out = new CollectingReceiver()
    const operator = make()
    operator.next = out
    await operator.open(context)
    subtasks.push({ operator, context, out })
  }
  return subtasks
}

/** The state of all subtasks as it is now. */
export function takeSnapshots(subtasks: readonly Subtask<BaseOperator>[], checkpointId = 1): Snapshots {
  return subtasks.map((subtask) => takeSnapshot(subtask, checkpointId))
}

export function takeSnapshot({ operator, context }: Subtask<BaseOperator>, checkpointId = 1): OperatorSnapshot | null {
  const posted: FromSlot[] = []
  const snapshot = new TaskSnapshot({
    barrier: { checkpointId, timestampMs: 0, kind: 'checkpoint', then: 'go on' },
    vertexId: 'vertex',
    subtask: context.task.subtaskIndex,
    maxParallelism: MAX_PARALLELISM,
    clock: context.clock,
    buffers: new ChunkBuffers(),
    startDelayMs: 0,
    alignmentMs: 0,
    finished: false,
    post: (message) => posted.push(message),
    wake: () => {},
  })
  snapshot.take(context.operatorId, operator)
  snapshot.synchronousPartDone()
  while (snapshot.step() !== 'done');
  const end = posted.at(-1)!
  if (end.type === 'checkpointDeclined') throw new Error(end.error!.message)
  const chunks = posted.flatMap((message) => (message.type === 'stateChunk' ? [message] : []))
  const handleOf = (handle: StateHandle): StateHandle => {
    const { buffer, length } = chunks[(handle as { offset: number }).offset]!
    return { bytes: new Uint8Array(buffer, 0, length) }
  }
  const [taken] = (end as Extract<FromSlot, { type: 'checkpointAck' }>).snapshot.operators
  if (taken === undefined) return null
  const { keyed } = taken
  if (keyed === undefined) return taken
  return {
    ...taken,
    keyed: { ...keyed, chunks: keyed.chunks.map((chunk) => ({ ...chunk, handle: handleOf(chunk.handle) })) },
  }
}
