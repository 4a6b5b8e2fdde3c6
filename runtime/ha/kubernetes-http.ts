/**
 * Requests to an API server by Node's own HTTP: connections are kept and used again, with the certificates and tokens that hold at the moment of each request.
 */
import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'
import { StringDecoder } from 'node:string_decoder'
import type { KubeAccess, TlsOptions } from './kubernetes-access.ts'
import type { KubeTransport, StreamEvents, TransportRequest, TransportResponse } from './kubernetes-transport.ts'

/** Of an answer; a page of 500 large pods has some 10 MB. */
const BODY_BYTES_MAX = 256 * 2 ** 20
/** Of one event of a watch; etcd takes objects of up to 1.5 MB. */
const LINE_CHARACTERS_MAX = 16 * 2 ** 20

/**
 * @param userAgent such as `tailrace-operator/0.1.0`
 *
 * @example
 * const transport = httpTransport(await openAccess({ environment: process.env, clock }), 'tailrace-operator/0.1.0')
 */
export function httpTransport(access: KubeAccess, userAgent: string): KubeTransport {
  return new HttpTransport(access, userAgent)
}

class HttpTransport implements KubeTransport {
  readonly server: string
  readonly #access: KubeAccess
  readonly #userAgent: string
  readonly #isTls: boolean
  #agent: http.Agent | undefined
  /** What the agent's connections were made with. */
  #agentTls = ''

  constructor(access: KubeAccess, userAgent: string) {
    this.server = access.server
    this.#access = access
    this.#userAgent = userAgent
    this.#isTls = access.server.startsWith('https:')
  }

  async request(request: TransportRequest): Promise<TransportResponse> {
    const sent = await this.#send(request)
    const response = await answer(sent)
    return await whole(response)
  }

  stream(request: TransportRequest, events: StreamEvents): void {
    const { signal } = request
    let over = false
    const end = (how: Parameters<StreamEvents['ended']>[0]) => {
      if (over || signal.aborted) return
      over = true
      events.ended(how)
    }
    const receive = async () => {
      const response = await answer(await this.#send(request))
      if (response.statusCode !== 200) return end({ response: await whole(response) })
      events.heard()
      const decoder = new StringDecoder('utf8')
      let rest = ''
      for await (const chunk of response) {
        if (signal.aborted) return
        events.heard()
        const lines = (rest + decoder.write(chunk as Buffer)).split('\n')
        rest = lines.pop()!
        if (rest.length > LINE_CHARACTERS_MAX) {
          response.destroy()
          throw new Error(`an event has more than ${LINE_CHARACTERS_MAX} characters`)
        }
        for (const text of lines) events.line(text)
      }
      end({})
    }
    receive().catch((error) => end({ error }))
  }

  close(): void {
    this.#agent?.destroy()
  }

  async #send({ method, path, headers, body, signal }: TransportRequest): Promise<ClientRequest> {
    const { headers: credentials, tls, agent } = await this.#access.credentials()
    signal.throwIfAborted()
    const bytes = body === undefined ? undefined : Buffer.from(body)
    const all = {
      'user-agent': this.#userAgent,
      ...credentials,
      ...headers,
      ...(bytes !== undefined && { 'content-length': String(bytes.length) }),
    }
    const options = { method, headers: all, agent: agent ?? this.#agentFor(tls) }
    const request = (this.#isTls ? https : http).request(`${this.server}${path}`, options)
    // Not by Node's option `signal`: that destroys sockets with an error, also ones that nobody listens to at that moment.
    const giveUp = () => void request.destroy()
    signal.addEventListener('abort', giveUp, { once: true })
    request.once('close', () => signal.removeEventListener('abort', giveUp))
    request.end(bytes)
    return request
  }

  /** Another when certificates have changed. */
  #agentFor(tls: TlsOptions): http.Agent {
    const text = JSON.stringify(tls)
    if (this.#agent !== undefined && text === this.#agentTls) return this.#agent
    // Requests that are under way keep theirs.
    const before = this.#agent
    if (before !== undefined)
      for (const sockets of Object.values(before.freeSockets)) for (const one of sockets ?? []) one.destroy()
    const options = { keepAlive: true, keepAliveMsecs: 15_000, scheduling: 'lifo' as const }
    this.#agent = this.#isTls ? new https.Agent({ ...options, ...tls }) : new http.Agent(options)
    this.#agentTls = text
    return this.#agent
  }
}

function answer(request: ClientRequest): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request.once('response', (response) => {
      // Whoever reads it hears of it; one that is aborted while nobody reads it must not end the process.
      response.on('error', () => {})
      resolve(response)
    })
    // Also after the answer has begun: what is read from it fails, too.
    request.on('error', reject)
  })
}

async function whole(response: IncomingMessage): Promise<TransportResponse> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response) {
    bytes += (chunk as Buffer).length
    if (bytes > BODY_BYTES_MAX) {
      response.destroy()
      throw new Error(`the answer has more than ${BODY_BYTES_MAX} bytes`)
    }
    chunks.push(chunk as Buffer)
  }
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks).toString() }
}
