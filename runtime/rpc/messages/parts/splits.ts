/** Splits of a source. Beside their id they are data of the source's own. */
import { z } from 'zod'
import { list } from './list.ts'

export const splitList = list(z.looseObject({ id: z.string() }))
