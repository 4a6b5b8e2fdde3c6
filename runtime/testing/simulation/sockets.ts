/**
 * Connections in memory, with the faults that real ones have: bytes come late and in other pieces than they were written, connections are cut in the middle of anything, or stand
 * silent though both sides think that they are open. All of it follows from `random`; time is the schedule of whoever has the socket, so a party that stands still reads nothing.
 *
 * What must hold, whatever the faults: bytes arrive in order, each once or not at all; a side hears of an end once, after the last bytes.
 */
import type { Schedule } from '../../core/clock.ts'
import { TailraceError } from '../../core/errors.ts'
import type { ByteSocket, Dial, Listen, SocketAddress, SocketEvents } from '../../core/socket.ts'

export interface SocketNetOptions {
  /** From 0 up to 1. */
  random: () => number
  /** Each piece takes so long, drawn anew; 0 to 2 ms if not given. */
  latencyMs?: () => number
  /** Longest piece, bytes; what is written is cut at random into pieces of up to so many. Infinity: each write arrives as one. */
  pieceBytesMax?: number
}

/** A network of hosts. */
export class SocketNet {
  readonly #options: Required<SocketNetOptions>
  readonly #hosts = new Map<string, SocketHost>()
  readonly #links = new Set<SocketLink>()

  constructor({ random, latencyMs = () => 2 * random(), pieceBytesMax = 1000 }: SocketNetOptions) {
    this.#options = { random, latencyMs, pieceBytesMax }
  }

