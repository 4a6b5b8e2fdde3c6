/**
 * A running cluster, asked by its REST API. What it says in refusing is the error's text.
 */
import { ERRORS, type ErrorCode, type ErrorData, errorFromData, TailraceError } from '../core/errors.ts'
import type { FailureCause } from '../rest/operations-schemas.ts'

export interface ClusterClient {
  /** For messages. */
  readonly url: string
  get<T>(path: string): Promise<T>
  post<T>(path: string, body: object): Promise<T>
  patch<T>(path: string): Promise<T>
  delete(path: string): Promise<void>
  /** A file, as a form. */
  upload<T>(path: string, file: Blob, name: string): Promise<T>
}

export interface ClientOptions {
  request?: typeof fetch
  /** `rest.await-leader-timeout`: a JobManager that stands by is asked again for so long, as it may lead soon, or another may answer in its place. */
  awaitLeaderMs?: number
  sleep?(ms: number): Promise<void>
}

/** Between two requests to one that stands by. */
const AGAIN_MS = 500

/** Throws TR-CLI-002 when nobody answers, TR-CLI-003 (or the cluster's own code) when the cluster refuses. */
export function clusterClient(
  url: string,
  {
    request = fetch,
    awaitLeaderMs = 0,
    sleep = (ms) => new Promise((done) => setTimeout(done, ms)),
  }: ClientOptions = {},
): ClusterClient {
  const call = async <T>(method: string, path: string, body?: object): Promise<T> => {
    if (body === undefined) return send(method, path, {})
    return send(method, path, { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } })
  }
  const send = async <T>(method: string, path: string, content: RequestInit): Promise<T> => {
    const ask = () =>
      request(`${url}${path}`, { method, ...content }).catch((error: Error) => {
        throw unreachable(url, error)
      })
    let response = await ask()
    for (let waitedMs = 0; standsBy(response) && waitedMs < awaitLeaderMs; waitedMs += AGAIN_MS) {
      await response.body?.cancel()
      await sleep(AGAIN_MS)
      response = await ask()
    }
    const answer = (await response.json().catch(() => undefined)) as { errors?: string[] } | undefined
    if (response.ok && answer !== undefined) return answer as T
    throw refusal(url, method, path, response.status, answer?.errors)
  }
  return {
    url,
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    patch: (path) => call('PATCH', path),
    delete: async (path) => void (await call('DELETE', path)),
    upload: (path, file, name) => {
      const body = new FormData()
      body.append('jarfile', file, name)
      return send('POST', path, { body })
    },
  }
}

/** It has done nothing, and says when to ask again. */
const standsBy = ({ status, headers }: Response): boolean => status === 503 && headers.has('retry-after')

function unreachable(url: string, error: Error): TailraceError {
  const cause = error.cause instanceof Error ? error.cause : error
  // Of several addresses that were tried Node says nothing but the code.
  const why = cause.message === '' ? (cause as NodeJS.ErrnoException).code : cause.message
  return new TailraceError(
    'TR-CLI-002',
    `Cannot reach a cluster at ${url}: ${why}; wanted: the address of one that runs, by --address host:port (a job under "tailrace run" prints it)`,
    { cause },
  )
}

function refusal(
  url: string,
  method: string,
  path: string,
  status: number,
  errors: readonly string[] | undefined,
): TailraceError {
  if (!Array.isArray(errors) || errors.length === 0)
    return new TailraceError(
      'TR-CLI-002',
      `Cannot read what ${url} answers to ${method} ${path} (status ${status}): is that the REST of a cluster?`,
    )
  const [, code, text] = /^(TR-[A-Z]+-\d{3}): (.*)$/s.exec(errors.join('\n')) ?? [undefined, '', errors.join('\n')]
  return new TailraceError(isCode(code) ? code : 'TR-CLI-003', text)
}

/** An operation's failure as it was thrown in the cluster. */
export function errorOfCause(cause: FailureCause): TailraceError {
  const data = decoded(cause['serialized-throwable'])
  if (data !== undefined) return errorFromData(data)
  // Of a cluster that is not ours.
  const text = cause.message ?? cause['stack-trace'].split('\n')[0]!
  return new TailraceError(isCode(cause.class) ? cause.class : 'TR-CLI-003', text)
}

function decoded(base64: string | undefined): ErrorData | undefined {
  try {
    const data = JSON.parse(Buffer.from(base64 ?? '', 'base64').toString()) as ErrorData
    return isCode(data.code) && typeof data.message === 'string' ? data : undefined
  } catch {
    return undefined
  }
}

/** With the cluster's own code, where it has one. */
export function errorOfText(code: string, text: string): TailraceError {
  return new TailraceError(isCode(code) ? code : 'TR-CLI-003', text)
}

const isCode = (text: string): text is ErrorCode => Object.hasOwn(ERRORS, text)
