/**
 * A client of Confluent's schema registry: schemas by id, ids by schema. It asks again with growing pauses where that can help (no
 * connection, 429, 5xx), a bounded number of times; all else fails at once with what the registry said.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { TailraceError } from '../../core/errors.ts'
import { type HttpRequest, httpRequest } from './http.ts'

export type RegistryAuth = { username: string; password: string } | { token: string }

/** PEM texts. */
export interface RegistryTls {
  /** Of the authorities to trust, instead of the well-known ones. */
  ca?: string
  /** Of the client, with `key`. */
  cert?: string
  key?: string
  passphrase?: string
  /** False trusts any certificate. */
  rejectUnauthorized?: boolean
}

export interface RegistryOptions {
  /** `https://registry:8081`; a path in it is kept, a user and password become `auth`. */
  url: string
  auth?: RegistryAuth
  /** Sent with every request. */
  headers?: Record<string, string>
  tls?: RegistryTls
  /** Of one request; 10 s when not given. */
  requestTimeoutMs?: number
  /** Further attempts of a request; 5 when not given. */
  retriesMax?: number
  /** Before the first further attempt; doubled each time, up to 10 s. 200 when not given. */
  retryDelayMs?: number
}

/** What it works with, for tests. */
export interface RegistryMeans {
  request?: HttpRequest
  sleep?: (ms: number) => Promise<unknown>
  now?: () => number
}

/** A schema with those that it refers to, each after those that it refers to itself. */
export interface RegisteredSchema {
  id: number
  schema: string
  references: string[]
}

/** The registry does not know the schema, or it is of another kind: what asks for it is malformed. */
export class SchemaUnknown extends Error {
  override readonly name = 'SchemaUnknown'
}

interface Reference {
  subject: string
  version: number
}

const RETRY_DELAY_MS_MAX = 10_000
const REFERENCES_MAX = 1000
/** Codes of the registry: subject, version and schema not found. */
const NOT_FOUND = new Set([40401, 40402, 40403])

export class Registry {
  /** Without a password. */
  readonly url: string
  readonly #options: RegistryOptions
  readonly #headers: Record<string, string>
  readonly #request: HttpRequest
  readonly #sleep: (ms: number) => Promise<unknown>

  /** TypeError for a URL that is none. */
  constructor(options: RegistryOptions, means: RegistryMeans = {}) {
    const parsed = URL.canParse(options.url) ? new URL(options.url) : undefined
    if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
      throw new TypeError(
        `Cannot use a schema registry at "${options.url}": the URL must begin with http:// or https://`,
      )
    const { username, password } = parsed
    const auth =
      options.auth ??
      (username === '' ? undefined : { username: decodeURIComponent(username), password: decodeURIComponent(password) })
    parsed.username = ''
    parsed.password = ''
    this.url = parsed.href.replace(/\/+$/, '')
    this.#options = options
    this.#headers = { accept: 'application/vnd.schemaregistry.v1+json', ...options.headers, ...authorization(auth) }
    this.#request = means.request ?? httpRequest
    this.#sleep = means.sleep ?? sleep
  }

