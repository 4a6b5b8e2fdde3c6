/**
 * The one door to kafkajs: connections, SASL, TLS, and the bytes of cold requests. Everything hot, and every decision (metadata, leaders, retries,
 * transactions), is ours, as the package's producer and consumer cannot do two-phase commits and let aborted records through.
 *
 * These are modules inside of the package, not its API, so its version is exact, and {@link checkShapes} looks at once whether they are what we know.
 */
import { createRequire } from 'node:module'
import type { Socket } from 'node:net'
import type { ConnectionOptions as TlsOptions } from 'node:tls'
import { TailraceError } from '../../../core/errors.ts'

const load = createRequire(import.meta.url)

export interface Encoder {
  writeInt8(value: number): Encoder
  writeInt16(value: number): Encoder
  writeInt32(value: number): Encoder
  writeInt64(value: number | string | bigint): Encoder
  writeString(value: string | null): Encoder
  writeUVarInt(value: number): Encoder
  /** Appends the bytes as they are. */
  writeBufferInternal(bytes: Buffer): void
  readonly buffer: Buffer
}

export interface Decoder {
  readInt8(): number
  readInt16(): number
  readInt32(): number
  readInt64(): { toString(): string }
  readUVarInt(): number
  readUVarIntString(): string
}

export interface Request {
  apiKey: number
  apiVersion: number
  apiName: string
  /** Wanted unless false. */
  expectResponse?(): boolean
  encode(): Promise<Encoder>
}

/** A request behind its head. */
export interface RequestInParts {
  apiKey: number
  apiVersion: number
  apiName: string
  /** False: the promise resolves at once, to null. The parts must never change then. */
  expectResponse: boolean
  /** Milliseconds. */
  requestTimeout: number
  parts: readonly Buffer[]
}

export interface Protocol {
  request: Request
  response: { decode(bytes: Buffer): Promise<any>; parse(data: any): Promise<any> }
  /** Milliseconds. */
  requestTimeout?: number
  logResponseError?: boolean
}

export interface ConnectionPool {
  send(protocol: Protocol): Promise<any>
  readonly host: string
  readonly port: number
}

export type Versions = Record<number, { minVersion: number; maxVersion: number }>

/** One broker: a connection for fetches and one for the rest. */
export interface Broker {
  /** Breaks its connections now: what is under way fails with this reason, and the next request opens new ones. kafkajs' own `disconnect` waits for answers. */
  abandon(reason: string): void
  /** Sends a request in parts that are not copied: they must stay as they are until the answer comes. */
  sendParts(request: RequestInParts): Promise<Buffer | null>
  /** The broker wants nothing for so long. */
  throttle(ms: number): void
  connect(): Promise<void>
  disconnect(): Promise<void>
  isConnected(): boolean
  readonly connectionPool: ConnectionPool
  versions: Versions | null
  /** Finds the newest version of a request that both sides know. */
  lookupRequest(apiKey: number, definitions: unknown): (args: any) => Protocol
}

export interface SaslOptions {
  mechanism: 'plain' | 'scram-sha-256' | 'scram-sha-512'
  username: string
  password: string
}

/** Opens a socket; tests and the simulation give their own. */
export type SocketFactory = (to: {
  host: string
  port: number
  ssl: TlsOptions | undefined
  onConnect: () => void
}) => Socket

export interface BrokerOptions {
  host: string
  port: number
  rack?: string | undefined
  nodeId?: number | undefined
  versions?: Versions | null | undefined
  clientId: string
  ssl: TlsOptions | undefined
  sasl: SaslOptions | undefined
  connectionTimeoutMs: number
  requestTimeoutMs: number
  socketFactory: SocketFactory | undefined
}

const BrokerClass = load('kafkajs/src/broker')
const ConnectionPoolClass = load('kafkajs/src/network/connectionPool')
const ConnectionClass = load('kafkajs/src/network/connection')
const RequestQueueClass = load('kafkajs/src/network/requestQueue')
const EncoderClass = load('kafkajs/src/protocol/encoder')
const DecoderClass = load('kafkajs/src/protocol/decoder')
const apiKeys: Record<string, number> = load('kafkajs/src/protocol/requests/apiKeys')
const { requests } = load('kafkajs/src/protocol/requests') as { requests: Record<string, unknown> }
const defaultSocketFactory: () => SocketFactory = load('kafkajs/src/network/socketFactory')
const { createLogger, LEVELS } = load('kafkajs/src/loggers')
const { errorCodes } = load('kafkajs/src/protocol/error') as { errorCodes: { code: number; type: string }[] }

