/**
 * An API server of Kubernetes in memory, over HTTP, with one kind of object: Leases. It has the semantics that an election stands on: uid and resourceVersion, 409 for a stale
 * replacement and for a creation of what is there, 404, fields that are checked, watches from a version with bookmarks and time-outs, 410 Gone for versions that are too old; and
 * what goes wrong: delays, errors, answers that never come, answers that are lost after the effect, watches that end or fall silent.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface ApiObject {
  metadata: { name: string; namespace: string; uid: string; resourceVersion: string; [field: string]: unknown }
  [field: string]: unknown
}

export interface ApiRequest {
  verb: 'get' | 'create' | 'update' | 'watch' | 'delete'
  name: string | undefined
}

/** What to do with a request instead of answering it. */
export type ApiFault =
  | { status: number; retryAfter?: number }
  | { delayMs: number }
  /** The connection is cut before or after it takes effect. */
  | 'cutBefore'
  | 'cutAfter'
  /** Neither effect nor answer. */
  | 'hang'

interface Watcher {
  response: ServerResponse
  namespace: string
  name: string | undefined
  deaf: boolean
}

const REASONS: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  409: 'Conflict',
  410: 'Expired',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
}

export class ApiServer {
  /** What was asked, in order. */
  readonly requests: ApiRequest[] = []
  fault: (request: ApiRequest) => ApiFault | undefined = () => undefined
  readonly #server: Server
  readonly #objects = new Map<string, ApiObject>()
  readonly #watchers = new Set<Watcher>()
  #history: { version: number; type: string; object: ApiObject }[] = []
  #version = 1000
  #compacted = 1000
  #uids = 0

