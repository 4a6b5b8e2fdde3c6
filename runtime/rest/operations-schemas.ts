/** Requests for checkpoints, savepoints and the stop with one, and how they are doing, in Flink's spelling. */
import { z } from 'zod'
import { hex32 } from './common.ts'

export const triggerId = hex32('the trigger id').toLowerCase()

const formatType = z.enum(['CANONICAL', 'NATIVE']).default('CANONICAL')
/** Nothing, an empty text and null are the same: the directory of the configuration. */
const directory = z
  .string()
  .nullish()
  .transform((text) => text?.trim() || undefined)
const flag = z
  .boolean()
  .nullish()
  .transform((value) => value === true)
const id = triggerId.nullish().transform((text) => text ?? undefined)

/** A body may be left out. */
const body = <T extends z.ZodRawShape>(shape: T) => z.preprocess((given) => given ?? {}, z.object(shape))

export const checkpointRequest = body({
  checkpointType: z.enum(['CONFIGURED', 'FULL', 'INCREMENTAL']).default('CONFIGURED'),
  triggerId: id,
})
export const savepointRequest = body({ 'target-directory': directory, 'cancel-job': flag, formatType, triggerId: id })
export const stopRequest = body({ targetDirectory: directory, drain: flag, formatType, triggerId: id })
export const disposalRequest = body({
  'savepoint-path': z.string('savepoint-path is wanted').trim().min(1, 'savepoint-path is empty'),
  /** Ours. */
  triggerId: id,
})

export const triggered = z.object({ 'request-id': z.string() })
export type Triggered = z.infer<typeof triggered>

export const failureCause = z.object({
  /** The code of docs/errors.md. */
  class: z.string(),
  'stack-trace': z.string(),
  /** The error as JSON in base64: code, message, operator, stack, cause. */
  'serialized-throwable': z.string(),
  /** Ours. */
  message: z.string(),
})
export type FailureCause = z.infer<typeof failureCause>

const status = z.object({ id: z.enum(['IN_PROGRESS', 'COMPLETED']) })

export const savepointProgress = z.object({
  status,
  /** null while it runs. */
  operation: z
    .object({
      location: z.string().optional(),
      'failure-cause': failureCause.optional(),
    })
    .nullable(),
})
export type SavepointProgress = z.infer<typeof savepointProgress>

export const checkpointProgress = z.object({
  status,
  operation: z
    .object({
      checkpointId: z.number().optional(),
      /** Ours: its folder. */
      location: z.string().optional(),
      failureCause: failureCause.optional(),
    })
    .nullable(),
})
export type CheckpointProgress = z.infer<typeof checkpointProgress>