/** By number, the names that Kafka's protocol guide gives; those that kafkajs does not know are in codes.ts. */
export const KAFKAJS_ERROR_NAMES: ReadonlyMap<number, string> = new Map(
  errorCodes.map(({ code, type }) => [code, type]),
)

/** @param bytes that will be written, about: it grows by copying */
export const newEncoder = (bytes = 511): Encoder => new EncoderClass(bytes)
export const newDecoder = (bytes: Buffer): Decoder => new DecoderClass(bytes)

/** Requests whose bytes kafkajs makes. Their arguments are those of its Broker. */
export type ApiName =
  | 'Metadata'
  | 'ListOffsets'
  | 'OffsetCommit'
  | 'OffsetFetch'
  | 'GroupCoordinator'
  | 'InitProducerId'
  | 'AddPartitionsToTxn'
  | 'EndTxn'
  | 'DescribeConfigs'

/** The request with these arguments, in the newest version that the broker and kafkajs have in common. */
export function protocolOf(broker: Broker, api: ApiName, args: unknown): Protocol {
  return broker.lookupRequest(apiKeys[api]!, requests[api])(args)
}

/** Whoever asked is told of every failure. */
const logger = createLogger({ level: LEVELS.NOTHING, logCreator: () => () => {} })

export function createBroker(options: BrokerOptions): Broker {
  const sockets = new Set<Socket>()
  const openSocket = options.socketFactory ?? defaultSocketFactory()
  const socketFactory: SocketFactory = (to) => {
    forgetHalfAnswers(connectionPool)
    const socket = openSocket(to)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    return socket
  }
  const { host, port, rack, nodeId, versions, clientId, ssl, sasl, connectionTimeoutMs, requestTimeoutMs } = options
  const connectionPool = new ConnectionPoolClass({
    host,
    port,
    rack,
    ssl,
    sasl,
    clientId,
    logger,
    socketFactory,
    connectionTimeout: connectionTimeoutMs,
    requestTimeout: requestTimeoutMs,
    enforceRequestTimeout: true,
    maxInFlightRequests: null,
    reauthenticationThreshold: 10_000,
  })
  for (const { requestQueue } of connectionPool.pool as Connection[]) waitOnlyWhenThrottled(requestQueue)
  const broker = new BrokerClass({
    connectionPool,
    logger,
    nodeId: nodeId ?? null,
    versions: versions ?? null,
    authenticationTimeout: connectionTimeoutMs,
    allowAutoTopicCreation: false,
  })
  return Object.assign(broker, {
    abandon(reason: string): void {
      for (const socket of sockets) socket.destroy(new Error(reason))
    },
    async sendParts(request: RequestInParts): Promise<Buffer | null> {
      const connection: Connection = await connectionPool.getConnection()
      if (sasl !== undefined && !connection.isAuthenticated()) await connection.authenticate()
      return sendParts(connection, clientId, request)
    },
    throttle(ms: number): void {
      connectionPool.pool[0].requestQueue.maybeThrottle(ms)
    },
  })
}

/** kafkajs takes what had come of an answer when its connection broke for the beginning of the first answer on the next one. */
function forgetHalfAnswers(pool: { pool: Connection[] }): void {
  for (const connection of pool.pool) {
    if (connection.isConnected()) continue
    connection.chunks = []
    connection.bytesBuffered = 0
    connection.bytesNeeded = ANSWER_LENGTH_BYTES
  }
}

/** Once it has sent anything, kafkajs looks every millisecond whether a broker throttles it no more, though none does, by a timer of which Node.js warns. */
function waitOnlyWhenThrottled(queue: RequestQueue): void {
  queue.scheduleCheckPendingRequests = () => {
    if (queue.throttleCheckTimeoutId || queue.pending.length === 0) return
    const waitMs = Math.max(queue.throttledUntil - Date.now(), 1)
    queue.throttleCheckTimeoutId = setTimeout(() => {
      queue.throttleCheckTimeoutId = null
      queue.checkPendingRequests()
    }, waitMs)
  }
}

