/**
 * What a connection between slots needs of a socket, so that the simulation and tests can give their own; and the real one, over TCP or TLS.
 *
 * Received bytes lie in one buffer that is used again for the next: they are the callee's only during the call. On plain TCP that
 * buffer is the kernel's target (`onread`), which saves an allocation for every 64 KB.
 */
import { connect as connectTcp, createServer, type NetConnectOpts, type Server, Socket } from 'node:net'
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from 'node:tls'
import { TailraceError } from '../../core/errors.ts'
import type { InternalTls } from '../../rpc/tls/internal-tls.ts'

export interface Address {
  host: string
  port: number
}

export interface SocketEvents {
  /** The other side's machine has taken the connection, which its process may not have seen yet. Where `open` says as much it may be left out. */
  reached?(): void
  /** Connected, and by TLS trusted. Comes once, before any bytes. */
  open(): void
  /** `length` bytes from the start of `bytes`. */
  received(bytes: Buffer, length: number): void
  /** Comes once; nothing comes after it. `reason` completes "the connection …". */
  closed(reason: string): void
}

export interface DataSocket {
  /** The other side, for messages: host:port. */
  readonly remote: string
  /** Calls `events` from now on; called once, before the caller gives way to the event loop. */
  start(events: SocketEvents): void
  /**
   * Sends all chunks as one write; they stay the socket's until it has them all. True: it has, and they can be changed. False: `written` will
   * be called, and until then nothing may be written. A socket that closes does not call it.
   */
  write(chunks: readonly Buffer[], written: () => void): boolean
  /** Sends what was written, if that goes quickly, and closes. `closed` comes all the same. */
  end(): void
}

/** Opens a connection. Never throws: what fails comes as `closed`. */
export type Connect = (to: Address) => DataSocket
/** Listens; tells of each connection when it is open. `stranger`: by TLS it is not trusted, and why; it may be told so, and nothing else. */
export type Listen = (at: Address, accepted: (socket: DataSocket, stranger?: string) => void) => Promise<Listening>
export interface Listening {
  port: number
  close(): void
}

/** Mutual TLS. */
export type SocketTls = Pick<InternalTls, 'client' | 'server' | 'refuses' | 'failure'>

/** The reason of a connection that the other side ends without an error. */
export const CLOSED = 'was closed by the other side'
/** What one read takes at most. */
export const READ_BYTES = 128 * 1024
/** What `end` gives the other side to take the last bytes. */
const END_MS = 1000

/** Connections by TCP, or TLS with `tls`. */
export function connectSockets(tls?: SocketTls): Connect {
  return ({ host, port }) => {
    const remote = `${host}:${port}`
    if (tls !== undefined) {
      return new NodeSocket(connectTls({ host, port, ...tls.client }), remote, 'secureConnect', undefined, tls)
    }
    const input = new Input()
    return new NodeSocket(connectTcp({ host, port, ...input.onread } as NetConnectOpts), remote, 'connect', input)
  }
}

/**
 * Listens by TCP, or TLS with `tls`. Rejects with TR-CLUSTER-003 when the port is taken.
 *
 * @param onStranger for the log: a connection that never came to be, since its TLS failed
 */
export function listenSockets(tls?: SocketTls, onStranger: (error: TailraceError) => void = () => {}): Listen {
  return ({ host, port }, accepted) =>
    new Promise((resolve, reject) => {
      const sockets = new Set<Socket>()
      const server: Server =
        tls === undefined
          ? createServer({ pauseOnConnect: true }, (socket) => take(socket))
          : // Who is not trusted is told so; Node would close without a word.
            createTlsServer({ ...tls.server, rejectUnauthorized: false }, (socket) => take(socket, tls.refuses(socket)))
      server.on('tlsClientError', (error: Error, { remoteAddress, remotePort }: Socket) => {
        const place = remoteAddress === undefined ? 'a process that has gone already' : `${remoteAddress}:${remotePort}`
        onStranger(
          tls!.failure(error, place) ??
            new TailraceError('TR-TLS-002', `Cannot speak TLS with ${place}: ${error.message}`, { cause: error }),
        )
      })
      const take = (taken: Socket, stranger?: string) => {
        const remote = `${taken.remoteAddress}:${taken.remotePort}`
        const input = tls === undefined ? new Input() : undefined
        const socket = input === undefined ? taken : withOnread(taken, input)
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
        if (stranger !== undefined)
          onStranger(new TailraceError('TR-TLS-002', `Cannot take a connection for data from ${remote}: ${stranger}`))
        accepted(new NodeSocket(socket, remote, undefined, input, tls), stranger)
      }
      server.once('error', (cause) =>
        reject(
          new TailraceError(
            'TR-CLUSTER-003',
            `Cannot listen for data on ${host}:${port}: ${(cause as NodeJS.ErrnoException).code ?? cause.message}`,
            { cause },
          ),
        ),
      )
      server.listen(port, host, () => {
        server.unref()
        resolve({
          port: (server.address() as { port: number }).port,
          close() {
            server.close()
            for (const socket of sockets) socket.destroy()
          },
        })
      })
    })
}

