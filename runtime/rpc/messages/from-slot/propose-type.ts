/** Slot to JobManager: the first type that a writer of this edge found; answered to all slots by edgeType. */
import { z } from 'zod'
import { count } from '../parts/numbers.ts'
import { typeDescription } from '../parts/type-description.ts'

export const proposeType = z.strictObject({ type: z.literal('proposeType'), edgeId: count, edgeType: typeDescription })
