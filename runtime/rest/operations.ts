/**
 * Takes checkpoints and savepoints, stops jobs with one, and disposes of savepoints [SV-09]. A POST begins the operation and answers with its id; a GET by that
 * id says how it goes, and for some time afterwards what it came to. Who gives a `triggerId` may send a request again: it begins once, and again only when it was lost with its JobManager.
 */
import type { ServerResponse } from 'node:http'
import type { ErrorData } from '../core/errors.ts'
import { jobEnded } from '../metrics/measured.ts'
import { isLost, type JobView, type OperationKind, type OperationRequest, type OperationView } from '../rpc/views.ts'
import { folderOf } from './checkpoint-answers.ts'
import { type App, jobOf, jobParams, type RestContext, RestError } from './common.ts'
import { stackOf } from './exceptions.ts'
import {
  type CheckpointProgress,
  checkpointProgress,
  checkpointRequest,
  disposalRequest,
  type FailureCause,
  type SavepointProgress,
  savepointProgress,
  savepointRequest,
  stopRequest,
  type Triggered,
  triggered,
  triggerId,
} from './operations-schemas.ts'

const triggerParams = jobParams.extend({ triggerid: triggerId })

export function operationRoutes(app: App, context: RestContext): void {
  const { cluster, unfetched } = context

  app.post(
    '/jobs/:jobid/checkpoints',
    { schema: { params: jobParams, body: checkpointRequest, response: { 202: triggered } } },
    async ({ params, body }, reply) => {
      reply.code(202)
      return begin(jobOf(context, params.jobid), { kind: 'checkpoint', ...idOf(body) }, (job) => {
        if (body.checkpointType === 'INCREMENTAL')
          throw new RestError(
            400,
            `Cannot take a checkpoint of type INCREMENTAL of job ${job.id} (${job.name}): checkpoints of state on the heap are whole; wanted: CONFIGURED or FULL`,
          )
      })
    },
  )

  app.post(
    '/jobs/:jobid/savepoints',
    { schema: { params: jobParams, body: savepointRequest, response: { 202: triggered } } },
    async ({ params, body }, reply) => {
      reply.code(202)
      const { 'target-directory': directory, 'cancel-job': cancelJob } = body
      const request = { kind: 'savepoint' as const, ...idOf(body), ...directoryOf(directory), cancelJob }
      return begin(jobOf(context, params.jobid), request, (job) => {
        if (cancelJob) mayEnd(job)
        needDirectory(directory, 'target-directory', job)
      })
    },
  )

  app.post(
    '/jobs/:jobid/stop',
    { schema: { params: jobParams, body: stopRequest, response: { 202: triggered } } },
    async ({ params, body }, reply) => {
      reply.code(202)
      const { targetDirectory: directory, drain } = body
      const request = { kind: 'stop' as const, ...idOf(body), ...directoryOf(directory), drain }
      return begin(jobOf(context, params.jobid), request, (job) => {
        mayEnd(job)
        needDirectory(directory, 'targetDirectory', job)
      })
    },
  )

  app.post(
    '/savepoint-disposal',
    { schema: { body: disposalRequest, response: { 200: triggered } } },
    async ({ body }): Promise<Triggered> => {
      const { 'savepoint-path': path, triggerId } = body
      return { 'request-id': cluster.disposeSavepoint(path, triggerId) }
    },
  )

  app.get(
    '/jobs/:jobid/checkpoints/:triggerid',
    { schema: { params: triggerParams, response: { 200: checkpointProgress } } },
    ({ params }, reply): CheckpointProgress => {
      const { error, result, status } = found(find(params, ['checkpoint'], reply.raw), params.triggerid)
      if (status === 'IN_PROGRESS') return { status: { id: status }, operation: null }
      if (error !== undefined) return { status: { id: status }, operation: { failureCause: causeOf(error) } }
      const { checkpointId, path } = result!
      return { status: { id: status }, operation: { checkpointId, location: folderOf(path) } }
    },
  )

  // A stop is asked about as a savepoint.
  app.get(
    '/jobs/:jobid/savepoints/:triggerid',
    { schema: { params: triggerParams, response: { 200: savepointProgress } } },
    ({ params }, reply) => savepointAnswer(found(find(params, SAVEPOINTS, reply.raw), params.triggerid)),
  )

  app.get(
    '/savepoint-disposal/:triggerid',
    { schema: { params: triggerParams.pick({ triggerid: true }), response: { 200: savepointProgress } } },
    ({ params }) => savepointAnswer(found(cluster.disposal(params.triggerid), params.triggerid)),
  )

  /** `check` throws what is wrong with the request. One that has begun by this id is past all that. */
  function begin(job: JobView, request: OperationRequest, check: (job: JobView) => void): Triggered {
    const { kind, triggerId } = request
    if (triggerId !== undefined) {
      const known = cluster.operation(job.id, kind, triggerId)
      if (known !== undefined && !isLost(known)) return { 'request-id': triggerId }
      const other = SAVEPOINTS.find((one) => one !== kind && kind !== 'checkpoint')
      if (other !== undefined && cluster.operation(job.id, other, triggerId) !== undefined)
        throw new RestError(409, `Cannot begin a ${kind} by trigger id ${triggerId}: it is that of a ${other} already`)
    }
    if (jobEnded(job.status))
      throw new RestError(409, `Cannot begin a ${kind} of job ${job.id} (${job.name}): it is ${job.status} already`)
    check(job)
    const id = cluster.trigger(job.id, request)!
    unfetched.add(() => cluster.operation(job.id, kind, id), `${job.id}/${kind}/${id}`)
    return { 'request-id': id }
  }

  function find(
    { jobid, triggerid }: { jobid: string; triggerid: string },
    kinds: readonly OperationKind[],
    response: ServerResponse,
  ): OperationView | undefined {
    for (const kind of kinds) {
      const operation = cluster.operation(jobid, kind, triggerid)
      if (operation?.status === 'COMPLETED')
        response.once('finish', () => unfetched.delete(`${jobid}/${kind}/${triggerid}`))
      if (operation !== undefined) return operation
    }
    return undefined
  }

  function mayEnd({ id, name }: JobView): void {
    if (!context.canCancel)
      throw new RestError(403, `Cannot end job ${id} (${name}): cancelling is switched off by web.cancel.enable`)
  }

  function needDirectory(directory: string | undefined, property: string, { id, name }: JobView): void {
    if ((directory ?? cluster.checkpoints(id)?.settings.savepointDirectory) !== undefined) return
    throw new RestError(
      400,
      `Cannot take a savepoint of job ${id} (${name}): nothing says where to; wanted: ${property} in the request, ` +
        'or execution.checkpointing.savepoint-dir in the configuration of the job',
    )
  }
}

/** By the same path one asks about either, so an id is of one of them. */
const SAVEPOINTS = ['savepoint', 'stop'] as const

const idOf = ({ triggerId }: { triggerId: string | undefined }) => (triggerId === undefined ? {} : { triggerId })
const directoryOf = (directory: string | undefined) => (directory === undefined ? {} : { directory })

function found(operation: OperationView | undefined, id: string): OperationView {
  if (operation !== undefined) return operation
  throw new RestError(
    404,
    `Cannot find the operation ${id}: there is none of this id here, or its result was kept long enough`,
  )
}

function savepointAnswer({ error, result, status }: OperationView): SavepointProgress {
  if (status === 'IN_PROGRESS') return { status: { id: status }, operation: null }
  if (error !== undefined) return { status: { id: status }, operation: { 'failure-cause': causeOf(error) } }
  return { status: { id: status }, operation: result === undefined ? {} : { location: folderOf(result.path) } }
}

export function causeOf(error: ErrorData): FailureCause {
  return {
    class: error.code,
    'stack-trace': stackOf(error),
    'serialized-throwable': Buffer.from(JSON.stringify(error)).toString('base64'),
    message: error.message,
  }
}
