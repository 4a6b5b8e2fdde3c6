/** How the checkpoints of a job went, one by one and in sum, and what its configuration says of them. */
import { z } from 'zod'
import type { CheckpointView, JobCheckpointsView } from '../rpc/views.ts'
import { configOf, detailsOf, statisticsOf, taskDetailsOf } from './checkpoint-answers.ts'
import {
  checkpointConfig,
  checkpointingStatistics,
  checkpointStatistics,
  taskCheckpointDetails,
} from './checkpoints-schemas.ts'
import { type App, jobOf, jobParams, type RestContext, RestError, vertexOf, vertexParams } from './common.ts'

const checkpointId = z.coerce.number('the checkpoint id must be a number').int().min(0)
const checkpointParams = jobParams.extend({ checkpointid: checkpointId })
const taskParams = vertexParams.extend({ checkpointid: checkpointId })

export function checkpointRoutes(app: App, context: RestContext): void {
  app.get(
    '/jobs/:jobid/checkpoints',
    { schema: { params: jobParams, response: { 200: checkpointingStatistics } } },
    ({ params }) => statisticsOf(checkpointsOf(context, params.jobid)),
  )

  app.get(
    '/jobs/:jobid/checkpoints/config',
    { schema: { params: jobParams, response: { 200: checkpointConfig } } },
    ({ params }) => configOf(checkpointsOf(context, params.jobid)),
  )

  app.get(
    '/jobs/:jobid/checkpoints/details/:checkpointid',
    { schema: { params: checkpointParams, response: { 200: checkpointStatistics } } },
    ({ params }) => detailsOf(checkpointOf(context, params.jobid, params.checkpointid)),
  )

  app.get(
    '/jobs/:jobid/checkpoints/details/:checkpointid/subtasks/:vertexid',
    { schema: { params: taskParams, response: { 200: taskCheckpointDetails } } },
    ({ params }) => {
      const checkpoint = checkpointOf(context, params.jobid, params.checkpointid)
      const { id } = vertexOf(jobOf(context, params.jobid), params.vertexid)
      return taskDetailsOf(checkpoint.id, checkpoint.tasks.find(({ vertexId }) => vertexId === id)!)
    },
  )
}

/** 404 if there is no such job. */
function checkpointsOf(context: RestContext, jobId: string): JobCheckpointsView {
  return context.cluster.checkpoints(jobOf(context, jobId).id)!
}

function checkpointOf(context: RestContext, jobId: string, id: number): CheckpointView {
  const { settings } = checkpointsOf(context, jobId)
  const checkpoint = context.cluster.checkpoint(jobId, id)
  if (checkpoint !== undefined) return checkpoint
  const kept = `the last ${settings.historyMax} (web.checkpoints.history) and the last of each kind are remembered`
  throw new RestError(
    404,
    `Cannot find checkpoint ${id} of job ${jobId}: there is none of this id, or not any more; ${kept}`,
  )
}
