/** JobManager to TaskManager: a piece of one of its log files, or of what it has written to stdout. */
import { z } from 'zod'
import { call } from '../wire/catalog.ts'
import { bytes, count } from './parts/numbers.ts'
import { TEXT_CHARS_MAX } from './parts/texts.ts'

export const readLog = call(
  'readLog',
  {
    /** As `listLogs` names it. */
    name: z.string().min(1).max(1_024),
    /** From where; negative: so many bytes before the end. */
    offset: z.number().int(),
    length: count.max(TEXT_CHARS_MAX),
  },
  z.strictObject({
    /** Absent: there is none of this name. */
    bytes: bytes.refine((piece) => piece.length <= TEXT_CHARS_MAX, 'a shorter piece is wanted').optional(),
    /** Where they begin. */
    offset: count,
    /** Of the file. */
    size: count,
  }),
)
