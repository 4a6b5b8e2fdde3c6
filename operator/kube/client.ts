/**
 * A client of an API server: one set of verbs for every kind, with deadlines, errors that name verb and object, and retries where repeating cannot do harm.
 *
 * What is tried again: reads, applies and status writes without a precondition, after no answer or an answer of 429, 500, 502, 503, 504. Creations, deletions with
 * preconditions and writes of a given version are repeated only after an answer that says that nothing has happened (429, 503 with Retry-After).
 */
import type { Schedule } from '../../runtime/core/clock.ts'
import { TailraceError } from '../../runtime/core/errors.ts'
import type { KubeTransport, TransportRequest, TransportResponse } from '../../runtime/ha/kubernetes-transport.ts'
import { type KubeObject, keyOf, type ObjectKey, pathOf, type Resource } from './objects.ts'
import { isKubeError, KUBE, statusError, unreachable } from './status-error.ts'

/** The field manager of everything that the operator applies. */
export const FIELD_MANAGER = 'tailrace-operator'

export interface KubeClientOptions {
  transport: KubeTransport
  schedule: Schedule
  /** From 0 up to 1. */
  random(): number
  /** Of a whole request with its retries; 30,000 ms if not given. */
  timeoutMs?: number
  fieldManager?: string
  /** Told of each attempt when it ends; `status` 0: no answer. For metrics. */
  observe?(verb: string, resource: Resource, status: number, ms: number): void
  monotonic?(): number
}

export interface RequestOptions {
  signal?: AbortSignal
  timeoutMs?: number
}

export interface ListOptions extends RequestOptions {
  /** undefined: all. */
  namespace?: string | undefined
  labelSelector?: string | undefined
  fieldSelector?: string | undefined
}

export interface PageOptions extends ListOptions {
  limit?: number
  continue?: string
  /** `0`: what the server has in memory. undefined: the newest. */
  resourceVersion?: string
}

export interface Page<T> {
  items: T[]
  resourceVersion: string
  /** undefined: it was the last. */
  continue: string | undefined
}

export interface ApplyOptions extends RequestOptions {
  fieldManager?: string
  /** Takes fields from others; true if not given. */
  force?: boolean
  subresource?: 'status' | 'scale'
  /** Nothing is stored; the server only says what it would be. */
  dryRun?: boolean
}

export interface PatchOptions extends RequestOptions {
  subresource?: 'status' | 'scale'
  fieldManager?: string
  dryRun?: boolean
  /** Only if the object is of this version; else TR-KUBE-003. */
  resourceVersion?: string | undefined
  /** Only if it is this very object, not one of the same name; else TR-KUBE-003. */
  uid?: string | undefined
}

export interface DeleteOptions extends RequestOptions {
  /** `Foreground`: its dependents first. `Background` if not given. */
  propagation?: 'Foreground' | 'Background' | 'Orphan'
  uid?: string | undefined
  resourceVersion?: string | undefined
  /** 0: at once, without waiting for the node. */
  gracePeriodSeconds?: number
}

export interface WatchOptions extends Omit<ListOptions, 'timeoutMs'> {
  /** Changes after this version; undefined: what is there as ADDED, then changes. */
  resourceVersion?: string | undefined
  /** After which the server ends it in peace. */
  timeoutSeconds: number
}

export interface WatchEvents<T> {
  /** Bytes have come. */
  heard(): void
  event(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: T): void
  /** There was nothing else up to this version. */
  bookmark(resourceVersion: string): void
  /** Once and last, unless it was stopped. `gone`: the version to go on from is too old. Neither: in peace. */
  ended(end: { gone?: boolean; error?: Error }): void
}

const TIMEOUT_MS = 30_000
const PAGE_SIZE = 500
const ATTEMPTS_MAX = 5
const FIRST_WAIT_MS = 100
const WAIT_MAX_MS = 5_000
/** Of Retry-After: a server that says more waits for whoever reconciles. */
const TOLD_WAIT_MAX_MS = 10_000

const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  strategic: 'application/strategic-merge-patch+json',
} as const

interface Call extends RequestOptions {
  verb: string
  method: TransportRequest['method']
  resource: Resource
  path: string
  query?: Record<string, string | number | boolean | undefined>
  /** For messages. */
  what: string
  body?: unknown
  contentType?: string
  /** Whether it may be sent again when nobody knows whether it took effect. */
  repeatable: boolean
}

/**
 * @example
 * const client = new KubeClient({ transport: await openTransport(), schedule: systemSchedule, random: Math.random })
 * const service = await client.get(RESOURCES.services, { namespace: 'jobs', name: 'fraud-rest' })
 */
export class KubeClient {
  readonly #options: KubeClientOptions
  readonly #transport: KubeTransport
  readonly #watches = new Set<AbortController>()

