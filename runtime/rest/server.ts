/**
 * The JobManager's REST API: Flink's paths, with or without the prefix `/v1`, and the page at `/`.
 *
 * One file for each resource, its schemas beside it; to add an endpoint, add a route and its schemas there. Handlers ask the
 * cluster's read model (rpc/views.ts) and shared memory, so an answer never waits for a slot. Errors are `{"errors": [...]}`.
 * The server binds loopback unless told otherwise: there is no authentication.
 */
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { type FastifyInstance, fastify } from 'fastify'
import { serializerCompiler, validatorCompiler, type ZodTypeProvider } from 'fastify-type-provider-zod'
import type { Submissions } from '../artifacts/submission.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import { ERRORS, isTailraceError } from '../core/errors.ts'
import { listenOnFirst } from '../metrics/listen.ts'
import { mainThread } from '../metrics/main-thread.ts'
import { MetricsReader } from '../metrics/reader.ts'
import type { Cluster, ProcessInspection } from '../rpc/views.ts'
import { accumulatorRoutes } from './accumulators.ts'
import { changesRoutes } from './changes.ts'
import { checkpointRoutes } from './checkpoints.ts'
import { clusterRoutes } from './cluster.ts'
import type { RestContext } from './common.ts'
import { exceptionRoutes } from './exceptions.ts'
import { inspectionRoutes, NO_LOGS } from './inspection.ts'
import { jarRoutes } from './jars.ts'
import { jobRoutes } from './job.ts'
import { jobManagerRoutes } from './jobmanager.ts'
import { jobsRoutes } from './jobs.ts'
import { liveRoutes } from './live.ts'
import { metricsRoutes } from './metrics.ts'
import { operationRoutes } from './operations.ts'
import { pageRoutes } from './page.ts'
import { rescaleRoutes } from './rescales.ts'
import { taskManagerRoutes } from './taskmanagers.ts'
import { Unfetched } from './unfetched.ts'
import { packageVersion } from './version.ts'
import { vertexRoutes } from './vertices.ts'

export interface RestOptions {
  dispatcher: Cluster
  /** Started by the caller and shared with the metrics server; absent: one of its own. */
  metrics?: MetricsReader
  /** A number, 0 for any, or a range such as `8081-8090`. */
  port?: number | string
  /** Address to bind; `0.0.0.0` for all. */
  host?: string
  clock?: Clock
  /** Configuration of the cluster, shown with secrets masked. */
  configuration?: Readonly<Record<string, string>>
  /** `web.cancel.enable`. */
  canCancel?: boolean
  /** `web.rescale.enable`. */
  canRescale?: boolean
  /** What `DELETE /cluster` does; absent: it is refused. */
  shutdown?: (() => void) | undefined
  /** Logs of this process; absent: it keeps none. */
  logs?: Pick<ProcessInspection, 'listLogs' | 'readLog'> | undefined
  /** Uploads and running them; absent: `web.submit.enable` is false. */
  submissions?: Submissions | undefined
  /** Closing waits for so long until the results of operations are fetched; 0 by default. */
  lingerMs?: number
}

export interface RestServer {
  readonly port: number
  /** `http://localhost:8081` */
  readonly url: string
  close(): Promise<void>
}

/**
 * @example
 * const rest = await startRest({ dispatcher, port: '8081-8090' })
 * console.log(rest.url)
 * await rest.close()
 */
export async function startRest({
  dispatcher,
  clock = systemClock,
  metrics,
  port = 8081,
  host = '127.0.0.1',
  configuration = {},
  canCancel = true,
  canRescale = true,
  shutdown,
  logs = NO_LOGS,
  submissions,
  lingerMs = 0,
}: RestOptions): Promise<RestServer> {
  const reader = metrics ?? new MetricsReader(dispatcher, clock)
  if (metrics === undefined) reader.start()
  const unfetched = new Unfetched(lingerMs)
  const app = createApp({
    cluster: dispatcher,
    metrics: reader,
    clock,
    configuration,
    canCancel,
    canRescale,
    shutdown,
    process: {
      listLogs: () => logs.listLogs(),
      readLog: (...piece) => logs.readLog(...piece),
      threadDump: async () => [mainThread(reader.process)],
    },
    submissions,
    unfetched,
    version: packageVersion(),
    host: hostname(),
  })
  await listenOnFirst(port, 'REST and the page (rest.port)', (one) => app.listen({ port: one, host }))
  const bound = (app.server.address() as AddressInfo).port
  const name = host === '127.0.0.1' || host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return {
    port: bound,
    url: `http://${name.includes(':') ? `[${name}]` : name}:${bound}`,
    close: async () => {
      await unfetched.gone()
      await app.close()
      if (metrics === undefined) reader.stop()
    },
  }
}

/** The server before it listens. */
export function createApp(context: RestContext) {
  const app = fastify({
    // Streams of pages that are open would otherwise hold a closing server.
    forceCloseConnections: true,
    routerOptions: { ignoreTrailingSlash: true },
    rewriteUrl: ({ url = '/' }) => (/^\/v1(?=[/?]|$)/.test(url) ? url.slice(3) || '/' : url),
  }).withTypeProvider<ZodTypeProvider>()
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  acceptJson(app)
  app.addHook('onRequest', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff')
  })
  app.setNotFoundHandler((request, reply) =>
    reply.code(404).send({ errors: [`Cannot find ${request.method} ${request.url}: there is no such path`] }),
  )
  app.setErrorHandler(
    (error: Error & { code?: string; statusCode?: number; validation?: readonly unknown[] }, _request, reply) => {
      const { code, statusCode, message, validation } = error
      if (code === 'FST_ERR_CTP_INVALID_MEDIA_TYPE')
        return reply.code(415).send({ errors: ['Cannot read the request: content-type: application/json is wanted'] })
      if (validation !== undefined) return reply.code(400).send({ errors: [`Cannot read the request: ${message}`] })
      const known = isTailraceError(error) ? `${error.code}: ` : ''
      const again = isTailraceError(error) && ERRORS[error.code].retry
      return reply.code(statusCode ?? (again ? 503 : 500)).send({ errors: [`${known}${message}`] })
    },
  )
  clusterRoutes(app, context)
  jobsRoutes(app, context)
  jobRoutes(app, context)
  exceptionRoutes(app, context)
  checkpointRoutes(app, context)
  operationRoutes(app, context)
  jarRoutes(app, context)
  vertexRoutes(app, context)
  metricsRoutes(app, context)
  taskManagerRoutes(app, context)
  jobManagerRoutes(app, context)
  inspectionRoutes(app, context)
  accumulatorRoutes(app, context)
  rescaleRoutes(app, context)
  liveRoutes(app, context)
  changesRoutes(app, context)
  app.register(pageRoutes)
  return app
}

/**
 * Bodies are JSON, and said to be: a browser sends that to another site only when the site allows it, so no page that a user happens to visit can stop a job.
 * An empty one is none.
 */
function acceptJson(
  app: Pick<FastifyInstance, 'addContentTypeParser' | 'getDefaultJsonParser' | 'removeAllContentTypeParsers'>,
): void {
  const parse = app.getDefaultJsonParser('error', 'error')
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', { parseAs: 'string' }, (request, body, done) =>
    body === '' ? done(null, undefined) : parse(request, body as string, done),
  )
}
