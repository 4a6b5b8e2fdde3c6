/**
 * Ours: one request that answers when something has changed, for whoever watches a cluster all the time. It holds a timer while it waits, and nothing is looked at until something happens.
 */
import { z } from 'zod'
import { ConfigValues } from '../config/option.ts'
import { JOB } from '../config/options/job.ts'
import { type App, type RestContext, RestError } from './common.ts'
import { jobStatus } from './common-schemas.ts'

const WAIT_MAX_MS = 60_000

const slots = z.object({ total: z.number(), free: z.number() })
const taken = z.object({ id: z.number(), path: z.string(), time: z.number() })
const job = z.object({
  id: z.string(),
  name: z.string(),
  state: jobStatus,
  startTime: z.number(),
  endTime: z.number(),
  parallelism: z.number(),
  tasks: z.object({ total: z.number(), running: z.number() }),
  restarts: z.number(),
  rescales: z.number(),
  checkpoints: z.object({ completed: z.number(), failed: z.number() }),
  restored: taken.omit({ time: true }).nullable(),
  latestCheckpoint: taken.nullable(),
  latestSavepoint: taken.nullable(),
  exception: z.object({ time: z.number(), code: z.string(), message: z.string() }).nullable(),
})

/** Answer of `GET /tailrace/v1/changes`; jobs are the newest first. */
export const changesAnswer = z.object({
  version: z.number(),
  /** Of the JobManager that answers; null: its configuration names none. */
  deployment: z.object({ id: z.string().nullable(), generation: z.number().nullable() }),
  jobs: z.array(job),
  slots: slots.extend({ byTaskManager: z.record(z.string(), slots) }),
})
export type ChangesAnswer = z.infer<typeof changesAnswer>

const query = z.object({
  since: z.coerce.number('since must be a number').int().optional(),
  waitMs: z.coerce.number('waitMs must be a number').int().min(0).max(WAIT_MAX_MS).default(30_000),
})

export function changesRoutes(app: App, { cluster, configuration }: RestContext): void {
  const read = new ConfigValues(configuration, 'TR-CONFIG-001')
  const [id, generation] = [read.get(JOB.deploymentId), read.get(JOB.deploymentGeneration)]
  const deployment = { id: id ?? null, generation: generation ?? null }
  app.get(
    '/tailrace/v1/changes',
    { schema: { querystring: query, response: { 200: changesAnswer } } },
    async ({ query: { since, waitMs } }, reply): Promise<ChangesAnswer> => {
      const gone = new AbortController()
      reply.raw.once('close', () => gone.abort())
      const next = await cluster.changes(since, waitMs, gone.signal)
      if (next === undefined)
        throw new RestError(
          503,
          'Cannot wait for changes: too many wait already; wanted: one request for each onlooker',
        )
      return { version: next.version, deployment, ...next.value }
    },
  )
}
