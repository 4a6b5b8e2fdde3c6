/** JobManager to slot: a source starts this checkpoint. In order with splits and sourceEvent. */
import { z } from 'zod'
import { barrier } from '../parts/barrier.ts'
import { ofSubtask } from '../parts/subtask.ts'

export const triggerCheckpoint = z.strictObject({ type: z.literal('triggerCheckpoint'), ...ofSubtask, barrier })
