/** Slot to JobManager: what the subtask took for a checkpoint. The TaskManager has stored the bytes; the handles name the store's files. */
import { z } from 'zod'
import { count } from '../parts/numbers.ts'
import { snapshotStats, subtaskSnapshot } from '../parts/snapshot.ts'
import { ofSubtask } from '../parts/subtask.ts'

export const checkpointAck = z.strictObject({
  type: z.literal('checkpointAck'),
  ...ofSubtask,
  checkpointId: count,
  snapshot: subtaskSnapshot,
  stats: snapshotStats,
})
