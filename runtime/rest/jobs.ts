/** Lists of jobs, and cancelling one. */
import { z } from 'zod'
import { masked } from '../config/secrets.ts'
import { type App, jobOf, jobParams, type RestContext, RestError } from './common.ts'
import { accumulators, jobConfig, jobIds, jobStatusInfo, jobsOverview } from './jobs-schemas.ts'

export function jobsRoutes(app: App, context: RestContext): void {
  const { cluster } = context

  app.get('/jobs', { schema: { response: { 200: jobIds } } }, () => ({
    jobs: cluster.list().map(({ id, status }) => ({ id, status })),
  }))

  app.get('/jobs/overview', { schema: { response: { 200: jobsOverview } } }, () => ({
    jobs: cluster.list().map((job) => ({
      jid: job.id,
      name: job.name,
      state: job.status,
      'start-time': job.startTime,
      'end-time': job.endTime,
      duration: job.duration,
      'last-modification': job.lastModified,
      tasks: tasksByState(job.tasks),
      'pending-operators': 0,
      jobType: 'STREAMING' as const,
      schedulerType: 'Default' as const,
    })),
  }))

  app.get('/jobs/:jobid/status', { schema: { params: jobParams, response: { 200: jobStatusInfo } } }, ({ params }) => ({
    status: jobOf(context, params.jobid).status,
  }))

  app.get('/jobs/:jobid/config', { schema: { params: jobParams, response: { 200: jobConfig } } }, ({ params }) => {
    const { id, name, plan, restartStrategy } = jobOf(context, params.jobid)
    const config = {
      'restart-strategy': restartStrategy,
      'job-parallelism': plan.config.parallelism,
      // Records are handed from function to function as they are.
      'object-reuse-mode': true,
      'user-config': masked({ ...plan.config.options, ...plan.config.parameters }),
    }
    return { jid: id, name, 'execution-config': config, jobId: id, jobName: name, executionConfigInfo: config }
  })

  app.get(
    '/jobs/:jobid/accumulators',
    { schema: { params: jobParams, response: { 200: accumulators } } },
    ({ params }) => ({
      'job-accumulators': [],
      'user-task-accumulators': Object.entries(jobOf(context, params.jobid).accumulators).map(([name, value]) => ({
        name,
        type: 'DoubleCounter',
        value: String(value),
      })),
      'serialized-user-task-accumulators': {},
    }),
  )

  const mode = z.string().toLowerCase().default('cancel')
  app.patch(
    '/jobs/:jobid',
    { schema: { params: jobParams, querystring: z.object({ mode }), response: { 202: z.object({}) } } },
    async ({ params, query }, reply) => {
      const job = jobOf(context, params.jobid)
      if (query.mode !== 'cancel') {
        throw new RestError(400, `Cannot end job ${job.id} by mode "${query.mode}": wanted mode=cancel`)
      }
      if (!context.canCancel) {
        throw new RestError(403, `Cannot cancel job ${job.id}: cancelling is switched off by web.cancel.enable`)
      }
      if (job.status === 'FINISHED' || job.status === 'FAILED') {
        throw new RestError(409, `Cannot cancel job ${job.id} (${job.name}): it is ${job.status} already`)
      }
      cluster.cancel(job.id)
      reply.code(202)
      return {}
    },
  )
}

/** Flink's lists have the states in lower case, and the sum beside them. */
function tasksByState(tasks: Readonly<Record<string, number>>): Record<string, number> {
  const counts: Record<string, number> = { total: 0 }
  for (const [state, count] of Object.entries(tasks)) {
    counts[state.toLowerCase()] = count
    counts.total! += count
  }
  return counts
}
