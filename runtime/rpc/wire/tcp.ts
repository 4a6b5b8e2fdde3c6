/** Connections by TCP, and by TLS on top of it: {@link ByteSocket} over Node's sockets. */
import { connect as connectTcp, createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { isTailraceError, TailraceError } from '../../core/errors.ts'
import type { ByteSocket, Dial, Listen, SocketEvents } from '../../core/socket.ts'
import type { InternalTls } from '../tls/internal-tls.ts'
import { farewellFrame } from './farewell.ts'
import { KIND } from './frames.ts'

/** A side that was told of the end and does not close is cut off after this. */
const END_MS = 2_000

export function tcpDial(tls?: InternalTls): Dial {
  return (address, timeoutMs) =>
    new Promise((resolve, reject) => {
      const place = `${address.host}:${address.port}`
      const socket = tls === undefined ? connectTcp(address) : connectTls({ ...address, ...tls.client })
      socket.setNoDelay(true)
      const fail = (error: Error): void => {
        stopTimer()
        socket.destroy()
        reject(
          isTailraceError(error) ? error : (tls?.failure(error, place) ?? unreachable(place, error.message, error)),
        )
      }
      const timer = setTimeout(
        () => fail(new Error(`no connection within ${timeoutMs / 1000} s (pekko.tcp.timeout)`)),
        timeoutMs,
      )
      const stopTimer = () => clearTimeout(timer)
      socket.once('error', fail)
      socket.once('close', () => fail(new Error('the other side has closed it')))
      socket.once(tls === undefined ? 'connect' : 'secureConnect', () => {
        const stranger = tls?.refuses(socket as TLSSocket)
        if (stranger !== undefined) {
          fail(new TailraceError('TR-TLS-002', `Cannot connect to ${place}: ${stranger}`))
          return
        }
        stopTimer()
        socket.removeAllListeners('error').removeAllListeners('close')
        resolve(new TcpSocket(socket, place, tls))
      })
    })
}

/** @param onStranger for the log: a connection that never came to be, since its TLS failed */
export function tcpListen(tls?: InternalTls, onStranger: (error: TailraceError) => void = () => {}): Listen {
  return (address, onSocket) =>
    new Promise((resolve, reject) => {
      const take = (socket: Socket): void => {
        const place = placeOf(socket)
        const stranger = tls?.refuses(socket as TLSSocket)
        if (stranger === undefined) {
          onSocket(new TcpSocket(socket, place, tls))
          return
        }
        const refusal = { code: 'TR-TLS-002', message: `Cannot take a connection from ${place}: ${stranger}` } as const
        socket.on('error', () => {}).end(farewellFrame(KIND.refusal, refusal))
        socket.resume()
        setTimeout(() => socket.destroy(), END_MS).unref()
        onStranger(new TailraceError(refusal.code, refusal.message))
      }
      const server: Server =
        tls === undefined
          ? createTcpServer({ noDelay: true }, take)
          : // Who is not trusted is told so above; Node would close without a word.
            createTlsServer({ ...tls.server, rejectUnauthorized: false, noDelay: true }, take)
      server.on('tlsClientError', (error: Error, socket: Socket) => {
        const place = placeOf(socket)
        onStranger(tls?.failure(error, place) ?? unreachable(place, error.message, error))
      })
      server.once('error', (cause: NodeJS.ErrnoException) => {
        reject(
          new TailraceError(
            'TR-CLUSTER-003',
            `Cannot listen on ${address.host}:${address.port}: ${cause.code === 'EADDRINUSE' ? 'the port is taken' : cause.message}, a free port of this machine is wanted`,
            { cause },
          ),
        )
      })
      server.listen(address.port, address.host, () => {
        server.removeAllListeners('error').on('error', () => {})
        resolve({
          address: { host: address.host, port: (server.address() as { port: number }).port },
          close: () => new Promise((closed) => void server.close(() => closed())),
        })
      })
    })
}

function placeOf({ remoteAddress, remotePort }: Socket): string {
  return remoteAddress === undefined ? 'a process that has gone already' : `${remoteAddress}:${remotePort}`
}

function unreachable(place: string, how: string, cause: unknown): TailraceError {
  return new TailraceError('TR-RPC-001', `Cannot connect to ${place}: ${how}`, { cause })
}

class TcpSocket implements ByteSocket {
  readonly remote: string
  readonly localHost: string
  readonly #socket: Socket
  #done = false
  #error: Error | undefined
  #onDrain: () => void = () => {}
  readonly #wrote = (): void => {
    if (!this.#done && this.#socket.writableLength === 0) this.#onDrain()
  }

  constructor(socket: Socket, remote: string, tls: InternalTls | undefined) {
    this.remote = remote
    this.#socket = socket
    // An IPv4 address is written as one also where it came through a socket of both kinds.
    this.localHost = (socket.localAddress ?? '').replace(/^::ffff:(?=\d+\.)/i, '')
    // Nothing is read before someone listens; what breaks meanwhile is kept by Node until then.
    socket.pause()
    socket.on('error', (error) => {
      this.#error = tls?.failure(error, remote) ?? error
    })
  }

  get bufferedBytes(): number {
    return this.#socket.writableLength
  }

  listen(events: SocketEvents): void {
    const socket = this.#socket
    const close = (): void => {
      if (this.#done) return
      this.#done = true
      events.onClose(this.#error)
    }
    socket.on('data', (bytes) => {
      if (!this.#done) events.onData(bytes)
    })
    this.#onDrain = () => events.onDrain()
    socket.once('end', () => {
      close()
      socket.destroySoon()
    })
    if (socket.closed || socket.destroyed) queueMicrotask(close)
    else socket.once('close', close)
    socket.resume()
  }

  write(bytes: Uint8Array): void {
    if (!this.#done && this.#socket.writable) this.#socket.write(bytes, this.#wrote)
  }

  end(): void {
    this.#done = true
    this.#socket.end()
    this.#socket.resume()
    setTimeout(() => this.#socket.destroy(), END_MS).unref()
  }

  destroy(): void {
    this.#done = true
    this.#socket.destroy()
  }

  pause(): void {
    this.#socket.pause()
  }
  resume(): void {
    this.#socket.resume()
  }
}
