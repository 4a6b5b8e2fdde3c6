/**
 * Stands between a client and an HTTP server and spoils what it is told to. Requests go on with their headers as they came, so signatures stay valid.
 */
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http'
import { closeServer, listen } from './toy-s3.suite.ts'

export type ProxyFault =
  /** Answers 503 and passes nothing on. */
  | 'busy'
  /** Closes the connection and passes nothing on. */
  | 'reset'
  /** Passes it on, and closes the connection instead of answering. */
  | 'lost'
  /** Passes it on, and never answers. */
  | 'silent'
  /** Passes it on, and closes its half of the connection in the middle of the answer; the other half stays open. */
  | 'half'
  /** As `half`, before the answer has begun. */
  | 'mute'
  /** Passes it on, and stops in the middle of the answer; the connection stays open. */
  | 'stall'

export const PROXY_FAULTS: readonly ProxyFault[] = ['busy', 'reset', 'lost', 'silent', 'half', 'mute', 'stall']

export interface FaultyProxy {
  endpoint: string
  /** Asked for each request. */
  fault: (method: string, path: string) => ProxyFault | undefined
  /** How often each happened. */
  counts: Map<ProxyFault, number>
  close(): Promise<void>
}

export async function startFaultyProxy(target: string): Promise<FaultyProxy> {
  const counts = new Map<ProxyFault, number>()
  const { hostname, port } = new URL(target)

  const pass = (request: IncomingMessage, body: Buffer): Promise<{ answer: IncomingMessage; body: Buffer }> =>
    new Promise((resolve, reject) => {
      const { method, url: path, rawHeaders } = request
      const onward = httpRequest(
        { hostname, port, method, path, headers: rawHeaders, agent: false },
        async (answer) => {
          resolve({ answer, body: await read(answer).catch(() => Buffer.alloc(0)) })
        },
      )
      onward.on('error', reject)
      onward.end(body)
    })

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await read(request)
    const fault = proxy.fault(request.method!, request.url!)
    if (fault !== undefined) counts.set(fault, (counts.get(fault) ?? 0) + 1)
    if (fault === 'reset') return void request.socket.destroy()
    if (fault === 'busy') {
      response.writeHead(503)
      return void response.end('<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>slow down</Message></Error>')
    }
    const passed = await pass(request, body)
    if (fault === 'silent') return
    if (fault === 'lost') return void request.socket.destroy()
    // Ends our half only: the client has to notice that there is no more.
    if (fault === 'mute') return void request.socket.end()
    if (fault === undefined) {
      response.writeHead(passed.answer.statusCode!, passed.answer.rawHeaders)
      return void response.end(passed.body)
    }
    request.socket.write(`HTTP/1.1 ${passed.answer.statusCode} x\r\ncontent-length: ${passed.body.length + 1}\r\n\r\n`)
    const half = passed.body.subarray(0, passed.body.length / 2)
    if (fault === 'half') request.socket.end(half)
    else request.socket.write(half)
  }

  const server = createServer({ keepAlive: true }, (request, response) => {
    handle(request, response).catch(() => request.socket.destroy())
  })
  const proxy: FaultyProxy = {
    endpoint: await listen(server),
    fault: () => undefined,
    counts,
    close: () => closeServer(server),
  }
  return proxy
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}