  constructor(options: KubeClientOptions) {
    this.#options = options
    this.#transport = options.transport
  }

  /** undefined: there is none. Throws TR-KUBE-004 never. */
  async get<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    options: RequestOptions = {},
  ): Promise<T | undefined> {
    try {
      return await this.#object<T>({ ...options, ...named('get', resource, key), method: 'GET', repeatable: true })
    } catch (error) {
      if (isKubeError(error, KUBE.notFound)) return undefined
      throw error
    }
  }

  /** All of them, page by page. Throws TR-KUBE-011 when it took longer than the server keeps versions. */
  async list<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions = {},
  ): Promise<{ items: T[]; resourceVersion: string }> {
    const items: T[] = []
    for (let token: string | undefined; ; ) {
      const page = await this.listPage(resource, {
        ...options,
        limit: PAGE_SIZE,
        ...(token !== undefined && { continue: token }),
      })
      for (const item of page.items) items.push(item)
      token = page.continue
      if (token === undefined) return { items, resourceVersion: page.resourceVersion }
    }
  }

  async listPage<T extends KubeObject>(resource: Resource<T>, options: PageOptions = {}): Promise<Page<T>> {
    const { labelSelector, fieldSelector, limit, resourceVersion } = options
    const call = collection('list', resource, options.namespace)
    const query = { labelSelector, fieldSelector, limit, resourceVersion, continue: options.continue }
    const answer = await this.#call({ ...options, ...call, method: 'GET', query, repeatable: true })
    const list = parse(call.what, this.#transport.server, answer) as {
      metadata?: { resourceVersion?: string; continue?: string }
      items?: T[] | null
    }
    const { metadata = {} } = list
    const items = list.items ?? []
    // Items of lists have neither.
    for (const item of items) {
      item.apiVersion ??= resource.apiVersion
      item.kind ??= resource.kind
    }
    return { items, resourceVersion: metadata.resourceVersion ?? '', continue: metadata.continue || undefined }
  }

  /** Tells of changes after a version. Returns how to stop, after which nothing is told. {@link Reflector} goes on after its end. */
  watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions, events: WatchEvents<T>): () => void {
    const { labelSelector, fieldSelector, resourceVersion, timeoutSeconds } = options
    const { path, what } = collection('watch', resource, options.namespace)
    const abort = new AbortController()
    this.#watches.add(abort)
    const stop = () => {
      this.#watches.delete(abort)
      abort.abort()
    }
    const end = (how: { gone?: boolean; error?: Error }) => {
      if (abort.signal.aborted) return
      stop()
      events.ended(how)
    }
    const refused = (response: TransportResponse) =>
      end(response.status === 410 ? { gone: true } : { error: statusError(what, response) })
    const query = {
      watch: true,
      allowWatchBookmarks: true,
      labelSelector,
      fieldSelector,
      resourceVersion,
      timeoutSeconds,
    }
    this.#transport.stream(
      { method: 'GET', path: withQuery(path, query), headers: { accept: 'application/json' }, signal: abort.signal },
      {
        heard: () => {
          if (!abort.signal.aborted) events.heard()
        },
        line: (text) => {
          if (abort.signal.aborted || text === '') return
          let told: { type: string; object: T & { code?: number } }
          try {
            told = JSON.parse(text)
          } catch (error) {
            return end({ error: unreachable(what, this.#transport.server, error) })
          }
          const { type, object } = told
          if (type === 'BOOKMARK') events.bookmark(object.metadata.resourceVersion ?? '')
          else if (type === 'ADDED' || type === 'MODIFIED' || type === 'DELETED') events.event(type, object)
          else refused({ status: object.code ?? 500, headers: {}, body: JSON.stringify(object) })
        },
        ended: ({ response, error }) => {
          if (response !== undefined) refused(response)
          else end(error === undefined ? {} : { error: unreachable(what, this.#transport.server, error) })
        },
      },
    )
    return stop
  }

  /** Throws TR-KUBE-009 when the name is taken. */
  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    { dryRun, ...options }: RequestOptions & Pick<ApplyOptions, 'dryRun'> = {},
  ): Promise<T> {
    const key = object.metadata
    const what = sentence('create', resource, key)
    const path = pathOf(resource, { namespace: key.namespace })
    const body = { apiVersion: resource.apiVersion, kind: resource.kind, ...object }
    const query = { fieldManager: this.#manager(), ...(dryRun && { dryRun: 'All' }) }
    return this.#object({
      ...options,
      verb: 'create',
      resource,
      path,
      what,
      query,
      body,
      method: 'POST',
      repeatable: false,
    })
  }

  /** Writes the whole object over the version that it carries; TR-KUBE-003 when that is not the newest. */
  replace<T extends KubeObject>(resource: Resource<T>, object: T, options: RequestOptions = {}): Promise<T> {
    const body = { apiVersion: resource.apiVersion, kind: resource.kind, ...object }
    const query = { fieldManager: this.#manager() }
    const call = named('replace', resource, object.metadata)
    return this.#object({ ...options, ...call, query, body, method: 'PUT', repeatable: false })
  }

  /**
   * Makes the object have these fields, creating it where it is not: server-side apply. Fields that this manager applied before and leaves out now are removed. Takes them from
   * other managers unless `force` is false: then TR-KUBE-007 names the managers and the fields.
   */
  apply<T extends KubeObject>(resource: Resource<T>, object: T, options: ApplyOptions = {}): Promise<T> {
    const { force = true, fieldManager, subresource, dryRun, ...rest } = options
    const { resourceVersion, managedFields: _, ...metadata } = object.metadata
    const body = {
      ...object,
      apiVersion: resource.apiVersion,
      kind: resource.kind,
      metadata: { ...metadata, ...(resourceVersion !== undefined && { resourceVersion }) },
    }
    return this.#object({
      ...rest,
      ...named('apply', resource, object.metadata, subresource),
      method: 'PATCH',
      query: { fieldManager: this.#manager(fieldManager), force, ...(dryRun && { dryRun: 'All' }) },
      body,
      contentType: 'application/apply-patch+yaml',
      repeatable: resourceVersion === undefined,
    })
  }

  /** The status alone, by server-side apply. */
  applyStatus<T extends KubeObject>(resource: Resource<T>, object: T, options: ApplyOptions = {}): Promise<T> {
    return this.apply(resource, object, { ...options, subresource: 'status' })
  }

  /**
   * A merge patch (null removes), or a JSON patch (an array of operations).
   *
   * @example
   * await client.patch(DEPLOYMENTS, key, { metadata: { finalizers: [...] } }, { resourceVersion })
   */
  patch<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    patch: object | readonly object[],
    options: PatchOptions & { type?: keyof typeof PATCH_TYPES } = {},
  ): Promise<T> {
    const { subresource, fieldManager, dryRun, resourceVersion, uid, ...rest } = options
    const type = options.type ?? (Array.isArray(patch) ? 'json' : 'merge')
    const preconditions = {
      ...(resourceVersion !== undefined && { resourceVersion }),
      ...(uid !== undefined && { uid }),
    }
    const hasPreconditions = Object.keys(preconditions).length > 0
    if (hasPreconditions && type === 'json')
      throw new TypeError(
        'Cannot patch with operations under a resourceVersion or uid: wanted a test operation instead',
      )
    const { metadata } = patch as { metadata?: object }
    const body = hasPreconditions ? { ...patch, metadata: { ...metadata, ...preconditions } } : patch
    return this.#object({
      ...rest,
      ...named('patch', resource, key, subresource),
      method: 'PATCH',
      query: { fieldManager: this.#manager(fieldManager), ...(dryRun && { dryRun: 'All' }) },
      body,
      contentType: PATCH_TYPES[type],
      repeatable: type === 'merge' && resourceVersion === undefined,
    })
  }

  /**
   * Merges into the status; null removes, lists are replaced whole. With `resourceVersion` it is a write-ahead log: TR-KUBE-003 when anybody has changed the object since, so that a
   * decision is never noted on what was not seen.
   */
  patchStatus<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    status: object,
    options: Omit<PatchOptions, 'subresource'> = {},
  ): Promise<T> {
    return this.patch(resource, key, { status }, { ...options, subresource: 'status' })
  }

  /** How many of it there shall be, by its scale subresource. */
  async scale(resource: Resource, key: ObjectKey, replicas: number, options: PatchOptions = {}): Promise<void> {
    await this.patch(resource, key, { spec: { replicas } }, { ...options, subresource: 'scale' })
  }

  /** false: there was none. TR-KUBE-003 when it is another or of another version than the options say. */
  async delete(resource: Resource, key: ObjectKey, options: DeleteOptions = {}): Promise<boolean> {
    const { propagation = 'Background', uid, resourceVersion, gracePeriodSeconds, ...rest } = options
    const hasPreconditions = uid !== undefined || resourceVersion !== undefined
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy: propagation,
      ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
      ...(hasPreconditions && { preconditions: { uid, resourceVersion } }),
    }
    try {
      await this.#call({
        ...rest,
        ...named('delete', resource, key),
        method: 'DELETE',
        body,
        repeatable: uid !== undefined,
      })
      return true
    } catch (error) {
      if (isKubeError(error, KUBE.notFound)) return false
      throw error
    }
  }

  /** Whether the server answers that it is ready. */
  async isReady(options: RequestOptions = {}): Promise<boolean> {
    const resource = { apiVersion: 'v1', kind: 'readyz', plural: 'readyz', namespaced: false }
    try {
      const call = { verb: 'get', resource, path: '/readyz', what: 'ask whether the API server is ready' }
      await this.#call({ ...options, ...call, method: 'GET', repeatable: false })
      return true
    } catch {
      return false
    }
  }

  /** Ends all watches, and the connections. */
  close(): void {
    for (const watch of this.#watches) watch.abort()
    this.#watches.clear()
    this.#transport.close()
  }

  #manager(given = this.#options.fieldManager ?? FIELD_MANAGER): string {
    return given
  }

  async #object<T extends KubeObject>(call: Call): Promise<T> {
    const object = parse(call.what, this.#transport.server, await this.#call(call)) as T
    return object
  }

  /** Sends it, perhaps several times, until the deadline. */
  async #call(call: Call): Promise<TransportResponse> {
    const { schedule, random } = this.#options
    const abort = new AbortController()
    const timeoutMs = call.timeoutMs ?? this.#options.timeoutMs ?? TIMEOUT_MS
    const late = new TailraceError(
      KUBE.unreachable,
      `Cannot ${call.what}: no answer within ${timeoutMs} ms (${this.#transport.server}), wanted one in time`,
    )
    const cancel = schedule(timeoutMs, () =>
      abort.abort(Object.assign(late, { status: undefined, reason: '', retryAfterMs: 0 })),
    )
    const onAbort = () => abort.abort(call.signal?.reason)
    if (call.signal?.aborted) onAbort()
    else call.signal?.addEventListener('abort', onAbort, { once: true })
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#attempt(call, abort.signal)
        } catch (error) {
          if (abort.signal.aborted) throw abort.signal.reason
          if (attempt >= ATTEMPTS_MAX || !isWorthAnother(error, call.repeatable)) throw error
          const full = Math.min(WAIT_MAX_MS, FIRST_WAIT_MS * 2 ** (attempt - 1))
          const toldMs = isKubeError(error) ? Math.min(TOLD_WAIT_MAX_MS, error.retryAfterMs) : 0
          await pause(schedule, Math.max(toldMs, (full / 2) * (1 + random())), abort.signal)
        }
      }
    } finally {
      cancel()
      call.signal?.removeEventListener('abort', onAbort)
    }
  }

  async #attempt(call: Call, signal: AbortSignal): Promise<TransportResponse> {
    const { method, path, query, body, contentType = 'application/json', verb, resource, what } = call
    const { observe, monotonic = () => performance.now() } = this.#options
    const sentMs = monotonic()
    let status = 0
    try {
      const headers = {
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': contentType }),
      }
      const text = body === undefined ? {} : { body: JSON.stringify(body) }
      const response = await this.#transport.request({ method, path: withQuery(path, query), headers, signal, ...text })
      status = response.status
      if (status >= 200 && status < 300) return response
      throw statusError(what, response)
    } catch (error) {
      throw isKubeError(error) || signal.aborted ? error : unreachable(what, this.#transport.server, error)
    } finally {
      observe?.(verb, resource, status, monotonic() - sentMs)
    }
  }
}

