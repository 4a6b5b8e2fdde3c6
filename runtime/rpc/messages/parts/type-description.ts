/** A type of records. */
import { z } from 'zod'
import type { TypeDescription } from '../../../core/types.ts'
import { list } from './list.ts'

export const typeDescription: z.ZodType<TypeDescription> = z.lazy(() =>
  z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.enum(['number', 'int32', 'boolean', 'string', 'bigint', 'date', 'bytes', 'any']) }),
    z.strictObject({ kind: z.literal('nullable'), of: typeDescription }),
    z.strictObject({
      kind: z.literal('row'),
      fields: list(z.tuple([z.string(), typeDescription])),
      declared: z.boolean().optional(),
    }),
    z.strictObject({ kind: z.literal('tuple'), elements: list(typeDescription) }),
  ]),
)

/** By edge id; keys of objects are texts. */
export const edgeTypes = z.record(z.string().regex(/^\d+$/), typeDescription) as unknown as z.ZodType<
  Record<number, TypeDescription>
>
