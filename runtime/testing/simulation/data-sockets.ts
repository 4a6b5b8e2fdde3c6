/**
 * The data plane's sockets in the simulated network: what slots of different processes write to each other is late, in pieces, stalled, cut or silent like everything else there.
 *
 * As with real sockets a write is done at once or later, what is written must not change before it is, and what was read lies in one buffer that the next read overwrites.
 */
import type { ByteSocket } from '../../core/socket.ts'
import type { Connect, DataSocket, Listen, SocketEvents } from '../../network/remote/sockets.ts'
import type { Random } from './random.ts'
import type { SocketHost } from './sockets.ts'

/** What one read takes at most. */
const READ_BYTES = 20_000
const CONNECT_MS = 20_000
/** A write that is not done at once takes up to so long. */
const WRITE_MS = 3
/** What is read twice is not what was there. */
const OVERWRITTEN = 0xee

export function connectSimulated(host: SocketHost, random: Random): Connect {
  return (to) => new SimulatedDataSocket(`${to.host}:${to.port}`, host, random, host.dial(to, CONNECT_MS))
}

export function listenSimulated(host: SocketHost, random: Random): Listen {
  return async ({ port }, accepted) => {
    const listener = await host.listen({ host: host.name, port }, (socket) =>
      accepted(new SimulatedDataSocket(socket.remote, host, random, socket)),
    )
    return { port: listener.address.port, close: () => void listener.close() }
  }
}

class SimulatedDataSocket implements DataSocket {
  readonly remote: string
  readonly #host: SocketHost
  readonly #random: Random
  readonly #from: ByteSocket | Promise<ByteSocket>
  readonly #read = Buffer.alloc(READ_BYTES)
  #socket: ByteSocket | undefined
  #events: SocketEvents | undefined
  /** Not written yet: copied when they are. */
  #waiting: { chunks: readonly Buffer[]; written: () => void } | undefined
  #ended = false
  #closed = false

  constructor(remote: string, host: SocketHost, random: Random, from: ByteSocket | Promise<ByteSocket>) {
    this.remote = remote
    this.#host = host
    this.#random = random
    this.#from = from
  }

  start(events: SocketEvents): void {
    this.#events = events
    if (!(this.#from instanceof Promise)) {
      this.#open(this.#from)
      return
    }
    this.#from.then(
      (socket) => (this.#ended ? socket.destroy() : this.#open(socket)),
      (error: Error) => this.#close(`failed with ${error.message}`),
    )
  }

  #open(socket: ByteSocket): void {
    this.#socket = socket
    socket.listen({
      onData: (bytes) => this.#received(bytes),
      onDrain: () => {},
      onClose: (error) => this.#close(error === undefined ? 'was closed by the other side' : 'failed with ECONNRESET'),
    })
    this.#events!.open()
  }

  #received(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.#closed && !this.#ended; at += READ_BYTES) {
      const piece = bytes.subarray(at, at + READ_BYTES)
      this.#read.set(piece)
      this.#events!.received(this.#read, piece.length)
      this.#read.fill(OVERWRITTEN, 0, piece.length)
    }
  }

  write(chunks: readonly Buffer[], written: () => void): boolean {
    if (this.#waiting !== undefined) throw new Error('a write while one is under way')
    if (this.#ended || this.#closed || this.#socket === undefined) return false
    if (this.#random.chance(0.6)) {
      this.#socket.write(Buffer.concat(chunks))
      return true
    }
    this.#waiting = { chunks: [...chunks], written }
    this.#host.schedule(this.#random.between(0, WRITE_MS), () => {
      if (this.#closed || this.#ended) return
      this.#finishWrite()?.()
    })
    return false
  }

  #finishWrite(): (() => void) | undefined {
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting === undefined) return undefined
    this.#socket?.write(Buffer.concat(waiting.chunks))
    return waiting.written
  }

  end(): void {
    if (this.#ended || this.#closed) return
    this.#finishWrite()
    this.#ended = true
    this.#socket?.end()
    this.#host.schedule(0, () => this.#close('was closed'))
  }

  #close(reason: string): void {
    if (this.#closed) return
    this.#closed = true
    this.#events?.closed(reason)
  }
}
