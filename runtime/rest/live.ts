/** `/jobs/:jobid/live`: a job's numbers every second, as server-sent events (live-messages.ts). Ours, for the page. */
import { jobEnded } from '../metrics/measured.ts'
import { type App, jobOf, jobParams, type RestContext, RestError } from './common.ts'
import { liveNumbers, livePlan } from './live-view.ts'

const EVERY_MS = 1000
/** Each costs a timer and a look at the metrics a second. */
const LISTENERS_MAX = 64

export function liveRoutes(app: App, context: RestContext): void {
  const { cluster, metrics } = context
  let listeners = 0

  app.get('/jobs/:jobid/live', { schema: { params: jobParams } }, (request, reply) => {
    const job = jobOf(context, request.params.jobid)
    if (listeners >= LISTENERS_MAX) {
      throw new RestError(503, `Cannot show job ${job.id} live: ${LISTENERS_MAX} pages are open already`)
    }
    listeners++
    reply.hijack()
    const stream = reply.raw
    stream.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      'x-accel-buffering': 'no',
    })
    const send = (event: string, data: unknown) => stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    const tick = () => {
      const now = cluster.view(job.id)
      // A reader that does not keep up gets fewer numbers, not a queue of them.
      if (now !== undefined && !stream.writableNeedDrain) {
        send('numbers', liveNumbers(now, metrics.read(now), metrics.nowMs(), metrics.timeMs()))
      }
      if (now !== undefined && !jobEnded(now.status)) return
      send('end', {})
      stream.end()
    }
    const timer = setInterval(tick, EVERY_MS)
    timer.unref()
    stream.once('close', () => {
      clearInterval(timer)
      listeners--
    })
    send('plan', livePlan(job))
    tick()
  })
}
