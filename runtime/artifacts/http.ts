/**
 * An artifact over HTTP.
 *
 * What must hold: every hop is checked as the first one, before a byte is sent to it (scheme, host, the addresses that the socket connects to); secrets go to
 * the host that was named and to no other; the whole takes a bounded time, and a server that falls silent is given up.
 */
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { isIP } from 'node:net'
import { ARTIFACTS } from '../config/options/security.ts'
import { type Schedule, systemSchedule } from '../core/clock.ts'
import { isTailraceError, TailraceError } from '../core/errors.ts'
import { checkAddress, lookupFor, type Resolve, systemResolve } from './hosts.ts'
import { type ArtifactSettings, REDIRECTS_MAX } from './settings.ts'

export type HttpSettings = Pick<
  ArtifactSettings,
  'allowHttp' | 'headers' | 'allowed' | 'sizeMax' | 'timeoutMs' | 'idleTimeoutMs'
>

export interface HttpOptions {
  schedule?: Schedule
  resolve?: Resolve
  /** Authority that certificates are checked with, besides those of the system: PEM. */
  ca?: string
}

/**
 * The bytes of what a GET answers.
 *
 * Throws TR-ARTIFACT-002 for hosts that must not be asked, 003 for what may pass, 004 for what is not there, 006 for what is too large.
 *
 * @param location an `https:` or `http:` URL
 */
export async function* fetchHttp(
  location: string,
  settings: HttpSettings,
  { schedule = systemSchedule, resolve = systemResolve, ca }: HttpOptions = {},
): AsyncGenerator<Uint8Array> {
  const { allowed, timeoutMs, idleTimeoutMs, sizeMax } = settings
  const abort = new AbortController()
  let late: string | undefined
  const limit = (ms: number, text: string) =>
    schedule(ms, () => {
      late ??= text
      abort.abort()
    })
  const stopTotal = limit(timeoutMs, `it took longer than ${timeoutMs} ms ("tailrace.artifacts.fetch-timeout")`)
  const idleText = `the server was silent for ${idleTimeoutMs} ms ("tailrace.artifacts.idle-timeout")`
  let stopIdle = limit(idleTimeoutMs, idleText)
  const heard = () => {
    stopIdle()
    stopIdle = limit(idleTimeoutMs, idleText)
  }
  // Of this fetch alone: a connection that was checked by other rules is not used again.
  const agents = { 'http:': new HttpAgent(), 'https:': new HttpsAgent({ ...(ca !== undefined && { ca }) }) }
  const first = new URL(location)
  let url = first
  try {
    for (let hops = 0; ; hops++) {
      check(url, settings)
      const headers = url.origin === first.origin ? settings.headers : {}
      const response = await ask(url, { agents, headers, signal: abort.signal, lookup: lookupFor(allowed, resolve) })
      heard()
      const next = redirectOf(response, url)
      if (next !== undefined) {
        response.destroy()
        if (hops === REDIRECTS_MAX) throw failed(url, `it redirects more than ${REDIRECTS_MAX} times`)
        url = next
        continue
      }
      yield* bytesOf(response, url, sizeMax, heard)
      return
    }
  } catch (error) {
    if (late !== undefined) throw failed(url, late, error)
    throw isTailraceError(error) ? error : failed(url, (error as Error).message || String(error), error)
  } finally {
    stopTotal()
    stopIdle()
    for (const agent of Object.values(agents)) agent.destroy()
  }
}

function check(url: URL, { allowHttp, allowed }: HttpSettings): void {
  if (url.protocol === 'http:' && !allowHttp)
    throw new TailraceError(
      'TR-ARTIFACT-002',
      `Cannot fetch ${shown(url)}: "http:" is not encrypted, wanted: https, or "user.artifacts.raw-http-enabled" true`,
    )
  const host = hostOf(url)
  // Sockets do not look addresses up.
  if (isIP(host) !== 0) checkAddress(host, host, allowed)
}

interface Question {
  agents: { 'http:': HttpAgent; 'https:': HttpsAgent }
  headers: Readonly<Record<string, string>>
  signal: AbortSignal
  lookup: ReturnType<typeof lookupFor>
}

function ask(url: URL, { agents, headers, signal, lookup }: Question): Promise<IncomingMessage> {
  return new Promise((answer, fail) => {
    const secure = url.protocol === 'https:'
    const request = (secure ? requestHttps : requestHttp)(url, {
      agent: secure ? agents['https:'] : agents['http:'],
      headers: { accept: '*/*', 'accept-encoding': 'identity', 'user-agent': 'tailrace', ...headers },
      signal,
      lookup,
    })
    request.on('response', answer)
    request.on('error', fail)
    request.end()
  })
}

/** Where an answer sends one to; undefined when it is the answer. */
function redirectOf({ statusCode = 0, headers }: IncomingMessage, url: URL): URL | undefined {
  if (![301, 302, 303, 307, 308].includes(statusCode)) return undefined
  const { location } = headers
  if (location === undefined || !URL.canParse(location, url))
    throw failed(url, `it answers ${statusCode} and not where to`)
  const next = new URL(location, url)
  if (next.protocol !== 'https:' && next.protocol !== 'http:')
    throw failed(url, `it redirects to "${next.protocol}", wanted: https`)
  if (next.username !== '' || next.password !== '') throw failed(url, 'it redirects to an address with a password')
  return next
}

async function* bytesOf(
  response: IncomingMessage,
  url: URL,
  sizeMax: number,
  heard: () => void,
): AsyncGenerator<Uint8Array> {
  const { statusCode = 0, headers } = response
  if (statusCode !== 200) {
    response.destroy()
    const passes = statusCode >= 500 || statusCode === 408 || statusCode === 425 || statusCode === 429
    throw new TailraceError(
      passes ? 'TR-ARTIFACT-003' : 'TR-ARTIFACT-004',
      `Cannot fetch ${shown(url)}: the host "${hostOf(url)}" answers ${statusCode} ${response.statusMessage ?? ''}`.trim(),
    )
  }
  // Archives are often said to be encoded, and are meant as they are.
  const encoding = headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity' && !/\.(tgz|tar\.gz)$/i.test(url.pathname)) {
    response.destroy()
    throw failed(url, `its bytes are encoded as "${encoding}", wanted: as they are`)
  }
  const length = headers['content-length'] === undefined ? undefined : Number(headers['content-length'])
  if (length !== undefined && length > sizeMax) {
    response.destroy()
    throw tooLarge(shown(url), `${length} bytes`, sizeMax)
  }
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    heard()
    size += chunk.length
    if (size > sizeMax) throw tooLarge(shown(url), `more than ${sizeMax} bytes`, sizeMax)
    yield chunk
  }
  if (length !== undefined && size !== length) throw failed(url, `${size} bytes came of ${length}`)
}

/** TR-ARTIFACT-006 for a file, by its size as it is known. */
export function tooLarge(what: string, found: string, sizeMax: number, key = ARTIFACTS.size.key): TailraceError {
  return new TailraceError(
    'TR-ARTIFACT-006',
    `Cannot take the artifact ${what}: it has ${found}, wanted: ${sizeMax} at the most ("${key}")`,
  )
}

/** A query may be a signature. */
const shown = (url: URL) => `${url.origin}${url.pathname}`

const hostOf = ({ hostname }: URL) => hostname.replace(/^\[(.*)\]$/, '$1')

function failed(url: URL, found: string, cause?: unknown): TailraceError {
  return new TailraceError('TR-ARTIFACT-003', `Cannot fetch ${shown(url)} from the host "${hostOf(url)}": ${found}`, {
    cause,
  })
}
