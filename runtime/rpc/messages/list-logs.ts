/** JobManager to TaskManager: which log files it has. */
import { z } from 'zod'
import { call } from '../wire/catalog.ts'
import { list } from './parts/list.ts'
import { count } from './parts/numbers.ts'

export const listLogs = call(
  'listLogs',
  {},
  z.strictObject({
    logs: list(z.strictObject({ name: z.string().max(1_024), size: count, modifiedMs: z.number() }), 10_000),
  }),
)