  /** Connections that are open, the oldest first; one that is cut or closed is gone from here. */
  get links(): readonly SocketLink[] {
    return [...this.#links]
  }

  /** A process or machine of this name, with its own time. One of a name takes the place of another that has died. */
  host(name: string, schedule: Schedule): SocketHost {
    const host = new SocketHost(name, schedule, (from, address) => this.#connect(from, address))
    this.#hosts.set(name, host)
    return host
  }

  #connect(from: SocketHost, { host, port }: SocketAddress): SocketLink | undefined {
    const to = this.#hosts.get(host)
    const accept = to?.accepts(port)
    if (to === undefined || accept === undefined) return undefined
    const link = new SocketLink(from, to, this.#options, () => this.#links.delete(link))
    this.#links.add(link)
    to.schedule(this.#options.latencyMs(), () => accept(link.far))
    return link
  }
}

type Connect = (from: SocketHost, address: SocketAddress) => SocketLink | undefined

export class SocketHost {
  readonly name: string
  readonly schedule: Schedule
  readonly #connect: Connect
  readonly #ports = new Map<number, (socket: ByteSocket) => void>()
  #lastPort = 40_000

  /** @internal {@link SocketNet.host} makes them. */
  constructor(name: string, schedule: Schedule, connect: Connect) {
    this.name = name
    this.schedule = schedule
    this.#connect = connect
  }

  readonly dial: Dial = (address) =>
    new Promise((resolve, reject) => {
      const link = this.#connect(this, address)
      this.schedule(1, () => {
        if (link !== undefined && !link.ended) resolve(link.near)
        else {
          const why = link === undefined ? 'nobody listens' : 'the other side has closed it'
          reject(new TailraceError('TR-RPC-001', `Cannot connect to ${address.host}:${address.port}: ${why}`))
        }
      })
    })

  readonly listen: Listen = async (address, onSocket) => {
    const port = address.port === 0 ? ++this.#lastPort : address.port
    if (this.#ports.has(port))
      throw new TailraceError('TR-CLUSTER-003', `Cannot listen on ${this.name}:${port}: the port is taken`)
    this.#ports.set(port, onSocket)
    return { address: { host: this.name, port }, close: async () => void this.#ports.delete(port) }
  }

  /** @internal Who takes connections to this port. */
  accepts(port: number): ((socket: ByteSocket) => void) | undefined {
    return this.#ports.get(port)
  }

  /** Nothing listens here any more. Its connections are cut by {@link SocketLink.cut}, or stay silent as those of a machine without power do. */
  die(): void {
    this.#ports.clear()
  }
}

/** One connection. */
export class SocketLink {
  /** Of the side that has dialled. */
  readonly near: ByteSocket
  readonly far: ByteSocket
  /** Whose they are. */
  readonly hosts: readonly [near: string, far: string]
  readonly #ends: [MemorySocket, MemorySocket]
  readonly #gone: () => void
  #silent = false
  ended = false

  constructor(near: SocketHost, far: SocketHost, options: Required<SocketNetOptions>, gone: () => void) {
    this.hosts = [near.name, far.name]
    this.#gone = gone
    this.#ends = [
      new MemorySocket(far.name, near.schedule, options),
      new MemorySocket(near.name, far.schedule, options),
    ]
    const [a, b] = this.#ends
    a.connect(b, () => this.#closed())
    b.connect(a, () => this.#closed())
    this.near = a
    this.far = b
  }

  get silent(): boolean {
    return this.#silent
  }

  /** Both sides get a reset; what is under way is lost. */
  cut(): void {
    if (this.ended) return
    this.#closed()
    for (const end of this.#ends) end.reset()
  }

  /** From now on nothing passes, not even the end of a side, and neither side is told: the cable is out. */
  silence(): void {
    this.#silent = true
    for (const end of this.#ends) end.deaf = true
  }

  #closed(): void {
    if (!this.ended) this.#gone()
    this.ended = true
  }
}

/** In a queue to the other side. */
type Item = { kind: 'bytes'; bytes: Uint8Array } | { kind: 'end' }

class MemorySocket implements ByteSocket {
  readonly remote: string
  /** Nothing arrives here any more. */
  deaf = false
  readonly #schedule: Schedule
  readonly #options: Required<SocketNetOptions>
  #other!: MemorySocket
  #onClosed: () => void = () => {}
  #events: SocketEvents | undefined
  /** What has arrived and was not read, the first of them first. */
  readonly #arrived: Item[] = []
  /** What is under way to here, in order; each has a timer of its own, and whichever comes first delivers the first. */
  readonly #coming: Item[] = []
  #paused = false
  #done = false
  bufferedBytes = 0

  constructor(remote: string, schedule: Schedule, options: Required<SocketNetOptions>) {
    this.remote = remote
    this.#schedule = schedule
    this.#options = options
  }

  connect(other: MemorySocket, onClosed: () => void): void {
    this.#other = other
    this.#onClosed = onClosed
  }

  listen(events: SocketEvents): void {
    this.#events = events
    queueMicrotask(() => this.#read())
  }

  write(bytes: Uint8Array): void {
    if (this.#done) return
    this.bufferedBytes += bytes.length
    const { random, pieceBytesMax } = this.#options
    for (let at = 0; at < bytes.length; ) {
      const most = Math.min(pieceBytesMax, bytes.length - at)
      const length = pieceBytesMax === Number.POSITIVE_INFINITY ? most : 1 + Math.floor(random() * most)
      this.#other.#comes({ kind: 'bytes', bytes: bytes.slice(at, at + length) })
      at += length
    }
  }

  end(): void {
    if (this.#done) return
    this.#done = true
    this.#other.#comes({ kind: 'end' })
    this.#onClosed()
  }

  /** A close in the middle: what was written before may arrive, as far as it is under way. */
  destroy(): void {
    this.end()
  }

  pause(): void {
    this.#paused = true
  }
  resume(): void {
    this.#paused = false
    queueMicrotask(() => this.#read())
  }

  reset(): void {
    if (this.deaf || this.#done) return
    this.deaf = true
    this.#schedule(this.#options.latencyMs(), () => this.#close(new Error('read ECONNRESET')))
  }

  #comes(item: Item): void {
    if (this.deaf) return
    this.#coming.push(item)
    // Pieces may overtake each other in time, but not in order.
    this.#schedule(this.#options.latencyMs(), () => {
      const first = this.#coming.shift()
      if (first === undefined || this.deaf) return
      this.#arrived.push(first)
      this.#read()
    })
  }

  #read(): void {
    while (!this.#paused && !this.#done && this.#events !== undefined) {
      const item = this.#arrived.shift()
      if (item === undefined) return
      if (item.kind === 'end') {
        this.#close()
        return
      }
      this.#other.#taken(item.bytes.length)
      this.#events.onData(item.bytes)
    }
  }

  #taken(bytes: number): void {
    this.bufferedBytes -= bytes
    if (this.bufferedBytes === 0 && !this.#done && this.#events !== undefined) this.#events.onDrain()
  }

  #close(error?: Error): void {
    if (this.#done) return
    this.#done = true
    this.#onClosed()
    this.#events?.onClose(error)
  }
}
