/** The cluster as a whole. */
import { z } from 'zod'
import { dashboard, overview } from './cluster-schemas.ts'
import { type App, type RestContext, RestError } from './common.ts'
import { sameSiteOnly } from './same-site.ts'

const probe = z.object({ status: z.string() })

/** Of whose REST contract this is an implementation; clients that probe for a version read it. */
const COMPATIBLE_WITH = '2.3'

export function clusterRoutes(app: App, context: RestContext): void {
  const { cluster, clock, version, canCancel, canRescale, shutdown, submissions } = context

  // Who answers at all is alive: its main loop turns.
  app.get('/healthz', { schema: { response: { 200: probe } } }, () => ({ status: 'ok' }))
  // One that stands by answers 503 (standby.ts).
  app.get('/readyz', { schema: { response: { 200: probe } } }, () => ({ status: 'ok' }))

  app.get('/overview', { schema: { response: { 200: overview } } }, () => {
    const { slots } = cluster.cluster()
    const jobs = cluster.list()
    const count = (...statuses: string[]) => jobs.filter(({ status }) => statuses.includes(status)).length
    const ended = count('FINISHED', 'CANCELED', 'FAILED')
    return {
      taskmanagers: cluster.taskManagers()?.length ?? 1,
      'taskmanagers-blocked': 0,
      'slots-total': slots.length,
      'slots-available': slots.filter(({ state }) => state !== 'busy').length,
      'slots-free-and-blocked': 0,
      'jobs-running': jobs.length - ended,
      'jobs-finished': count('FINISHED'),
      'jobs-cancelled': count('CANCELED'),
      'jobs-failed': count('FAILED'),
      'flink-version': COMPATIBLE_WITH,
      'flink-commit': 'tailrace',
      'tailrace-version': version,
    }
  })

  // No data set outlives its job here.
  app.get('/datasets', { schema: { response: { 200: z.object({ dataSets: z.array(z.never()) }) } } }, () => ({
    dataSets: [],
  }))

  app.delete('/cluster', { onRequest: sameSiteOnly, schema: { response: { 200: z.object({}) } } }, async (_, reply) => {
    if (shutdown === undefined || !canCancel)
      throw new RestError(
        403,
        `Cannot end the cluster: ${canCancel ? 'it ends by itself' : 'that is switched off by web.cancel.enable'}`,
      )
    // Who asks is answered first.
    reply.raw.once('finish', shutdown)
    return {}
  })

  app.get('/config', { schema: { response: { 200: dashboard } } }, () => ({
    'refresh-interval': 3000,
    'timezone-name': Intl.DateTimeFormat().resolvedOptions().timeZone,
    // `-0` is not an integer to everyone.
    'timezone-offset': -new Date(clock.now()).getTimezoneOffset() * 60_000 || 0,
    'flink-version': COMPATIBLE_WITH,
    'flink-revision': 'tailrace',
    'tailrace-version': version,
    features: {
      'web-submit': submissions !== undefined,
      'web-cancel': canCancel,
      'web-rescale': canRescale,
      'web-history': false,
    },
  }))
}
