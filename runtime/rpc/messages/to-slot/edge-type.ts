/** JobManager to slot: the type of an edge that all of its writers use from now on. */
import { z } from 'zod'
import { count } from '../parts/numbers.ts'
import { typeDescription } from '../parts/type-description.ts'

export const edgeType = z.strictObject({ type: z.literal('edgeType'), edgeId: count, edgeType: typeDescription })
