/** TaskManager to JobManager: a thread has ended, however; the last message about it. */
import { z } from 'zod'
import type { HostExit } from '../host.ts'
import { oneWay } from '../wire/catalog.ts'
import { ofThread } from './parts/slot-ref.ts'

const exitData = z.strictObject({
  code: z.number().int(),
  /** An uncaught error, or the limit that was reached, by its code. */
  error: z
    .strictObject({ name: z.string(), message: z.string(), stack: z.string(), code: z.string().optional() })
    .optional(),
})
export type ExitData = z.output<typeof exitData>

export const slotEnded = oneWay('slotEnded', { ...ofThread, exit: exitData })

const CHARS_MAX = 64 * 1024

/** A host's end as data. */
export function exitToData({ code, error }: HostExit): ExitData {
  if (error === undefined) return { code }
  const cut = (text: string) => text.slice(0, CHARS_MAX).toWellFormed()
  return {
    code,
    error: {
      name: cut(error.name),
      message: cut(error.message),
      stack: cut(error.stack ?? ''),
      ...(error.code === undefined ? {} : { code: String(error.code) }),
    },
  }
}

/** The inverse of {@link exitToData}. */
export function exitFromData({ code, error }: ExitData): HostExit {
  if (error === undefined) return { code }
  const { name, message, stack, code: errorCode } = error
  const made = Object.assign(new Error(message), { name, stack }, errorCode === undefined ? {} : { code: errorCode })
  return { code, error: made }
}
