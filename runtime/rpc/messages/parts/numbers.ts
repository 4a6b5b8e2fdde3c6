/** Numbers and texts as messages have them. */
import { z } from 'zod'

/** An index or a count. */
export const count = z.number().int().nonnegative()
export const sha256 = z.string().regex(/^[0-9a-f]{64}$/)
export const port = z.number().int().min(1).max(65_535)
/** Names and ids of this project's own making; those of users may be longer. */
export const id = z.string().min(1).max(512)
export const bytes: z.ZodType<Uint8Array> = z.instanceof(Uint8Array)
/** Infinity and -Infinity too, as they stand for no end. */
export const anyNumber = z.union([z.number(), z.literal(Infinity), z.literal(-Infinity)])
export const texts = z.record(z.string(), z.string())
