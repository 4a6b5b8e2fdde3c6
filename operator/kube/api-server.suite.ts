/**
 * An API server of Kubernetes in memory, with any kinds, also custom ones: over HTTP, or as a transport in the same thread whose time a test may hold.
 *
 * It has the semantics that clients stand on: versions, uids and generations, 409 for stale writes and names that are taken, 422 for what a kind refuses, status and scale
 * subresources, server-side apply with managers and conflicts (managed-fields.suite.ts), merge and JSON patches, dry runs, selectors, lists in pages, watches from a version with
 * bookmarks and time-outs, 410 Gone, owners, finalizers and propagation (api-store.suite.ts). And what goes wrong: delays, errors, answers that never come, answers that are lost
 * after the effect, watches that end or fall silent.
 */
import { createServer, type RequestListener, type Server } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type Clock, type Schedule, systemClock, systemSchedule } from '../../runtime/core/clock.ts'
import type { KubeTransport, StreamEvents, TransportRequest } from '../../runtime/ha/kubernetes-transport.ts'
import { type ApiKind, ApiStore, type Change } from './api-store.suite.ts'
import { applyFields, updateFields } from './managed-fields.suite.ts'
import { type KubeObject, type ObjectKey, RESOURCES, type Resource } from './objects.ts'
import { jsonPatch, matches, mergePatch } from './patches.suite.ts'

export type { ApiKind } from './api-store.suite.ts'

export interface ApiRequest {
  verb: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'apply' | 'delete'
  kind: string
  plural: string
  namespace: string | undefined
  name: string | undefined
  subresource: string | undefined
  query: URLSearchParams
  body: any
}

/** What to do with a request instead of answering it. */
export type ApiFault =
  | { status: number; retryAfter?: number; message?: string; reason?: string }
  | { delayMs: number }
  /** The connection is cut before or after it takes effect. */
  | 'cutBefore'
  | 'cutAfter'
  /** Neither effect nor answer. */
  | 'hang'

/** Where an answer goes. */
interface Sink {
  head(status: number, headers: Record<string, string>): void
  write(text: string): void
  end(): void
  /** The connection is cut; what was written and has not arrived is lost. */
  destroy(): void
  onClose(listener: () => void): void
}

interface Watcher {
  sink: Sink
  kind: ApiKind
  covers(object: KubeObject): boolean
  bookmarks: boolean
  deaf: boolean
}

interface ServedRequest {
  method: string
  path: string
  contentType: string
  userAgent: string
  body: string
}

export interface ApiServerOptions {
  /** Beside those of RESOURCES. */
  kinds?: readonly ApiKind[]
  clock?: Clock
  schedule?: Schedule
  /** Of pages when the client does not say; none if not given. */
  pageMax?: number
}

type Answer = [status: number, body: unknown]

const REASONS: Record<number, string> = {
  400: 'BadRequest',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'NotFound',
  405: 'MethodNotAllowed',
  409: 'Conflict',
  410: 'Expired',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
  429: 'TooManyRequests',
  500: 'InternalError',
  503: 'ServiceUnavailable',
}

const WITH_STATUS = new Set(['Namespace', 'Node', 'Pod', 'Service', 'Deployment', 'StatefulSet', 'Job', 'Ingress'])
const WITH_GENERATION = new Set(['Deployment', 'StatefulSet', 'Job', 'Ingress', 'Pod', 'PodDisruptionBudget'])
const SCALE = { specReplicas: 'spec.replicas', statusReplicas: 'status.replicas', selector: 'status.selector' }

/**
 * @example
 * const server = new ApiServer({ kinds: [{ ...STREAM_DEPLOYMENTS, status: true }] })
 * const client = new KubeClient({ transport: server.transport(), schedule, random })
 * server.fault = ({ verb }) => (verb === 'apply' ? { status: 503 } : undefined)
 */
export class ApiServer {
  /** What was asked, in order. */
  readonly requests: ApiRequest[] = []
  readonly store: ApiStore
  fault: (request: ApiRequest) => ApiFault | undefined = () => undefined
  readonly #kinds = new Map<string, ApiKind>()
  readonly #schedule: Schedule
  readonly #pageMax: number
  readonly #watchers = new Set<Watcher>()
  /** Lists of which pages are still to be fetched, by their tokens. */
  readonly #pages = new Map<string, { items: KubeObject[]; version: string }>()
  #tokens = 0
  #server: Server | undefined

