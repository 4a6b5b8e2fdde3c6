/** `/jobs/:jobid/live`: a job's numbers every second, as server-sent events (live-messages.ts). Ours, for the page. */
import { jobEnded } from '../metrics/measured.ts'
import { type App, jobOf, jobParams, type RestContext, RestError } from './common.ts'
import { liveNumbers, livePlan } from './live-view.ts'

const EVERY_MS = 1000
/** Each costs a timer and a look at the metrics a second. */
const LISTENERS_MAX = 64

export function liveRoutes(app: App, context: RestContext): void {
  const { cluster, metrics } = context
  const open = new Set<() => void>()
  // A cluster that ends with its job still says how the job ended.
  app.addHook('preClose', async () => {
    for (const tick of open) tick()
  })

  app.get('/jobs/:jobid/live', { schema: { params: jobParams } }, (request, reply) => {
    const job = jobOf(context, request.params.jobid)
    if (open.size >= LISTENERS_MAX) {
      throw new RestError(503, `Cannot show job ${job.id} live: ${LISTENERS_MAX} pages are open already`)
    }
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
      clearInterval(timer)
      open.delete(tick)
      send('end', {})
      stream.end()
    }
    const timer = setInterval(tick, EVERY_MS)
    timer.unref()
    open.add(tick)
    stream.once('close', () => {
      clearInterval(timer)
      open.delete(tick)
    })
    send('plan', livePlan(job))
    tick()
  })
}