/** Whether nothing can have happened, or may happen twice. */
function isWorthAnother(error: unknown, repeatable: boolean): boolean {
  if (!isKubeError(error, KUBE.unreachable, KUBE.overloaded)) return false
  const didNothing = error.status === 429 || (error.status === 503 && error.retryAfterMs > 0)
  return repeatable || didNothing
}

function named(verb: string, resource: Resource, key: ObjectKey, subresource?: string) {
  const what = sentence(verb, resource, key, subresource)
  return { verb, resource, path: pathOf(resource, key, subresource), what }
}

function collection(verb: string, resource: Resource, namespace: string | undefined) {
  const where = resource.namespaced ? (namespace === undefined ? ' of all namespaces' : ` of "${namespace}"`) : ''
  return { verb, resource, path: pathOf(resource, { namespace }), what: `${verb} the ${resource.plural}${where}` }
}

function sentence(verb: string, { kind }: Resource, key: ObjectKey, subresource?: string): string {
  return `${verb} the ${subresource === undefined ? '' : `${subresource} of the `}${kind} "${keyOf(key)}"`
}

function withQuery(path: string, query: Call['query'] = {}): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) if (value !== undefined) search.set(name, String(value))
  return search.size === 0 ? path : `${path}?${search}`
}

function parse(what: string, server: string, response: TransportResponse): unknown {
  try {
    return JSON.parse(response.body)
  } catch (error) {
    throw unreachable(what, server, error)
  }
}

function pause(schedule: Schedule, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const cancel = schedule(ms, () => {
      signal.removeEventListener('abort', onAbort)
      resolve()
    })
    const onAbort = () => {
      cancel()
      reject(signal.reason)
    }
    signal.addEventListener('abort', onAbort, { once: true })
  })
}
