/**
 * How requests reach an API server. kubernetes-http.ts is the real one; the API server of the tests has one in memory.
 */

export interface TransportRequest {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query. */
  path: string
  headers?: Record<string, string>
  body?: string
  /** Rejects when it is aborted. */
  signal: AbortSignal
}

export interface TransportResponse {
  status: number
  /** Names in lower case. */
  headers: Readonly<Record<string, string | string[] | undefined>>
  body: string
}

export interface StreamEvents {
  /** Bytes have come, whatever they are. */
  heard(): void
  /** A line that is complete, without its end. */
  line(text: string): void
  /** Called once and last: an answer other than 200, an end in peace (nothing set), or a failure. Not called after it was aborted. */
  ended(end: { response?: TransportResponse; error?: Error }): void
}

export interface KubeTransport {
  /** For messages, such as `https://10.0.0.1:443`. */
  readonly server: string
  request(request: TransportRequest): Promise<TransportResponse>
  /** A response that is read line by line while it comes. */
  stream(request: TransportRequest, events: StreamEvents): void
  close(): void
}
