/** What marks a checkpoint's place in the streams. */
import { z } from 'zod'
import type { Barrier } from '../../../core/checkpoint.ts'
import { count } from './numbers.ts'
import { schemaOf } from './schema-of.ts'

export const barrier = schemaOf<Barrier>()(
  z.strictObject({
    checkpointId: count,
    timestampMs: z.number(),
    kind: z.enum(['checkpoint', 'savepoint']),
    then: z.enum(['go on', 'suspend', 'end']),
  }),
)
