/** Accumulators of a job's subtasks, as far as those have ended, and what the job came to. */
import { z } from 'zod'
import { jobEnded } from '../metrics/measured.ts'
import {
  type App,
  jobOf,
  jobParams,
  type RestContext,
  subtaskOf,
  subtaskParams,
  vertexOf,
  vertexParams,
} from './common.ts'
import { binaryId, jobStatus } from './common-schemas.ts'
import { binary } from './job.ts'
import { placeOf } from './place.ts'

const userAccumulators = z.array(z.object({ name: z.string(), type: z.string(), value: z.string() }))
const ofVertex = z.object({ id: z.string(), 'user-accumulators': userAccumulators })
const ofSubtasks = z.object({
  id: z.string(),
  parallelism: z.number(),
  subtasks: z.array(
    z.object({
      subtask: z.number(),
      attempt: z.number(),
      endpoint: z.string(),
      'user-accumulators': userAccumulators,
    }),
  ),
})
const ofAttempt = z.object({
  id: z.string(),
  subtask: z.number(),
  attempt: z.number(),
  'user-accumulators': userAccumulators,
})

const executionResult = z.object({
  status: z.object({ id: z.enum(['IN_PROGRESS', 'COMPLETED']) }),
  /** null while it runs. */
  'job-execution-result': z
    .object({
      jobId: z.string(),
      jobName: z.string(),
      jobStatus,
      success: z.boolean(),
      applicationId: binaryId,
      startTime: z.number(),
      endTime: z.number(),
      netRuntime: z.number(),
      /** JSON in base64. */
      accumulatorResults: z.record(z.string(), z.object({ byteArray: z.string() })),
      /** The error as JSON in base64; null without one. */
      serializedThrowable: z.object({ 'serialized-throwable': z.string() }).nullable(),
    })
    .nullable(),
})

export function accumulatorRoutes(app: App, context: RestContext): void {
  const at = '/jobs/:jobid/vertices/:vertexid'

  app.get(`${at}/accumulators`, { schema: { params: vertexParams, response: { 200: ofVertex } } }, ({ params }) => {
    const { id, subtasks } = vertexOf(jobOf(context, params.jobid), params.vertexid)
    return { id, 'user-accumulators': listOf(subtasks.map(({ accumulators }) => accumulators)) }
  })

  app.get(
    `${at}/subtasks/accumulators`,
    { schema: { params: vertexParams, response: { 200: ofSubtasks } } },
    ({ params }) => {
      const { id, parallelism, subtasks } = vertexOf(jobOf(context, params.jobid), params.vertexid)
      return {
        id,
        parallelism,
        subtasks: subtasks.map((one) => ({
          subtask: one.index,
          attempt: one.attempt,
          endpoint: placeOf(context, one).host,
          'user-accumulators': listOf([one.accumulators]),
        })),
      }
    },
  )

  app.get(
    `${at}/subtasks/:subtaskindex/attempts/:attempt/accumulators`,
    { schema: { params: subtaskParams, response: { 200: ofAttempt } } },
    ({ params }) => {
      const vertex = vertexOf(jobOf(context, params.jobid), params.vertexid)
      const { index, attempt, accumulators } = subtaskOf(vertex, params.subtaskindex)
      return { id: vertex.id, subtask: index, attempt, 'user-accumulators': listOf([accumulators]) }
    },
  )

  app.get(
    '/jobs/:jobid/execution-result',
    { schema: { params: jobParams, response: { 200: executionResult } } },
    ({ params }) => {
      const { id, name, status, startTime, endTime, timestamps, accumulators, exceptions } = jobOf(
        context,
        params.jobid,
      )
      if (!jobEnded(status)) return { status: { id: 'IN_PROGRESS' as const }, 'job-execution-result': null }
      const error = status === 'FAILED' ? exceptions.at(-1)?.error : undefined
      return {
        status: { id: 'COMPLETED' as const },
        'job-execution-result': {
          jobId: id,
          jobName: name,
          jobStatus: status,
          success: status === 'FINISHED',
          applicationId: binary(id),
          startTime,
          endTime,
          netRuntime: timestamps.RUNNING === 0 ? 0 : endTime - timestamps.RUNNING,
          accumulatorResults: Object.fromEntries(
            Object.entries(accumulators).map(([name, value]) => [name, { byteArray: encoded(value) }]),
          ),
          serializedThrowable: error === undefined ? null : { 'serialized-throwable': encoded(error) },
        },
      }
    },
  )
}

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64')

/** Sums by name. */
function listOf(all: readonly Readonly<Record<string, number>>[]): z.infer<typeof userAccumulators> {
  const sums = new Map<string, number>()
  for (const one of all) for (const [name, value] of Object.entries(one)) sums.set(name, (sums.get(name) ?? 0) + value)
  return [...sums].map(([name, value]) => ({ name, type: 'DoubleCounter', value: String(value) }))
}