/** The buffer that the kernel reads into, and who gets it. */
class Input {
  receive: (bytes: Buffer, length: number) => void = () => {}
  readonly onread = {
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback: (length: number, bytes: Uint8Array): boolean => {
        this.receive(bytes as Buffer, length)
        return true
      },
    },
  }
}

/**
 * An accepted socket that reads by `onread`, which servers cannot be asked for: the handle moves to a socket made with it. Where Node hides its
 * handles the socket stays as it is and reads by events.
 */
function withOnread(accepted: Socket, input: Input): Socket {
  const inside = accepted as unknown as { _handle?: object | null }
  const handle = inside._handle
  if (handle === undefined || handle === null) return accepted
  inside._handle = null
  return new Socket({ handle, ...input.onread, readable: true, writable: true } as ConstructorParameters<
    typeof Socket
  >[0])
}

class NodeSocket implements DataSocket {
  readonly remote: string
  readonly #socket: Socket
  readonly #input: Input | undefined
  readonly #opens: string | undefined
  readonly #tls: SocketTls | undefined
  /** Writes that were made and that are done: callbacks come in order, also for writes that were done at once. */
  #made = 0
  #done = 0
  #waited = 0
  #written: () => void = () => {}
  readonly #wrote = (): void => {
    this.#done++
    if (this.#waited === 0 || this.#done < this.#waited) return
    this.#waited = 0
    if (!this.#socket.destroyed) this.#written()
  }

  /** `opens` is the event of being open; undefined: it is. */
  constructor(socket: Socket, remote: string, opens: string | undefined, input?: Input, tls?: SocketTls) {
    this.#socket = socket
    this.#tls = tls
    this.#input = input
    this.#opens = opens
    this.remote = remote
    // Until `start`: an error that nobody listens for would end the process.
    socket.on('error', () => {})
  }

  start(events: SocketEvents): void {
    const socket = this.#socket
    socket.setNoDelay(true)
    let reason = CLOSED
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const untrusted = this.#tls?.failure(error, this.remote)
      reason =
        untrusted === undefined
          ? `failed with ${error.code ?? error.message}`
          : `failed: ${untrusted.code} ${untrusted.message}`
    })
    socket.once('close', () => events.closed(reason))
    const receive = (bytes: Buffer, length: number) => {
      if (!socket.destroyed) events.received(bytes, length)
    }
    if (this.#input !== undefined) this.#input.receive = receive
    // With onread no data events come; without it they are what starts the reading.
    socket.on('data', (bytes: Buffer) => receive(bytes, bytes.length))
    if (this.#opens === undefined) {
      events.open()
      socket.resume()
    } else {
      if (this.#opens !== 'connect') socket.once('connect', () => events.reached?.())
      socket.once(this.#opens, () => {
        const stranger = this.#tls?.refuses(socket as TLSSocket)
        if (stranger === undefined) events.open()
        else {
          reason = `was refused: TR-TLS-002 ${stranger}`
          socket.destroy()
        }
      })
    }
  }

  write(chunks: readonly Buffer[], written: () => void): boolean {
    const socket = this.#socket
    if (socket.destroyed) return false
    const last = chunks.length - 1
    if (last === 0) socket.write(chunks[0]!, this.#wrote)
    else {
      socket.cork()
      for (let i = 0; i < last; i++) socket.write(chunks[i]!)
      socket.write(chunks[last]!, this.#wrote)
      socket.uncork()
    }
    this.#made++
    if (socket.writableLength === 0) return true
    this.#waited = this.#made
    this.#written = written
    return false
  }

  end(): void {
    const socket = this.#socket
    if (socket.destroyed) return
    socket.end()
    const timer = setTimeout(() => socket.destroy(), END_MS)
    timer.unref()
    socket.once('close', () => clearTimeout(timer))
  }
}
