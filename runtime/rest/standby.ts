/**
 * REST of a JobManager that does not lead: it is alive (`/healthz`), and every other request, `/readyz` too, is answered with 503 and who leads, as far as is known. Flink's standbys do the same while nobody leads, and pass requests on
 * to the leader otherwise; here whoever asks goes there.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { listenOnFirst } from '../metrics/listen.ts'

export interface StandbyRest {
  readonly port: number
  close(): Promise<void>
}

export interface StandbyOptions {
  port: number | string
  host: string
  /** Who leads, for people: `"jobmanager-0" at 10.0.0.7:6123`. */
  leader(): string | undefined
}

/** When to ask again. */
const RETRY_SECONDS = '1'

/** Rejects with TR-CLUSTER-003 when the ports are taken. */
export async function startStandbyRest({ port, host, leader }: StandbyOptions): Promise<StandbyRest> {
  const server = createServer((request, response) => {
    request.resume()
    if (request.url === '/healthz') {
      response.writeHead(200, { 'content-type': 'application/json; charset=utf-8' }).end('{"status":"ok"}')
      return
    }
    const who = leader()
    const found = who === undefined ? 'nobody leads yet' : `${who} leads`
    const text = `Cannot answer ${request.method} ${request.url}: this JobManager stands by, ${found}; wanted is the leader`
    response.writeHead(503, { 'content-type': 'application/json; charset=utf-8', 'retry-after': RETRY_SECONDS })
    response.end(JSON.stringify({ errors: [text] }))
  })
  const listen = (one: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(one, host, () => {
        server.off('error', reject)
        resolve()
      })
    })
  await listenOnFirst(port, 'REST and the page (rest.port)', listen)
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