  constructor({
    kinds = [],
    clock = systemClock,
    schedule = systemSchedule,
    pageMax = Infinity,
  }: ApiServerOptions = {}) {
    this.store = new ApiStore(clock)
    this.#schedule = schedule
    this.#pageMax = pageMax
    this.store.onChange = (change) => {
      for (const watcher of this.#watchers) deliver(watcher, change)
    }
    for (const resource of Object.values(RESOURCES)) {
      const { kind } = resource
      const isScaled = kind === 'Deployment' || kind === 'StatefulSet'
      this.addKind({
        ...resource,
        status: WITH_STATUS.has(kind),
        generation: WITH_GENERATION.has(kind),
        ...(isScaled && { scale: SCALE }),
        ...(kind === 'Lease' && { validate: leaseProblems }),
      })
    }
    for (const kind of kinds) this.addKind(kind)
  }

  /** As by a CustomResourceDefinition. */
  addKind(kind: ApiKind): void {
    this.#kinds.set(`${kind.apiVersion}/${kind.plural}`, kind)
  }

  removeKind(resource: Resource): void {
    this.#kinds.delete(`${resource.apiVersion}/${resource.plural}`)
  }

  /** Serves HTTP on a free port, or HTTPS with this key and certificate; returns the URL. */
  async start(tls?: { key: string; cert: string }): Promise<string> {
    const listener: RequestListener = async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const { headers } = request
      const body = Buffer.concat(chunks).toString()
      const contentType = headers['content-type'] ?? ''
      const userAgent = headers['user-agent'] ?? ''
      const served = { method: request.method ?? 'GET', path: request.url ?? '/', contentType, userAgent, body }
      void this.#serve(served, {
        head: (status, given) => void response.writeHead(status, given).flushHeaders(),
        write: (text) => void response.write(text),
        end: () => void response.end(),
        destroy: () => void response.destroy(),
        onClose: (listener) => void response.on('close', listener),
      })
    }
    const server = tls === undefined ? createServer(listener) : createSecureServer(tls, listener)
    this.#server = server
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return `http${tls === undefined ? '' : 's'}://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  async stop(): Promise<void> {
    const server = this.#server
    if (server === undefined) return
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }

  /** Without sockets. `delayMs` is asked for each answer and each piece of a stream, which keep their order. */
  transport(delayMs: () => number = () => 0): KubeTransport {
    const serve = (request: TransportRequest, sink: Sink) => {
      const headers = request.headers ?? {}
      const contentType = headers['content-type'] ?? ''
      const userAgent = headers['user-agent'] ?? ''
      void this.#serve(
        { method: request.method, path: request.path, contentType, userAgent, body: request.body ?? '' },
        sink,
      )
    }
    return memoryTransport(serve, this.#schedule, delayMs)
  }

  get(resource: Resource, key: ObjectKey): any {
    return structuredClone(this.store.get(this.#kind(resource), key))
  }

  list(resource: Resource): any[] {
    return structuredClone(this.store.list(this.#kind(resource)))
  }

  /** As a person does it who may do everything, also write the status: all of the object, over what is there. */
  put(resource: Resource, given: KubeObject, manager = 'somebody'): any {
    const kind = this.#kind(resource)
    const object = structuredClone(given)
    const before = this.store.get(kind, object.metadata)
    if (before?.metadata.deletionTimestamp !== undefined)
      object.metadata.deletionTimestamp = before.metadata.deletionTimestamp
    const managers = updateFields(before, object, this.store.managers(kind, object.metadata), {
      manager,
      subresource: '',
    })
    return structuredClone(this.store.put(kind, object, managers))
  }

  /** As a person does it, with a merge patch, also of the status. */
  edit(resource: Resource, key: ObjectKey, patch: object, manager = 'somebody'): any {
    const before = this.store.get(this.#kind(resource), key)
    if (before === undefined) throw new Error(`there is no ${resource.kind} "${key.namespace}/${key.name}"`)
    return this.put(resource, mergePatch(before, patch), manager)
  }

  remove(resource: Resource, key: ObjectKey, propagation?: string): void {
    this.store.delete(this.#kind(resource), key, propagation)
  }

  /** Watches and pages of lists can begin from now on only. */
  compact(): void {
    this.store.compact()
    this.#pages.clear()
  }

  get watches(): number {
    return this.#watchers.size
  }

  endWatches(how: 'peace' | 'cut' | 'deaf' | 'gone'): void {
    for (const watcher of [...this.#watchers]) {
      if (how === 'deaf') watcher.deaf = true
      else if (how === 'cut') watcher.sink.destroy()
      else if (how === 'gone') {
        watcher.sink.write(line('ERROR', status(410, 'too old resource version')))
        watcher.sink.end()
      } else watcher.sink.end()
      this.#watchers.delete(watcher)
    }
  }

  bookmark(): void {
    for (const watcher of this.#watchers) if (watcher.bookmarks && !watcher.deaf) this.#bookmark(watcher)
  }

  #bookmark({ sink, kind }: Watcher): void {
    const metadata = { resourceVersion: String(this.store.version) }
    sink.write(line('BOOKMARK', { kind: kind.kind, apiVersion: kind.apiVersion, metadata }))
  }

  #kind(resource: Resource): ApiKind {
    const kind = this.#kinds.get(`${resource.apiVersion}/${resource.plural}`)
    if (kind === undefined) throw new Error(`the API server of the tests has no ${resource.plural}`)
    return kind
  }

  async #serve(served: ServedRequest, sink: Sink): Promise<void> {
    const url = new URL(served.path, 'http://server')
    if (url.pathname === '/readyz') return send(sink, [200, 'ok'])
    const found = this.#route(url.pathname)
    if (found === undefined) return send(sink, [404, status(404, 'the server could not find the requested resource')])
    const { kind, key, subresource } = found
    const query = url.searchParams
    const verb = verbOf(served, key.name !== undefined, query)
    if (verb === undefined) return send(sink, [405, status(405, `no ${served.method} here`)])
    const asked: ApiRequest = {
      verb,
      kind: kind.kind,
      plural: kind.plural,
      namespace: key.namespace,
      name: key.name ?? /^metadata\.name=(.+)$/.exec(query.get('fieldSelector') ?? '')?.[1],
      subresource,
      query,
      body: served.body === '' ? undefined : JSON.parse(served.body),
    }
    this.requests.push(asked)
    const fault = this.fault(asked)
    if (fault === 'hang') return
    if (fault === 'cutBefore') return sink.destroy()
    if (typeof fault === 'object' && 'status' in fault) {
      const { status: code, message = 'as the test wants it', reason, retryAfter } = fault
      const refusal = { ...status(code, message), ...(reason !== undefined && { reason }) }
      return send(sink, [code, refusal], retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) })
    }
    if (typeof fault === 'object') await new Promise<void>((resolve) => void this.#schedule(fault.delayMs, resolve))
    if (verb === 'watch') return this.#watch(sink, kind, asked)
    const result = this.#do(kind, asked, served)
    if (fault === 'cutAfter') return sink.destroy()
    send(sink, result)
  }

  #route(path: string): { kind: ApiKind; key: Partial<ObjectKey>; subresource: string | undefined } | undefined {
    const [root, ...rest] = path.slice(1).split('/').map(decodeURIComponent)
    const apiVersion = root === 'api' ? rest.shift() : `${rest.shift()}/${rest.shift()}`
    let namespace: string | undefined
    if (rest[0] === 'namespaces' && rest.length > 2) [, namespace] = rest.splice(0, 2)
    const [plural, name, subresource] = rest
    const kind = this.#kinds.get(`${apiVersion}/${plural}`)
    if (kind === undefined || (kind.namespaced && name !== undefined && namespace === undefined)) return undefined
    const isThere =
      subresource === undefined || (subresource === 'status' && kind.status) || (subresource === 'scale' && kind.scale)
    return isThere ? { kind, key: { namespace, ...(name !== undefined && { name }) }, subresource } : undefined
  }

  #do(kind: ApiKind, asked: ApiRequest, served: ServedRequest): Answer {
    const { verb, namespace, name, subresource, query, body } = asked
    if (verb === 'list') return this.#list(kind, asked)
    if (verb === 'create') return this.#create(kind, namespace, body, managerOf(asked, served), query)
    const key = { namespace, name: name! }
    const found = this.store.get(kind, key)
    if (verb === 'apply') return this.#apply(kind, key, found, asked)
    if (found === undefined) return [404, status(404, `${kind.plural} "${name}" not found`)]
    if (verb === 'delete') return this.#delete(kind, key, found, body)
    if (subresource === 'scale') return this.#scale(kind, found, asked, served)
    if (verb === 'get') return [200, found]
    const isJson = served.contentType.startsWith('application/json-patch')
    const wanted = verb === 'update' ? body : isJson ? jsonPatch(found, body) : mergePatch(found, body)
    if (wanted === undefined) return [422, status(422, 'the patch cannot be applied')]
    const other = verb === 'patch' ? otherObject(kind, found, wanted) : undefined
    return other ?? this.#replace(kind, found, wanted, subresource, managerOf(asked, served), query)
  }

  #create(kind: ApiKind, namespace: string | undefined, body: any, manager: string, query: URLSearchParams): Answer {
    const { metadata = {} } = body
    if (metadata.resourceVersion !== undefined) return [400, status(400, 'resourceVersion should not be set')]
    const name = metadata.name ?? (metadata.generateName && `${metadata.generateName}${++this.#tokens}`)
    if (name === undefined) return [422, status(422, 'metadata.name: Required value: name or generateName is required')]
    if (this.store.get(kind, { namespace, name }) !== undefined)
      return [409, { ...status(409, `${kind.plural} "${name}" already exists`), reason: 'AlreadyExists' }]
    const object: KubeObject = { ...body, metadata: { ...metadata, name, ...(kind.namespaced && { namespace }) } }
    if (kind.status) delete object.status
    return this.#accept(
      kind,
      undefined,
      object,
      updateFields(undefined, object, [], { manager, subresource: '' }),
      query,
    )
  }

  #replace(
    kind: ApiKind,
    found: KubeObject,
    wanted: any,
    subresource: string | undefined,
    manager: string,
    query: URLSearchParams,
  ): Answer {
    const stale = staleness(found, wanted.metadata)
    if (stale !== undefined) return stale
    const object = partOf(kind, found, wanted, subresource)
    const managers = updateFields(found, object, this.store.managers(kind, found.metadata), {
      manager,
      subresource: subresource ?? '',
    })
    return this.#accept(kind, found, object, managers, query)
  }

  #apply(
    kind: ApiKind,
    key: ObjectKey,
    found: KubeObject | undefined,
    { query, body, subresource }: ApiRequest,
  ): Answer {
    const manager = query.get('fieldManager')
    if (!manager) return [400, status(400, 'fieldManager is required for apply patch')]
    if (body.apiVersion !== kind.apiVersion || body.kind !== kind.kind)
      return [400, status(400, 'the kind of the object is not that of the path')]
    if (body.metadata?.managedFields?.length > 0) return [400, status(400, 'metadata.managedFields must be nil')]
    if (found === undefined && body.metadata?.uid !== undefined)
      return [409, status(409, 'uid mismatch: no existing object was found')]
    if (found === undefined && subresource !== undefined)
      return [404, status(404, `${kind.plural} "${key.name}" not found`)]
    const stale = found && (otherObject(kind, found, body) ?? staleness(found, body.metadata))
    if (stale !== undefined) return stale
    const base: KubeObject = found ?? { apiVersion: kind.apiVersion, kind: kind.kind, metadata: { ...key } }
    const { metadata, status: givenStatus, ...rest } = body as KubeObject
    const given: KubeObject =
      subresource === 'status'
        ? { metadata: { name: key.name }, status: givenStatus }
        : { ...rest, metadata, ...(!kind.status && givenStatus !== undefined && { status: givenStatus }) }
    const { object, managers, conflicts } = applyFields(
      base,
      given,
      this.store.managers(kind, key),
      { manager, subresource: subresource ?? '' },
      query.get('force') === 'true',
    )
    if (conflicts.length > 0) {
      const causes = conflicts.map((one) => ({
        reason: 'FieldManagerConflict',
        message: `conflict with "${one.manager}"`,
        field: one.field,
      }))
      const first = `Apply failed with ${causes.length} conflict${causes.length > 1 ? 's' : ''}: `
      return [
        409,
        { ...status(409, first + causes.map((one) => `${one.message}: ${one.field}`).join('; ')), details: { causes } },
      ]
    }
    return this.#accept(kind, found, object, managers, query)
  }

  #accept(
    kind: ApiKind,
    before: KubeObject | undefined,
    object: KubeObject,
    managers: Parameters<ApiStore['put']>[2],
    query: URLSearchParams,
  ): Answer {
    kind.defaults?.(object)
    const problems = kind.validate?.(object, before) ?? []
    if (problems.length > 0) {
      const causes = problems.map((problem) => {
        const [field, ...message] = problem.split(': ')
        return { reason: 'FieldValueInvalid', field, message: message.join(': ') }
      })
      const text = `${kind.kind} "${object.metadata.name}" is invalid: ${problems.join(', ')}`
      return [422, { ...status(422, text), details: { causes } }]
    }
    if (query.get('dryRun') === 'All') return [before === undefined ? 201 : 200, object]
    return [before === undefined ? 201 : 200, this.store.put(kind, object, managers)]
  }

  #delete(kind: ApiKind, key: ObjectKey, found: KubeObject, body: any): Answer {
    const stale = staleness(found, body?.preconditions)
    if (stale !== undefined) return stale
    return [200, this.store.delete(kind, key, body?.propagationPolicy)]
  }

  #scale(kind: ApiKind, found: KubeObject, asked: ApiRequest, served: ServedRequest): Answer {
    const { specReplicas, statusReplicas, selector } = kind.scale!
    const { name, namespace, uid, resourceVersion } = found.metadata
    const shown = {
      apiVersion: 'autoscaling/v1',
      kind: 'Scale',
      metadata: { name, namespace, uid, resourceVersion },
      spec: { replicas: at(found, specReplicas) },
      status: { replicas: at(found, statusReplicas) ?? 0, selector: selector && at(found, selector) },
    }
    if (asked.verb === 'get') return [200, shown]
    const wanted = asked.verb === 'update' ? asked.body : mergePatch(shown, asked.body)
    const replicas = wanted.spec?.replicas
    if (!Number.isInteger(replicas) || replicas < 0)
      return [422, status(422, `spec.replicas: Invalid value: ${replicas}`)]
    const patch = specReplicas.split('.').reduceRight<unknown>((inner, field) => ({ [field]: inner }), replicas)
    const object = mergePatch(found, patch)
    object.metadata = { ...object.metadata, resourceVersion: wanted.metadata?.resourceVersion }
    const [code, answer] = this.#replace(kind, found, object, undefined, managerOf(asked, served), asked.query)
    return code === 200 ? [200, { ...shown, spec: { replicas } }] : [code, answer]
  }

  #list(kind: ApiKind, asked: ApiRequest): Answer {
    const { query } = asked
    const token = query.get('continue')
    const limit = Math.min(Number(query.get('limit') ?? 0) || Infinity, this.#pageMax)
    const kept = token === null ? undefined : this.#pages.get(token)
    if (token !== null && kept === undefined)
      return [410, status(410, 'The provided continue parameter is too old to display a consistent list result.')]
    const covers = coverage(kind, asked)
    const { items, version } = kept ?? {
      items: this.store.list(kind).filter(covers),
      version: String(this.store.version),
    }
    const metadata: Record<string, unknown> = { resourceVersion: version }
    const rest = items.slice(limit)
    if (rest.length > 0) {
      const next = `page-${++this.#tokens}`
      this.#pages.set(next, { items: rest, version })
      metadata.continue = next
      metadata.remainingItemCount = rest.length
    }
    const page = items.slice(0, limit).map(({ apiVersion: _, kind: __, ...item }) => item)
    return [200, { apiVersion: kind.apiVersion, kind: `${kind.kind}List`, metadata, items: page }]
  }

  #watch(sink: Sink, kind: ApiKind, asked: ApiRequest): void {
    const { query } = asked
    const from = query.get('resourceVersion')
    const changes = from === null || from === '0' ? [] : this.store.since(Number(from))
    if (changes === undefined) {
      send(sink, [410, status(410, `too old resource version: ${from}`)])
      return
    }
    const bookmarks = query.get('allowWatchBookmarks') === 'true'
    const watcher: Watcher = { sink, kind, covers: coverage(kind, asked), bookmarks, deaf: false }
    sink.head(200, { 'content-type': 'application/json' })
    this.#watchers.add(watcher)
    let stopTimer = () => {}
    sink.onClose(() => {
      this.#watchers.delete(watcher)
      stopTimer()
    })
    if (from === null || from === '0')
      for (const object of this.store.list(kind)) if (watcher.covers(object)) sink.write(line('ADDED', object))
    for (const change of changes) deliver(watcher, change)
    const seconds = Number(query.get('timeoutSeconds'))
    if (!(seconds > 0)) return
    stopTimer = this.#schedule(seconds * 1000, () => {
      if (!this.#watchers.delete(watcher) || watcher.deaf) return
      if (bookmarks) this.#bookmark(watcher)
      sink.end()
    })
  }
}

