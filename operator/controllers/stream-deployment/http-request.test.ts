/** Requests to JobManagers by Node's own HTTP. */
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { sendJson } from './http-request.ts'

let server: Server
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

async function serve(listener: RequestListener): Promise<string> {
  server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

it('sends JSON, and gives what was answered, over one connection', async () => {
  const sockets = new Set<Socket>()
  const url = await serve(async (request, response) => {
    sockets.add(request.socket)
    let body = ''
    for await (const chunk of request) body += chunk
    response.writeHead(202).end(`${request.method} ${request.url} ${request.headers['content-type']} ${body}`)
  })
  const post = { method: 'POST', url: `${url}/jobs/a/savepoints`, body: { triggerId: 'ü' }, timeoutMs: 5_000 }
  const text = 'POST /jobs/a/savepoints application/json {"triggerId":"ü"}'
  expect(await sendJson(post)).toEqual({ status: 202, text })
  expect(await sendJson({ method: 'GET', url: `${url}/x?y=1`, timeoutMs: 5_000 })).toEqual({
    status: 202,
    text: 'GET /x?y=1 undefined ',
  })
  expect(sockets.size).toBe(1)
})

it('ends by its time, by its signal and when the other side is gone', async () => {
  const url = await serve((request) => {
    if (request.url === '/gone') request.socket.destroy()
  })
  const request = { method: 'GET', url: `${url}/silent`, timeoutMs: 60_000 }
  await expect(sendJson({ ...request, timeoutMs: 20 })).rejects.toThrow('given up')
  const abort = new AbortController()
  const waiting = sendJson({ ...request, signal: abort.signal })
  abort.abort()
  await expect(waiting).rejects.toThrow('given up')
  await expect(sendJson({ ...request, signal: abort.signal })).rejects.toThrow('aborted')
  await expect(sendJson({ ...request, url: `${url}/gone` })).rejects.toThrow()
})

it('asks again when a kept connection was closed under it', async () => {
  let cuts = 1
  const asked: string[] = []
  const url = await serve((request, response) => {
    asked.push(request.url!)
    if (request.url === '/second' && cuts-- > 0) request.socket.destroy()
    else response.end('here')
  })
  const get = (path: string) => sendJson({ method: 'GET', url: `${url}${path}`, timeoutMs: 5_000 })
  await get('/first')
  expect(await get('/second')).toEqual({ status: 200, text: 'here' })
  expect(asked).toEqual(['/first', '/second', '/second'])
  cuts = 9
  await expect(get('/second')).rejects.toThrow()
})
