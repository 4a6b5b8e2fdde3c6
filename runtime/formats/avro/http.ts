/**
 * One HTTP request with a body of text, over node:http rather than fetch, because fetch takes no certificates.
 */
import { request as http } from 'node:http'
import { request as https } from 'node:https'

export interface HttpOptions {
  method: string
  headers: Record<string, string>
  body: string | undefined
  /** For the whole exchange. */
  timeoutMs: number
  /** Options of a TLS connection. */
  tls: object | undefined
}

export type HttpRequest = (url: string, options: HttpOptions) => Promise<{ status: number; text: string }>

/** An answer that is larger is not a schema. */
const ANSWER_BYTES_MAX = 32 * 1024 * 1024

export const httpRequest: HttpRequest = (url, { method, headers, body, timeoutMs, tls }) => {
  const { promise, resolve, reject } = Promise.withResolvers<{ status: number; text: string }>()
  const signal = AbortSignal.timeout(timeoutMs)
  const options = {
    method,
    headers: { ...headers, ...(body && { 'content-length': Buffer.byteLength(body) }) },
    signal,
  }
  const sent = url.startsWith('https:') ? https(url, { ...options, ...tls }) : http(url, options)
  const failed = (error: Error) =>
    reject(signal.aborted ? new Error(`no answer within ${timeoutMs} ms`, { cause: error }) : error)
  sent.on('error', failed)
  sent.on('response', (response) => {
    const parts: Buffer[] = []
    let size = 0
    response.on('data', (part: Buffer) => {
      size += part.length
      if (size > ANSWER_BYTES_MAX) sent.destroy(new Error(`the answer is larger than ${ANSWER_BYTES_MAX} bytes`))
      parts.push(part)
    })
    response.on('error', failed)
    response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(parts).toString() }))
  })
  sent.end(body)
  return promise
}