function verbOf(
  { method, contentType }: ServedRequest,
  isNamed: boolean,
  query: URLSearchParams,
): ApiRequest['verb'] | undefined {
  if (method === 'GET') return query.get('watch') === 'true' ? 'watch' : isNamed ? 'get' : 'list'
  if (method === 'POST' && !isNamed) return 'create'
  if (!isNamed) return undefined
  if (method === 'PUT') return 'update'
  if (method === 'DELETE') return 'delete'
  if (method !== 'PATCH') return undefined
  return contentType.startsWith('application/apply-patch') ? 'apply' : 'patch'
}

function managerOf({ query }: ApiRequest, { userAgent }: ServedRequest): string {
  return query.get('fieldManager') ?? (userAgent.split('/')[0] || 'unknown')
}

/** A patch of another object of the same name: it cannot change the uid. */
function otherObject(kind: ApiKind, found: KubeObject, wanted: KubeObject): Answer | undefined {
  const uid = wanted.metadata?.uid
  if (uid === undefined || uid === found.metadata.uid) return undefined
  const cause = {
    reason: 'FieldValueInvalid',
    field: 'metadata.uid',
    message: `Invalid value: "${uid}": field is immutable`,
  }
  const text = `${kind.kind} "${found.metadata.name}" is invalid: ${cause.field}: ${cause.message}`
  return [422, { ...status(422, text), details: { causes: [cause] } }]
}