  /** @throws SchemaUnknown */
  async schemaById(id: number): Promise<RegisteredSchema> {
    const what = `get the schema ${id}`
    const found = await this.#ask(what, 'GET', `/schemas/ids/${id}`, undefined, true)
    const { schemaType = 'AVRO' } = found
    if (schemaType !== 'AVRO') throw new SchemaUnknown(`the schema ${id} at ${this.url} is ${schemaType}, wanted AVRO`)
    return { id, ...(await this.#complete(what, found)) }
  }

  /** The id of a schema that the subject has. */
  async lookUp(subject: string, schema: string): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}`
    return this.#id(`find the schema in the subject "${subject}"`, path, schema)
  }

  /** Adds the schema to the subject, unless it has it. Gives its id. */
  async register(subject: string, schema: string): Promise<number> {
    const path = `/subjects/${encodeURIComponent(subject)}/versions`
    return this.#id(`register the schema for the subject "${subject}"`, path, schema)
  }

  /** The newest schema of a subject. */
  async latest(subject: string): Promise<RegisteredSchema> {
    const what = `get the latest schema of the subject "${subject}"`
    const found = await this.#ask(what, 'GET', `/subjects/${encodeURIComponent(subject)}/versions/latest`)
    return { id: this.#idOf(what, found), ...(await this.#complete(what, found)) }
  }

  async #id(what: string, path: string, schema: string): Promise<number> {
    return this.#idOf(what, await this.#ask(what, 'POST', path, { schema }))
  }

  #idOf(what: string, { id }: Record<string, unknown>): number {
    if (Number.isInteger(id)) return id as number
    throw this.#refused(what, 'the answer holds no id')
  }

  async #complete(what: string, found: Record<string, unknown>): Promise<{ schema: string; references: string[] }> {
    const { schema, schemaType = 'AVRO' } = found
    if (schemaType !== 'AVRO') throw this.#refused(what, `it is ${schemaType}, wanted AVRO`)
    if (typeof schema !== 'string') throw this.#refused(what, 'the answer holds no schema')
    const references: string[] = []
    await this.#gather(found.references, references, new Set())
    return { schema, references }
  }

  /** Depth first, so that each stands behind what it refers to. */
  async #gather(given: unknown, references: string[], seen: Set<string>): Promise<void> {
    for (const { subject, version } of (given as Reference[] | undefined) ?? []) {
      const what = `get version ${version} of the subject "${subject}"`
      if (seen.has(what)) continue
      seen.add(what)
      if (seen.size > REFERENCES_MAX) throw this.#refused(what, `a schema refers to more than ${REFERENCES_MAX} others`)
      const found = await this.#ask(what, 'GET', `/subjects/${encodeURIComponent(subject)}/versions/${version}`)
      await this.#gather(found.references, references, seen)
      references.push(String(found.schema))
    }
  }

  async #ask(
    what: string,
    method: 'GET' | 'POST',
    path: string,
    body?: object,
    unknownIsData = false,
  ): Promise<Record<string, unknown>> {
    const { retriesMax = 5, retryDelayMs = 200, requestTimeoutMs = 10_000, tls } = this.#options
    for (let attempt = 0; ; attempt++) {
      let failure: string
      let cause: unknown
      try {
        const { status, text } = await this.#request(this.url + path, {
          method,
          headers:
            body === undefined
              ? this.#headers
              : { ...this.#headers, 'content-type': 'application/vnd.schemaregistry.v1+json' },
          body: body && JSON.stringify(body),
          timeoutMs: requestTimeoutMs,
          tls,
        })
        const answer = answerOf(text)
        if (status === 200 && answer !== undefined) return answer
        const code = Number(answer?.error_code ?? status)
        failure =
          answer === undefined
            ? `it answered ${status} with no JSON`
            : `${code}: ${answer.message ?? `status ${status}`}`
        if (unknownIsData && NOT_FOUND.has(code))
          throw new SchemaUnknown(`its schema is unknown at ${this.url} (${failure})`)
        if (status !== 429 && status < 500) throw this.#refused(what, failure + adviceFor(status, code))
      } catch (error) {
        if (error instanceof TailraceError || error instanceof SchemaUnknown) throw error
        failure = (error as Error).message || String((error as NodeJS.ErrnoException).code)
        cause = error
      }
      if (attempt >= retriesMax)
        throw new TailraceError(
          'TR-FORMAT-003',
          `Cannot ${what} at the schema registry ${this.url}: ${failure}, after ${attempt + 1} attempts`,
          { cause },
        )
      await this.#sleep(Math.min(retryDelayMs * 2 ** attempt, RETRY_DELAY_MS_MAX))
    }
  }

  #refused(what: string, reason: string): TailraceError {
    return new TailraceError('TR-FORMAT-002', `Cannot ${what} at the schema registry ${this.url}: ${reason}`)
  }
}

function authorization(auth: RegistryAuth | undefined): Record<string, string> {
  if (auth === undefined) return {}
  if ('token' in auth) return { authorization: `Bearer ${auth.token}` }
  return { authorization: `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString('base64')}` }
}

function answerOf(text: string): Record<string, unknown> | undefined {
  try {
    const answer = JSON.parse(text)
    return typeof answer === 'object' && answer !== null ? answer : undefined
  } catch {
    return undefined
  }
}

function adviceFor(status: number, code: number): string {
  if (status === 401 || status === 403) return '; check "auth"'
  if (code === 40403) return '; register it, or set autoRegister'
  if (code === 40401) return '; register a schema, or give "schema" and set autoRegister'
  return status === 409 ? '; the schema breaks the compatibility that the subject demands' : ''
}
