/**
 * One Lease of a real API server.
 *
 * Rights that a JobManager needs: get, watch, update on the Lease of this name; create too where nobody makes it beforehand.
 */
import { systemClock } from '../core/clock.ts'
import { TailraceError } from '../core/errors.ts'
import { type KubeAccess, openAccess } from './kubernetes-access.ts'
import { httpTransport } from './kubernetes-http.ts'
import type { KubeTransport, TransportRequest, TransportResponse } from './kubernetes-transport.ts'
import type { LeaseClient, LeaseEvents, LeaseObject } from './lease-client.ts'

export interface LeaseClientOptions {
  /** That of the pod, or of the user's kubeconfig, if not given. */
  namespace?: string
  name: string
  /** Put on a Lease that is created. */
  labels?: Record<string, string>
  /** What the pod or the user's kubeconfig says, if not given. */
  access?: KubeAccess
}

/** After which the server ends a watch in peace. */
const WATCH_SECONDS = 300

/**
 * No request is sent yet. Throws TR-KUBE-008 when nothing says where the API server is.
 *
 * @example
 * const client = await openLeaseClient({ namespace: 'jobs', name: 'fraud-jobmanager' })
 */
export async function openLeaseClient(options: LeaseClientOptions): Promise<LeaseClient> {
  const access = options.access ?? (await openAccess({ environment: process.env, clock: systemClock }))
  const namespace = options.namespace ?? access.namespace
  return new RealLeaseClient(httpTransport(access, 'tailrace'), { ...options, namespace })
}

type NamespacedOptions = LeaseClientOptions & { namespace: string }

class RealLeaseClient implements LeaseClient {
  readonly place: string
  readonly #transport: KubeTransport
  readonly #options: NamespacedOptions
  readonly #collection: string
  readonly #path: string
  readonly #stops = new Set<() => void>()

  constructor(transport: KubeTransport, options: NamespacedOptions) {
    const { namespace, name } = options
    this.place = `the Lease "${namespace}/${name}"`
    this.#transport = transport
    this.#options = options
    this.#collection = `/apis/coordination.k8s.io/v1/namespaces/${encodeURIComponent(namespace)}/leases`
    this.#path = `${this.#collection}/${encodeURIComponent(name)}`
  }

  get(signal: AbortSignal): Promise<LeaseObject | undefined> {
    return this.#request('read', [404], { method: 'GET', path: this.#path, signal })
  }

  create(object: LeaseObject, signal: AbortSignal): Promise<LeaseObject | undefined> {
    const { namespace, name, labels } = this.#options
    const metadata = { ...object.metadata, namespace, name, ...(labels && { labels }) }
    const body = { ...object, apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata }
    return this.#request('create', [409], {
      method: 'POST',
      path: this.#collection,
      signal,
      body: JSON.stringify(body),
    })
  }

  replace(object: LeaseObject, signal: AbortSignal): Promise<LeaseObject | undefined> {
    const { namespace, name } = this.#options
    const metadata = { ...object.metadata, namespace, name }
    const body = { ...object, apiVersion: 'coordination.k8s.io/v1', kind: 'Lease', metadata }
    return this.#request('replace', [404, 409], { method: 'PUT', path: this.#path, signal, body: JSON.stringify(body) })
  }

  watch(resourceVersion: string | undefined, events: LeaseEvents): () => void {
    const query = new URLSearchParams({
      watch: 'true',
      fieldSelector: `metadata.name=${this.#options.name}`,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(WATCH_SECONDS),
      ...(resourceVersion !== undefined && { resourceVersion }),
    })
    const abort = new AbortController()
    const stop = () => {
      this.#stops.delete(stop)
      abort.abort()
    }
    const end = (how: Parameters<LeaseEvents['ended']>[0]) => {
      if (abort.signal.aborted) return
      stop()
      events.ended(how)
    }
    const receive = (text: string) => {
      if (abort.signal.aborted || text === '') return
      const { type, object } = JSON.parse(text) as { type: string; object: LeaseObject & { code?: number } }
      const version = object.metadata?.resourceVersion
      if (type === 'BOOKMARK') events.bookmark(version ?? '')
      else if (type === 'ADDED' || type === 'MODIFIED') events.changed(object, version)
      else if (type === 'DELETED') events.changed(undefined, version)
      else if (object.code === 410) end({ gone: true })
      else
        end({
          error: this.#refused('watch', { status: object.code ?? 500, headers: {}, body: JSON.stringify(object) }),
        })
    }
    this.#transport.stream(
      {
        method: 'GET',
        path: `${this.#collection}?${query}`,
        headers: { accept: 'application/json' },
        signal: abort.signal,
      },
      {
        heard: () => {},
        line: receive,
        ended: ({ response, error }) => {
          if (response?.status === 410) end({ gone: true })
          else if (response !== undefined) end({ error: this.#refused('watch', response) })
          else end(error === undefined ? {} : { error: this.#failed('watch', error) })
        },
      },
    )
    this.#stops.add(stop)
    return stop
  }

  close(): void {
    for (const stop of this.#stops) stop()
    this.#transport.close()
  }

  /** undefined for answers of the codes in `nothing`. */
  async #request(
    what: string,
    nothing: readonly number[],
    request: TransportRequest,
  ): Promise<LeaseObject | undefined> {
    let response: TransportResponse
    let lease: unknown
    try {
      const headers = { accept: 'application/json', ...(request.body && { 'content-type': 'application/json' }) }
      response = await this.#transport.request({ ...request, headers })
      if (response.status < 300) lease = JSON.parse(response.body)
    } catch (error) {
      throw this.#failed(what, error as Error)
    }
    if (lease !== undefined) return lease as LeaseObject
    if (nothing.includes(response.status)) return undefined
    throw this.#refused(what, response)
  }

  #refused(what: string, { status, headers, body }: TransportResponse): Error {
    const said = textOf(body)
    const wanted =
      status === 403 || status === 401
        ? 'the rights get, watch and update on it (create, if nobody makes it beforehand)'
        : status === 404
          ? 'its namespace'
          : 'an answer'
    const found = `the API server answered ${status}${said ? ` (${said})` : ''}`
    const error = new TailraceError('TR-HA-002', `Cannot ${what} ${this.place}: ${found}, wanted ${wanted}`)
    const seconds = Number(headers['retry-after'])
    return Object.assign(error, seconds > 0 && { retryAfterMs: seconds * 1000 })
  }

  #failed(what: string, cause: Error & { code?: string }): Error {
    const found = cause.message || cause.code || 'no answer'
    return new TailraceError('TR-HA-002', `Cannot ${what} ${this.place}: ${found}, wanted an answer`, { cause })
  }
}

/** What the server's Status says. */
function textOf(body: string): string | undefined {
  try {
    const { message } = JSON.parse(body)
    return typeof message === 'string' ? message : undefined
  } catch {
    return undefined
  }
}
