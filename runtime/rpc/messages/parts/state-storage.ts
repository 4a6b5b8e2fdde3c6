/** Where the state of a job is written. */
import { z } from 'zod'
import type { StateStorage } from '../../slot-messages.ts'
import { count } from './numbers.ts'
import { schemaOf } from './schema-of.ts'

export const stateStorage = schemaOf<StateStorage>()(
  z.strictObject({
    directory: z.string().optional() as unknown as z.ZodType<string | undefined>,
    folder: z.string(),
    epoch: count,
  }),
)
