/**
 * The Prometheus endpoint: GET on any path answers with all metrics, as Flink's reporter does, but for the probes `/healthz` (the main loop turns) and `/readyz`. Lives on the main thread and reads
 * shared memory only, so a scrape never waits for a slot.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { hostname } from 'node:os'
import { allSamples } from './cluster-samples.ts'
import { listenOnFirst } from './listen.ts'
import { type PrometheusOptions, prometheusText } from './prometheus.ts'
import type { MetricsReader } from './reader.ts'
import type { Sample } from './sample.ts'

export interface MetricsServerOptions extends PrometheusOptions {
  source: MetricsReader
  /** What it tells; all of a cluster unless given. */
  samples?: (source: MetricsReader, host: string) => Iterable<Sample>
  /** Why the process is not ready to work; undefined: it is, as it always is unless this is given. */
  unready?: () => string | undefined
  /** A number, 0 for any, or a range such as `9250-9260`. */
  port?: number | string
  /** Address to bind. */
  host?: string
  /** The label `host` of all metrics. */
  hostLabel?: string
}

export interface MetricsServer {
  readonly port: number
  close(): Promise<void>
}

/**
 * @example
 * const server = await startMetricsServer({ source: reader, port: '9249-9259' })
 * await fetch(`http://127.0.0.1:${server.port}/metrics`)
 */
export async function startMetricsServer({
  source,
  samples = allSamples,
  unready = () => undefined,
  port = 9249,
  host = '127.0.0.1',
  hostLabel = hostname(),
  ...options
}: MetricsServerOptions): Promise<MetricsServer> {
  const server = createServer((request, response) => {
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end()
      return
    }
    const path = request.url?.split('?')[0]
    if (path === '/healthz' || path === '/readyz') {
      const why = path === '/readyz' ? unready() : undefined
      response.writeHead(why === undefined ? 200 : 503, { 'content-type': 'text/plain' }).end(`${why ?? 'ok'}\n`)
      return
    }
    prometheusText(samples(source, hostLabel), options).then(
      ({ contentType, body }) => response.writeHead(200, { 'content-type': contentType }).end(body),
      (error: unknown) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${String(error)}\n`),
    )
  })
  await listenOnFirst(port, 'metrics (metrics.reporter.prom.port)', (one) => listen(server, one, host))
  server.unref()
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function listen(server: Server, port: number, host: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
