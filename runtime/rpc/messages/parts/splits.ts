/** Splits of a source. Beside their id they are data of the source's own. */
import { z } from 'zod'

export const splitList = z.array(z.looseObject({ id: z.string() }))
