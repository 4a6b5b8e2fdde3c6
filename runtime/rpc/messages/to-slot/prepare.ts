/** JobManager to slot: a deployment of this program comes soon; it can be loaded meanwhile. There is no answer. */
import { z } from 'zod'
import { id } from '../parts/numbers.ts'
import { program, replay } from './deploy.ts'

export const prepare = z.strictObject({ type: z.literal('prepare'), jobId: id, program, replay })
