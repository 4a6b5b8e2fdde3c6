/** JobManager to TaskManager: what its threads do now, as text. */
import { z } from 'zod'
import { call } from '../wire/catalog.ts'
import { list } from './parts/list.ts'
import { TEXT_CHARS_MAX } from './parts/texts.ts'

export const threadDump = call(
  'threadDump',
  {},
  z.strictObject({
    threads: list(z.strictObject({ name: z.string(), text: z.string().max(TEXT_CHARS_MAX) }), 1_000),
  }),
)