/** What kafkajs' own `send` does, without three copies of what is sent. */
function sendParts(connection: Connection, clientId: string, request: RequestInParts): Promise<Buffer | null> {
  const { apiKey, apiVersion, apiName, expectResponse, requestTimeout, parts } = request
  const correlationId = connection.nextCorrelationId()
  const head = newEncoder()
    .writeInt16(apiKey)
    .writeInt16(apiVersion)
    .writeInt32(correlationId)
    .writeString(clientId).buffer
  const bytes = parts.reduce((sum, part) => sum + part.length, head.length)
  const size = newEncoder(ANSWER_LENGTH_BYTES).writeInt32(bytes).buffer
  return new Promise((resolve, reject) => {
    const entry = {
      apiKey,
      apiName,
      apiVersion,
      correlationId,
      resolve: ({ payload }: { payload: Buffer | null }) => resolve(payload),
      reject,
    }
    const sendRequest = () => {
      connection.failIfNotConnected()
      const { socket } = connection
      socket.cork()
      socket.write(size)
      socket.write(head)
      for (const part of parts) socket.write(part)
      socket.uncork()
    }
    connection.requestQueue.push({ entry, expectResponse, requestTimeout, sendRequest })
  })
}

interface RequestQueue {
  push(request: unknown): void
  maybeThrottle(ms: number): void
  scheduleCheckPendingRequests(): void
  checkPendingRequests(): void
  readonly pending: readonly unknown[]
  /** Milliseconds since 1970, or -1. */
  readonly throttledUntil: number
  throttleCheckTimeoutId: NodeJS.Timeout | null
}

interface Connection {
  readonly requestQueue: RequestQueue
  readonly socket: Socket
  isConnected(): boolean
  isAuthenticated(): boolean
  authenticate(): Promise<void>
  failIfNotConnected(): void
  nextCorrelationId(): number
  chunks: Buffer[]
  bytesBuffered: number
  bytesNeeded: number
}
const ANSWER_LENGTH_BYTES = 4

/** Throws TR-INTERNAL-001 when the package is not the one that this file was written for. */
function checkShapes(): void {
  const wanted: [string, boolean][] = [
    ['src/broker: connect, disconnect, isConnected', hasMethods(BrokerClass, ['connect', 'disconnect', 'isConnected'])],
    ['src/network/connectionPool: send', hasMethods(ConnectionPoolClass, ['send'])],
    ['src/network/connection: chunks, bytesBuffered, bytesNeeded', hasFraming()],
    [
      'src/network/requestQueue: scheduleCheckPendingRequests, checkPendingRequests',
      hasMethods(RequestQueueClass, ['scheduleCheckPendingRequests', 'checkPendingRequests', 'push', 'maybeThrottle']),
    ],
    [
      'src/network/connection: isAuthenticated, authenticate, failIfNotConnected, nextCorrelationId',
      hasMethods(ConnectionClass, ['isAuthenticated', 'authenticate', 'failIfNotConnected', 'nextCorrelationId']),
    ],
    [
      'src/protocol/encoder: writeInt64, writeBufferInternal',
      hasMethods(EncoderClass, ['writeInt64', 'writeBufferInternal']),
    ],
    [
      'src/protocol/decoder: readInt64, readUVarIntString',
      hasMethods(DecoderClass, ['readInt64', 'readUVarIntString']),
    ],
    ['src/protocol/requests: EndTxn 26', apiKeys.EndTxn === 26 && requests.EndTxn !== undefined],
    ['src/loggers: LEVELS', typeof LEVELS?.NOTHING === 'number'],
  ]
  const missing = wanted.filter(([, there]) => !there).map(([what]) => what)
  if (missing.length === 0) return
  throw new TailraceError(
    'TR-INTERNAL-001',
    `Cannot use the package kafkajs ${load('kafkajs/package.json').version}: it lacks ${missing.join('; ')}. Wanted: 2.2.4, as package.json says`,
  )
}

const hasMethods = (owner: { prototype: Record<string, unknown> }, names: string[]): boolean =>
  names.every((name) => typeof owner?.prototype?.[name] === 'function')

/** See {@link forgetHalfAnswers}. */
function hasFraming(): boolean {
  const { pool = [] } = new ConnectionPoolClass({ host: '', port: 0, logger }) as { pool?: Connection[] }
  if (pool.length === 0) return false
  return pool.every(
    (one) => Array.isArray(one.chunks) && one.bytesBuffered === 0 && one.bytesNeeded === ANSWER_LENGTH_BYTES,
  )
}

checkShapes()
