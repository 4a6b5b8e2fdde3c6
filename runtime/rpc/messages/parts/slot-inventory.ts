/** What a slot runs, as its TaskManager knows it: enough for a new leader to go on with it instead of starting anew. */
import { z } from 'zod'
import { counts, list } from './list.ts'
import { count, id } from './numbers.ts'
import { ofThread } from './slot-ref.ts'
import { splitList } from './splits.ts'
import { ofSubtask } from './subtask.ts'

export const slotInventory = z.strictObject({
  ...ofThread,
  jobId: id,
  attempt: count,
  /** Of the slot in the job. */
  slotIndex: count,
  /** Epoch of the leader that has deployed it. */
  epoch: count,
  planHash: id,
  subtasks: list(
    z.strictObject({
      ...ofSubtask,
      state: z.enum(['INITIALIZING', 'RUNNING', 'FINISHED', 'CANCELED', 'FAILED']),
      /** That it was given and has not read to their end; of sources. */
      splits: splitList,
      /** Of the newest barrier that it has passed on. */
      lastBarrier: count.optional(),
      /** Checkpoints whose transactions are prepared and not committed. */
      pendingCommits: counts,
    }),
  ),
})
export type SlotInventory = z.output<typeof slotInventory>
