/** Why a job failed, or was restarted: what ended each attempt, with what else failed while its tasks ended. */
import { z } from 'zod'
import type { ErrorData } from '../core/errors.ts'
import type { ExceptionView } from '../rpc/views.ts'
import { type App, jobOf, jobParams, list, type RestContext } from './common.ts'
import { type ExceptionInfo, exceptions } from './jobs-schemas.ts'
import { placeOf } from './place.ts'
import { userLine } from './user-line.ts'

const DEFAULT_MAX = 16

export function exceptionRoutes(app: App, context: RestContext): void {
  const querystring = z.object({
    maxExceptions: z.coerce.number().int().min(1).default(DEFAULT_MAX),
    failureLabelFilter: labels,
  })
  app.get(
    '/jobs/:jobid/exceptions',
    { schema: { params: jobParams, querystring, response: { 200: exceptions } } },
    ({ params, query }) => {
      const { exceptions } = jobOf(context, params.jobid)
      const newestFirst = exceptions
        .toReversed()
        .filter((one) => query.failureLabelFilter.every(([name, value]) => one.labels[name] === value))
      const entries = newestFirst.slice(0, query.maxExceptions).map((one) => ({
        ...infoOf(one, context),
        concurrentExceptions: one.concurrent.map((other) => infoOf(other, context)),
      }))
      const truncated = entries.length < newestFirst.length
      const last = exceptions.at(-1)
      return {
        exceptionHistory: { entries, truncated },
        'root-exception': last === undefined ? null : stackOf(last.error),
        timestamp: last?.timestamp ?? null,
        'all-exceptions': [],
        truncated,
      }
    },
  )
}

/** `?failureLabelFilter=type:USER,code:TR-TASK-001`: what a failure must have all of. */
const labels = list.transform((pairs = [], context): [string, string][] =>
  pairs.map((pair) => {
    const at = pair.indexOf(':')
    if (at < 1) context.addIssue(`Cannot filter by "${pair}": name:value is wanted, such as type:USER`)
    return [pair.slice(0, at), pair.slice(at + 1)]
  }),
)

function infoOf(
  { timestamp, error, taskName, labels, taskManager = '', host = '' }: ExceptionView,
  context: RestContext,
): ExceptionInfo {
  const place = taskName === undefined ? undefined : placeOf(context, { taskManager, host })
  return {
    exceptionName: error.code,
    stacktrace: stackOf(error),
    timestamp,
    taskName: taskName ?? null,
    endpoint: place?.host ?? null,
    taskManagerId: place?.id ?? null,
    failureLabels: labels,
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