/** 409 when it is not what the client has read. */
function staleness(found: KubeObject, wanted: { uid?: string; resourceVersion?: string } = {}): Answer | undefined {
  const { uid, resourceVersion } = wanted
  if (uid !== undefined && uid !== found.metadata.uid)
    return [
      409,
      status(409, `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${found.metadata.uid}`),
    ]
  if (resourceVersion !== undefined && resourceVersion !== found.metadata.resourceVersion)
    return [
      409,
      status(409, 'the object has been modified; please apply your changes to the latest version and try again'),
    ]
  return undefined
}

/** What a write may change: the status alone, or everything else. Nobody undoes a deletion. */
function partOf(kind: ApiKind, found: KubeObject, wanted: any, subresource: string | undefined): KubeObject {
  const { uid, resourceVersion, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds } = found.metadata
  if (subresource === 'status') return { ...found, status: wanted.status }
  const metadata = {
    ...wanted.metadata,
    name: found.metadata.name,
    namespace: found.metadata.namespace,
    uid,
    resourceVersion,
    creationTimestamp,
    ...(deletionTimestamp !== undefined && { deletionTimestamp, deletionGracePeriodSeconds }),
  }
  if (!kind.status) return { ...wanted, metadata }
  const { status: _, ...rest } = wanted
  return { ...rest, metadata, ...(found.status !== undefined && { status: found.status }) }
}

