/** Why a job failed. */
import { z } from 'zod'
import type { ErrorData } from '../core/errors.ts'
import { embeddedTaskManagerId } from '../metrics/cluster-samples.ts'
import type { ExceptionView } from '../rpc/views.ts'
import { type App, jobOf, jobParams, type RestContext } from './common.ts'
import { type ExceptionInfo, exceptions } from './jobs-schemas.ts'
import { userLine } from './user-line.ts'

const DEFAULT_MAX = 16

export function exceptionRoutes(app: App, context: RestContext): void {
  const querystring = z.object({ maxExceptions: z.coerce.number().int().min(1).default(DEFAULT_MAX) })
  app.get(
    '/jobs/:jobid/exceptions',
    { schema: { params: jobParams, querystring, response: { 200: exceptions } } },
    ({ params, query }) => {
      const { exceptions } = jobOf(context, params.jobid)
      const taskManagerId = embeddedTaskManagerId(context.cluster.cluster().startTime)
      const infos = exceptions.map((one) => infoOf(one, context.host, taskManagerId))
      const [root, ...later] = infos
      // The first one is the root; the rest came while the job was failing because of it.
      const shown = later.slice(0, query.maxExceptions - 1)
      const truncated = shown.length < later.length
      return {
        exceptionHistory: {
          entries: root === undefined ? [] : [{ ...root, concurrentExceptions: shown }],
          truncated,
        },
        'root-exception': root?.stacktrace ?? null,
        timestamp: root?.timestamp ?? null,
        'all-exceptions': [],
        truncated,
      }
    },
  )
}

function infoOf({ timestamp, error, taskName }: ExceptionView, host: string, taskManagerId: string): ExceptionInfo {
  const ofTask = taskName !== undefined
  return {
    exceptionName: error.code,
    stacktrace: stackOf(error),
    timestamp,
    taskName: taskName ?? null,
    endpoint: ofTask ? host : null,
    taskManagerId: ofTask ? taskManagerId : null,
    failureLabels: {},
    code: error.code,
    message: error.message,
    operator: error.operator ?? null,
    location: userLine(error) ?? null,
  }
}

/** The stack with those of its causes, as Node prints them. */
export function stackOf(error: ErrorData): string {
  const stack = error.stack === '' ? error.message : error.stack
  return error.cause === undefined ? stack : `${stack}\nCaused by: ${stackOf(error.cause)}`
}
