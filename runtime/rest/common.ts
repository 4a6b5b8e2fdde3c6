/** What all resources share: the parts of a cluster that they ask, ids in paths, and errors as Flink's REST words them. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify'
import type { ZodTypeProvider } from 'fastify-type-provider-zod'
import { z } from 'zod'
import type { Submissions } from '../artifacts/submission.ts'
import type { Clock } from '../core/clock.ts'
import type { MetricsReader } from '../metrics/reader.ts'
import type { Cluster, JobView, ProcessInspection, VertexView } from '../rpc/views.ts'
import type { Unfetched } from './unfetched.ts'

/** The server as resources see it: schemas of routes are zod's, and handlers are typed by them. */
export type App = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, ZodTypeProvider>

/** What handlers ask. One for all requests. */
export interface RestContext {
  readonly cluster: Cluster
  readonly metrics: MetricsReader
  readonly clock: Clock
  /** Of Tailrace. */
  readonly version: string
  /** Host name in labels and addresses. */
  readonly host: string
  /** Configuration of the cluster, for `/jobmanager/config`. */
  readonly configuration: Readonly<Record<string, string>>
  /** `web.cancel.enable`. */
  readonly canCancel: boolean
  /** `web.rescale.enable`. */
  readonly canRescale: boolean
  /** Ends the cluster; undefined: that is not for REST. */
  readonly shutdown?: (() => void) | undefined
  /** What this process tells of itself. */
  readonly process: ProcessInspection
  /** Uploads and running them; undefined: `web.submit.enable` is false. */
  readonly submissions?: Submissions | undefined
  /** Operations whose results somebody waits for. */
  readonly unfetched: Unfetched
}

/** An error with the status that it answers with; its text is for the user. */
export class RestError extends Error {
  readonly statusCode: number
  constructor(statusCode: number, message: string) {
    super(message)
    this.name = 'RestError'
    this.statusCode = statusCode
  }
}

/** Ids of jobs, vertices and operations. */
export const hex32 = (what: string) => z.string().regex(/^[0-9a-f]{32}$/i, `${what} must be 32 hexadecimal digits`)

export const jobParams = z.object({ jobid: hex32('the job id').toLowerCase() })
export const vertexParams = jobParams.extend({ vertexid: hex32('the vertex id').toLowerCase() })
export const subtaskParams = vertexParams.extend({
  subtaskindex: z.coerce.number('the subtask index must be a number').int().min(0),
})

/** The job of a path; 404 if there is none. */
export function jobOf(context: RestContext, jobId: string): JobView {
  const job = context.cluster.view(jobId)
  if (job === undefined) throw new RestError(404, `Cannot find job ${jobId}: the cluster knows no job of this id`)
  return job
}

/** The vertex of a path; 404 if the job has none such. */
export function vertexOf(job: JobView, vertexId: string): VertexView {
  const vertex = job.vertices.find(({ id }) => id === vertexId)
  if (vertex !== undefined) return vertex
  throw new RestError(404, `Cannot find vertex ${vertexId}: job ${job.id} (${job.name}) has no vertex of this id`)
}

/** Number of a subtask that exists; 404 otherwise. */
export function subtaskOf(vertex: VertexView, index: number): VertexView['subtasks'][number] {
  const subtask = vertex.subtasks.find((one) => one.index === index)
  if (subtask !== undefined) return subtask
  throw new RestError(
    404,
    `Cannot find subtask ${index}: vertex ${vertex.id} (${vertex.name}) has subtasks 0 to ${vertex.parallelism - 1}`,
  )
}

/** `?get=a,b` and `?get=a&get=b`. */
export const list = z
  .union([z.string(), z.array(z.string())])
  .transform((value) =>
    [value]
      .flat()
      .flatMap((text) => text.split(','))
      .map((text) => text.trim())
      .filter(Boolean),
  )
  .optional()