function coverage(kind: ApiKind, { namespace, query }: ApiRequest): (object: KubeObject) => boolean {
  return (object) =>
    (namespace === undefined || !kind.namespaced || object.metadata.namespace === namespace) &&
    matches(query.get('labelSelector'), (name) => object.metadata.labels?.[name]) &&
    matches(query.get('fieldSelector'), (name) => {
      const value = at(object, name)
      return value === undefined ? undefined : String(value)
    })
}

/** To watches with a selector an object that begins or ceases to match comes or goes. */
function deliver({ sink, kind, covers, deaf }: Watcher, { type, kind: changed, object, before }: Change): void {
  if (deaf || kind !== changed) return
  const was = before !== undefined && covers(before)
  const is = covers(object)
  if (type === 'DELETED') {
    if (was) sink.write(line('DELETED', object))
  } else if (is) sink.write(line(was ? 'MODIFIED' : 'ADDED', object))
  else if (was) sink.write(line('DELETED', object))
}

function at(object: any, path: string): any {
  let value = object
  for (const field of path.replace(/^\./, '').split('.')) value = value?.[field]
  return value
}

function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`
}

function status(code: number, message: string) {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', message, reason: REASONS[code], code }
}

function send(sink: Sink, [code, body]: Answer, headers: Record<string, string> = {}): void {
  sink.head(code, { 'content-type': 'application/json', ...headers })
  sink.write(typeof body === 'string' ? body : JSON.stringify(body))
  sink.end()
}

/** As the API server checks Leases. */
function leaseProblems({ spec = {} }: KubeObject): string[] {
  const problems: string[] = []
  for (const field of ['acquireTime', 'renewTime']) {
    const time = spec[field]
    if (time !== undefined && !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(String(time)))
      problems.push(`spec.${field}: ${time} is no time with microseconds`)
  }
  for (const [field, least] of [
    ['leaseDurationSeconds', 1],
    ['leaseTransitions', 0],
  ] as const) {
    const number = spec[field]
    if (number !== undefined && !(Number.isInteger(number) && number >= least && number < 2 ** 31))
      problems.push(`spec.${field}: Invalid value: ${number}`)
  }
  return problems
}

function memoryTransport(
  serve: (request: TransportRequest, sink: Sink) => void,
  schedule: Schedule,
  delayMs: () => number,
): KubeTransport {
  const open = (request: TransportRequest, arrived: (what: Arrival) => void) => {
    const closing: (() => void)[] = []
    const waiting: Arrival[] = []
    let cancel: (() => void) | undefined
    let over = false
    const close = () => {
      over = true
      cancel?.()
      request.signal.removeEventListener('abort', close)
      for (const listener of closing.splice(0)) listener()
    }
    request.signal.addEventListener('abort', close, { once: true })
    const next = () => {
      if (cancel !== undefined || over || waiting.length === 0) return
      cancel = schedule(delayMs(), () => {
        cancel = undefined
        const what = waiting.shift()!
        if (what.type === 'end' || what.type === 'cut') close()
        arrived(what)
        next()
      })
    }
    const push = (what: Arrival) => {
      if (over) return
      waiting.push(what)
      next()
    }
    serve(request, {
      head: (code, headers) => push({ type: 'head', status: code, headers }),
      write: (text) => push({ type: 'text', text }),
      end: () => push({ type: 'end' }),
      destroy: () => {
        cancel?.()
        cancel = undefined
        waiting.length = 0
        push({ type: 'cut' })
      },
      onClose: (listener) => (over ? listener() : void closing.push(listener)),
    })
  }
  const cut = () => Object.assign(new Error('the connection was cut'), { code: 'ECONNRESET' })
  return {
    server: 'an API server in memory',
    request: (request) =>
      new Promise((resolve, reject) => {
        if (request.signal.aborted) return reject(request.signal.reason)
        request.signal.addEventListener('abort', () => reject(request.signal.reason), { once: true })
        const response = { status: 0, headers: {}, body: '' }
        open(request, (what) => {
          if (what.type === 'head') Object.assign(response, { status: what.status, headers: what.headers })
          else if (what.type === 'text') response.body += what.text
          else if (what.type === 'end') resolve(response)
          else reject(cut())
        })
      }),
    stream: (request, events: StreamEvents) => {
      const response = { status: 0, headers: {}, body: '' }
      open(request, (what) => {
        if (request.signal.aborted) return
        if (what.type === 'head') Object.assign(response, { status: what.status, headers: what.headers })
        else if (what.type === 'cut') return events.ended({ error: cut() })
        else if (what.type === 'end') return events.ended(response.status === 200 ? {} : { response })
        else if (response.status !== 200) response.body += what.text
        else for (const text of what.text.split('\n')) if (text !== '') events.line(text)
        events.heard()
      })
    },
    close: () => {},
  }
}

type Arrival =
  | { type: 'head'; status: number; headers: Record<string, string> }
  | { type: 'text'; text: string }
  | { type: 'end' }
  | { type: 'cut' }
