/**
 * One Lease of a real API server, by @kubernetes/client-node. That package is loaded when a client is opened, and only then: it costs 134 MB.
 *
 * Rights that a JobManager needs: get, watch, update on the Lease of this name; create too where nobody makes it beforehand.
 */
import type * as K8s from '@kubernetes/client-node'
import { TailraceError } from '../core/errors.ts'
import type { LeaseClient, LeaseEvents, LeaseObject } from './lease-client.ts'

export interface LeaseClientOptions {
  /** That of the pod, or of the user's kubeconfig, if not given. */
  namespace?: string
  name: string
  /** Put on a Lease that is created. */
  labels?: Record<string, string>
  /** Makes the configuration of the connection; otherwise it is what the pod or the user's kubeconfig says. */
  configure?(config: K8s.KubeConfig): void
}

/** After which the server ends a watch in peace. */
const WATCH_SECONDS = 300

/**
 * Loads the client of Kubernetes. No request is sent yet.
 *
 * @example
 * const client = await openLeaseClient({ namespace: 'jobs', name: 'fraud-jobmanager' })
 */
export async function openLeaseClient(options: LeaseClientOptions): Promise<LeaseClient> {
  const k8s = await import('@kubernetes/client-node')
  const config = new k8s.KubeConfig()
  if (options.configure === undefined) config.loadFromDefault()
  else options.configure(config)
  const namespace = options.namespace ?? config.getContextObject(config.getCurrentContext())?.namespace ?? 'default'
  return new RealLeaseClient(k8s, config, { ...options, namespace })
}

type NamespacedOptions = LeaseClientOptions & { namespace: string }

class RealLeaseClient implements LeaseClient {
  readonly place: string
  readonly #k8s: typeof K8s
  readonly #api: K8s.CoordinationV1Api
  readonly #watch: K8s.Watch
  readonly #options: NamespacedOptions
  readonly #stops = new Set<() => void>()

  constructor(k8s: typeof K8s, config: K8s.KubeConfig, options: NamespacedOptions) {
    this.place = `the Lease "${options.namespace}/${options.name}"`
    this.#k8s = k8s
    this.#api = config.makeApiClient(k8s.CoordinationV1Api)
    this.#watch = new k8s.Watch(config)
    this.#options = options
  }

