/**
 * What Kubernetes and Prometheus ask the operator.
 *
 *     /livez, /healthz    200 while the process works; it is started again when they do not answer. That the API server cannot be reached is no reason: starting again would not help.
 *     /readyz             200 when the caches are filled and the API server was heard of late; for leaders and those who stand by
 *     /metrics            on a port of its own
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { listenOnFirst } from '../runtime/metrics/listen.ts'
import type { Reflector } from './kube/reflector.ts'
import type { OperatorMetrics } from './metrics.ts'

export interface OperatorServer {
  readonly port: number
  close(): Promise<void>
}

export interface Health {
  readonly role: 'leader' | 'standby' | 'ending'
  readonly reflectors: ReadonlyMap<string, Reflector>
}

/** Bookmarks come each minute, and a watch that is silent for 150 s is opened again. */
const SILENT_MAX_MS = 240_000

/** @param port a number, or a range of which the first free one is taken */
export function serveHealth(port: string, health: Health): Promise<OperatorServer> {
  return serve(port, 'health (--health-port)', (request, response) => {
    const path = request.url?.split('?')[0]
    if (path === '/livez' || path === '/healthz') return answer(response, 200, { role: health.role })
    if (path !== '/readyz') return answer(response, 404, { paths: ['/livez', '/healthz', '/readyz'] })
    const troubles = [...health.reflectors].flatMap(([name, { isSynced, silentMs }]) => {
      if (!isSynced) return [`${name}: not listed yet`]
      return silentMs > SILENT_MAX_MS ? [`${name}: nothing was heard for ${Math.round(silentMs / 1000)} s`] : []
    })
    answer(response, troubles.length === 0 ? 200 : 503, { role: health.role, troubles })
  })
}

export function serveMetrics(port: string, metrics: OperatorMetrics): Promise<OperatorServer> {
  return serve(port, 'metrics (--metrics-port)', (_, response) => {
    metrics.registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': metrics.registry.contentType }).end(text),
      (error: unknown) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${String(error)}\n`),
    )
  })
}

async function serve(
  port: string,
  what: string,
  reply: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<OperatorServer> {
  const server = createServer((request, response) => {
    if (request.method === 'GET' || request.method === 'HEAD') reply(request, response)
    else response.writeHead(405, { allow: 'GET, HEAD' }).end()
  })
  await listenOnFirst(port, what, (one) => listen(server, one))
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

/** On all addresses: the kubelet asks from outside of the pod. */
function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, () => {
      server.off('error', reject)
      resolve()
    })
  })
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`)
}
