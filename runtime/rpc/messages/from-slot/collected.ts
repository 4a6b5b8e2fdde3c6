/** Slot to JobManager: values for executeAndCollect; no more than collectAck allows. */
import { z } from 'zod'
import { list } from '../parts/list.ts'
import { count, id } from '../parts/numbers.ts'

export const collected = z.strictObject({
  type: z.literal('collected'),
  collectId: id,
  subtask: count,
  values: list(z.unknown()),
})