  get(signal: AbortSignal): Promise<LeaseObject | undefined> {
    const { namespace, name } = this.#options
    return this.#request('read', [404], signal, (options) =>
      this.#api.readNamespacedLease({ namespace, name }, options),
    )
  }

  create(object: LeaseObject, signal: AbortSignal): Promise<LeaseObject | undefined> {
    const { namespace, name, labels } = this.#options
    const body = this.#body({
      ...object,
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { ...object.metadata, namespace, name, ...(labels && { labels }) },
    })
    return this.#request('create', [409], signal, (options) =>
      this.#api.createNamespacedLease({ namespace, body }, options),
    )
  }

  replace(object: LeaseObject, signal: AbortSignal): Promise<LeaseObject | undefined> {
    const { namespace, name } = this.#options
    const body = this.#body(object)
    return this.#request('replace', [404, 409], signal, (options) =>
      this.#api.replaceNamespacedLease({ namespace, name, body }, options),
    )
  }

  watch(resourceVersion: string | undefined, events: LeaseEvents): () => void {
    const { namespace, name } = this.#options
    const path = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases`
    const query = {
      fieldSelector: `metadata.name=${name}`,
      allowWatchBookmarks: true,
      timeoutSeconds: WATCH_SECONDS,
      ...(resourceVersion !== undefined && { resourceVersion }),
    }
    let ended = false
    const end = (how: Parameters<LeaseEvents['ended']>[0]) => {
      if (ended) return
      ended = true
      this.#stops.delete(stop)
      events.ended(how)
    }
    const receive = (type: string, object: LeaseObject & { code?: number; message?: string }) => {
      if (ended) return
      const version = object.metadata?.resourceVersion
      if (type === 'BOOKMARK') events.bookmark(version ?? '')
      else if (type === 'ADDED' || type === 'MODIFIED') events.changed(object, version)
      else if (type === 'DELETED') events.changed(undefined, version)
      else if (object.code === 410) end({ gone: true })
      else end({ error: this.#error('watch', object) })
    }
    const started = this.#watch.watch(path, query, receive, (error) => {
      const failure = error as (Error & { statusCode?: number }) | null
      if (!failure || failure.name === 'TimeoutError' || failure.name === 'AbortError') end({})
      else if (failure.statusCode === 410) end({ gone: true })
      else end({ error: this.#error('watch', { ...failure, message: failure.message, code: failure.statusCode }) })
    })
    started.catch((error) => end({ error: this.#error('watch', error) }))
    const stop = () => {
      ended = true
      this.#stops.delete(stop)
      void started.then((controller) => controller.abort()).catch(() => {})
    }
    this.#stops.add(stop)
    return stop
  }

  close(): void {
    for (const stop of this.#stops) stop()
  }

  /** The client's classes have times as dates, and drop fields that they do not know. */
  #body(object: LeaseObject): K8s.V1Lease {
    const { spec = {} } = object
    const { acquireTime, renewTime, ...rest } = spec
    const time = (text: string | undefined) => text && new this.#k8s.V1MicroTime(text)
    return { ...object, spec: { ...rest, acquireTime: time(acquireTime), renewTime: time(renewTime) } } as K8s.V1Lease
  }

  /** undefined for answers of the codes in `nothing`. */
  async #request(
    what: string,
    nothing: readonly number[],
    signal: AbortSignal,
    send: (options: K8s.ConfigurationOptions) => Promise<K8s.V1Lease>,
  ): Promise<LeaseObject | undefined> {
    const { Observable } = this.#k8s
    const middleware = {
      pre: (request: K8s.RequestContext) => {
        request.setSignal(signal)
        return new Observable(Promise.resolve(request))
      },
      post: (response: K8s.ResponseContext) => new Observable(Promise.resolve(response)),
    }
    try {
      const lease = await send({ middleware: [middleware], middlewareMergeStrategy: 'append' })
      return JSON.parse(JSON.stringify(lease)) as LeaseObject
    } catch (error) {
      const { code } = error as { code?: unknown }
      if (typeof code === 'number' && nothing.includes(code)) return undefined
      throw this.#error(what, error as ApiFailure)
    }
  }

  #error(what: string, failure: ApiFailure): Error {
    const { code, body, headers, message } = failure
    const status = typeof code === 'number' ? `the API server answered ${code}` : causeOf(failure)
    const said = textOf(body) ?? (typeof code === 'number' ? '' : undefined)
    const wanted =
      code === 403 || code === 401
        ? 'the rights get, watch and update on it (create, if nobody makes it beforehand)'
        : code === 404
          ? 'its namespace'
          : 'an answer'
    const text = `Cannot ${what} ${this.place}: ${status}${said ? ` (${said})` : ''}, wanted ${wanted}`
    const error = new TailraceError('TR-HA-002', text, { cause: message === undefined ? undefined : failure })
    const seconds = Number(headers?.['retry-after'])
    return Object.assign(error, seconds > 0 && { retryAfterMs: seconds * 1000 })
  }
}

interface ApiFailure {
  code?: unknown
  body?: unknown
  headers?: Record<string, string>
  message?: string
  cause?: unknown
}

/** What the server's Status says. */
function textOf(body: unknown): string | undefined {
  try {
    const status = typeof body === 'string' ? JSON.parse(body) : body
    return typeof status?.message === 'string' ? status.message : undefined
  } catch {
    return undefined
  }
}

/** Of fetch, whose own text is "fetch failed". */
function causeOf({ message, cause }: ApiFailure): string {
  const inner = cause as { message?: string; code?: string } | undefined
  return inner?.message || inner?.code || message || 'no answer'
}