  constructor() {
    this.#server = createServer((request, response) => void this.#receive(request, response))
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  lease(namespace: string, name: string): any {
    return structuredClone(this.#objects.get(`${namespace}/${name}`))
  }

  /** As the operator does it, or a person. */
  put(namespace: string, name: string, object: Record<string, unknown>): ApiObject {
    const before = this.#objects.get(`${namespace}/${name}`)
    const metadata = { ...(object.metadata as object), namespace, name, uid: before?.metadata.uid ?? this.#newUid() }
    return this.#store(before === undefined ? 'ADDED' : 'MODIFIED', { ...object, metadata })
  }

  remove(namespace: string, name: string): void {
    const object = this.#objects.get(`${namespace}/${name}`)
    if (object !== undefined) this.#store('DELETED', object)
  }

  /** Watches can begin from now on only. */
  compact(): void {
    this.#history = []
    this.#compacted = this.#version
  }

  get watches(): number {
    return this.#watchers.size
  }

  endWatches(how: 'peace' | 'cut' | 'deaf' | 'gone'): void {
    for (const watcher of [...this.#watchers]) {
      if (how === 'deaf') watcher.deaf = true
      else if (how === 'cut') watcher.response.destroy()
      else if (how === 'gone') watcher.response.end(line('ERROR', status(410, 'too old resource version')))
      else watcher.response.end()
      this.#watchers.delete(watcher)
    }
  }

  bookmark(): void {
    for (const watcher of this.#watchers) {
      const metadata = { resourceVersion: String(this.#version) }
      watcher.response.write(line('BOOKMARK', { kind: 'Lease', apiVersion: 'coordination.k8s.io/v1', metadata }))
    }
  }

  async #receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const url = new URL(request.url ?? '/', 'http://server')
    const match = /^\/apis\/coordination\.k8s\.io\/v1\/namespaces\/([^/]+)\/leases(?:\/([^/]+))?$/.exec(url.pathname)
    if (match === null) return answer(response, 404, status(404, 'the server could not find the requested resource'))
    const [, namespace = '', inPath] = match
    const query = url.searchParams
    const isWatch = query.get('watch') === 'true'
    const verb = isWatch ? 'watch' : ({ GET: 'get', POST: 'create', PUT: 'update' } as const)[request.method ?? '']
    if (verb === undefined) return answer(response, 405, status(400, `no ${request.method} here`))
    const asked: ApiRequest = {
      verb,
      name: inPath ?? /^metadata\.name=(.+)$/.exec(query.get('fieldSelector') ?? '')?.[1],
    }
    this.requests.push(asked)
    const fault = this.fault(asked)
    if (fault === 'hang') return
    if (fault === 'cutBefore') return void response.destroy()
    if (typeof fault === 'object' && 'status' in fault) {
      if (fault.retryAfter !== undefined) response.setHeader('Retry-After', String(fault.retryAfter))
      return answer(response, fault.status, status(fault.status, 'as the test wants it'))
    }
    if (typeof fault === 'object') await new Promise((resolve) => setTimeout(resolve, fault.delayMs))
    if (isWatch) return this.#watch(response, namespace, asked.name, query)
    const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : undefined
    const [code, result] = this.#do(verb, namespace, inPath, body)
    if (fault === 'cutAfter') return void response.destroy()
    answer(response, code, result)
  }

  #do(verb: ApiRequest['verb'], namespace: string, inPath: string | undefined, body: any): [number, unknown] {
    const name = inPath ?? body?.metadata?.name
    const found = this.#objects.get(`${namespace}/${name}`)
    if (verb === 'create') {
      if (body.metadata.resourceVersion !== undefined) return [400, status(400, 'resourceVersion should not be set')]
      if (found !== undefined)
        return [409, { ...status(409, `leases "${name}" already exists`), reason: 'AlreadyExists' }]
      const problem = invalid(body)
      if (problem !== undefined) return [422, status(422, problem)]
      const metadata = { ...body.metadata, namespace, name, uid: this.#newUid() }
      return [201, this.#store('ADDED', { ...body, metadata })]
    }
    if (found === undefined) return [404, status(404, `leases "${name}" not found`)]
    if (verb === 'get') return [200, found]
    const { uid, resourceVersion } = body.metadata
    if (uid !== undefined && uid !== found.metadata.uid)
      return [409, status(409, 'the UID in the precondition differs')]
    if (resourceVersion !== undefined && resourceVersion !== found.metadata.resourceVersion)
      return [409, status(409, 'the object has been modified; please apply your changes to the latest version')]
    const problem = invalid(body)
    if (problem !== undefined) return [422, status(422, problem)]
    const metadata = { ...body.metadata, namespace, name, uid: found.metadata.uid }
    return [200, this.#store('MODIFIED', { ...body, metadata })]
  }

  #store(type: 'ADDED' | 'MODIFIED' | 'DELETED', given: Record<string, unknown>): ApiObject {
    const version = ++this.#version
    const object = structuredClone(given) as ApiObject
    Object.assign(object, { apiVersion: 'coordination.k8s.io/v1', kind: 'Lease' })
    object.metadata.resourceVersion = String(version)
    const key = `${object.metadata.namespace}/${object.metadata.name}`
    if (type === 'DELETED') this.#objects.delete(key)
    else this.#objects.set(key, object)
    this.#history.push({ version, type, object })
    for (const watcher of this.#watchers) deliver(watcher, type, object)
    return object
  }

  #watch(response: ServerResponse, namespace: string, name: string | undefined, query: URLSearchParams): void {
    const from = query.get('resourceVersion')
    if (from !== null && Number(from) < this.#compacted) {
      answer(response, 410, status(410, `too old resource version: ${from}`))
      return
    }
    response.writeHead(200, { 'Content-Type': 'application/json', 'Transfer-Encoding': 'chunked' })
    response.flushHeaders()
    const watcher: Watcher = { response, namespace, name, deaf: false }
    this.#watchers.add(watcher)
    response.on('close', () => this.#watchers.delete(watcher))
    if (from === null) for (const object of this.#objects.values()) deliver(watcher, 'ADDED', object)
    else
      for (const { version, type, object } of this.#history) if (version > Number(from)) deliver(watcher, type, object)
  }

  #newUid(): string {
    return `00000000-0000-4000-8000-${String(++this.#uids).padStart(12, '0')}`
  }
}

function deliver({ response, namespace, name, deaf }: Watcher, type: string, object: ApiObject): void {
  const { metadata } = object
  if (deaf || metadata.namespace !== namespace || (name !== undefined && metadata.name !== name)) return
  response.write(line(type, object))
}

function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`
}

function status(code: number, message: string) {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason: REASONS[code], code }
}

/** As the API server checks Leases. */
function invalid({ spec = {} }: { spec?: Record<string, unknown> }): string | undefined {
  for (const field of ['acquireTime', 'renewTime']) {
    const time = spec[field]
    if (time !== undefined && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(String(time)))
      return `spec.${field}: ${time} is no time with microseconds`
  }
  for (const [field, least] of [
    ['leaseDurationSeconds', 1],
    ['leaseTransitions', 0],
  ] as const) {
    const number = spec[field]
    if (
      number !== undefined &&
      !(Number.isInteger(number) && (number as number) >= least && (number as number) < 2 ** 31)
    )
      return `spec.${field}: Invalid value: ${number}`
  }
  return undefined
}

function answer(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'Content-Type': 'application/json' })
  response.end(JSON.stringify(body))
}
