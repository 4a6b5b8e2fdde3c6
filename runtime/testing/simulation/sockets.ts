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
  /** Lengths of the pieces of a write, in the place of {@link pieceBytesMax}. */
  cut?: (length: number) => readonly number[]
  /** Nothing passes between these hosts for so long from now; what is sent meanwhile comes then. None if not given. */
  stalledMs?: (from: string, to: string) => number
}

type Settings = Required<Omit<SocketNetOptions, 'pieceBytesMax'>>

/** A network of hosts. */
export class SocketNet {
  readonly #options: Settings
  readonly #hosts = new Map<string, SocketHost>()
  readonly #links = new Set<SocketLink>()

  constructor({ random, latencyMs = () => 2 * random(), pieceBytesMax = 1000, ...more }: SocketNetOptions) {
    const { cut = (length) => piecesOf(length, pieceBytesMax, random), stalledMs = () => 0 } = more
    this.#options = { random, latencyMs, cut, stalledMs }
  }

  /** Connections that are open, the oldest first; one that is cut or closed is gone from here. */
  get links(): readonly SocketLink[] {
    return [...this.#links]
  }

  /** A process or machine of this name, with its own time. One of a name takes the place of another that has died. */
  host(name: string, schedule: Schedule): SocketHost {
    const host = new SocketHost(name, schedule, this.#inside)
    this.#hosts.set(name, host)
    return host
  }

  readonly #inside: Inside = {
    connect: (from, address) => this.#connect(from, address),
    stalledMs: (from, to) => this.#options.stalledMs(from, to),
    linksOf: (host) => this.links.filter((link) => link.ends.includes(host)),
  }

  #connect(from: SocketHost, { host, port }: SocketAddress): SocketLink | undefined {
    const listening = this.#hosts.get(host)?.accepts(port)
    if (listening === undefined) return undefined
    const { to, accept } = listening
    const link = new SocketLink(from, to, this.#options, () => this.#links.delete(link))
    this.#links.add(link)
    to.schedule(this.#options.latencyMs() + this.#options.stalledMs(from.name, to.name), () => accept(link.far))
    return link
  }
}

/** The network as its hosts have it. */
interface Inside {
  connect(from: SocketHost, address: SocketAddress): SocketLink | undefined
  stalledMs(from: string, to: string): number
  linksOf(host: SocketHost): SocketLink[]
}

interface Listening {
  to: SocketHost
  accept(socket: ByteSocket): void
}

export class SocketHost {
  readonly name: string
  readonly schedule: Schedule
  readonly #net: Inside
  /** Of all threads of the process. */
  readonly #ports: Map<number, Listening>

  /** @internal {@link SocketNet.host} makes them. */
  constructor(name: string, schedule: Schedule, net: Inside, ports = new Map<number, Listening>()) {
    this.name = name
    this.schedule = schedule
    this.#net = net
    this.#ports = ports
  }

  /** A thread of this process, with sockets and time of its own. Ports are taken for all of them. */
  thread(schedule: Schedule): SocketHost {
    return new SocketHost(this.name, schedule, this.#net, this.#ports)
  }

  readonly dial: Dial = (address, timeoutMs) =>
    new Promise((resolve, reject) => {
      const fail = (why: string) =>
        reject(new TailraceError('TR-RPC-001', `Cannot connect to ${address.host}:${address.port}: ${why}`))
      const stalledMs = this.#net.stalledMs(this.name, address.host)
      if (stalledMs > timeoutMs) {
        this.schedule(timeoutMs, () => fail(`no connection within ${timeoutMs / 1000} s`))
        return
      }
      const link = this.#net.connect(this, address)
      this.schedule(1 + stalledMs, () => {
        if (link === undefined) fail('nobody listens')
        else if (link.ended) fail('the other side has closed it')
        else resolve(link.near)
      })
    })

  readonly listen: Listen = async (address, onSocket) => {
    const port = address.port === 0 ? this.#freePort() : address.port
    if (this.#ports.has(port))
      throw new TailraceError('TR-CLUSTER-003', `Cannot listen on ${this.name}:${port}: the port is taken`)
    this.#ports.set(port, { to: this, accept: onSocket })
    return { address: { host: this.name, port }, close: async () => void this.#ports.delete(port) }
  }

  /** The first that is free: one of those before comes again. */
  #freePort(): number {
    let port = FIRST_PORT
    while (this.#ports.has(port)) port++
    return port
  }

  /** @internal Who takes connections to this port. */
  accepts(port: number): Listening | undefined {
    return this.#ports.get(port)
  }

  /** Connections of this thread. */
  get links(): readonly SocketLink[] {
    return this.#net.linksOf(this)
  }

  /** This thread listens no more. Its connections are cut by {@link SocketLink.cut}, or stay silent as those of a machine without power do. */
  die(): void {
    for (const [port, { to }] of this.#ports) if (to === this) this.#ports.delete(port)
  }
}

const FIRST_PORT = 40_001

/** One connection. */
export class SocketLink {
  /** Of the side that has dialled. */
  readonly near: ByteSocket
  readonly far: ByteSocket
  /** Whose they are. */
  readonly hosts: readonly [near: string, far: string]
  /** @internal */
  readonly ends: readonly SocketHost[]
  readonly #sockets: [MemorySocket, MemorySocket]
  readonly #gone: () => void
  #silent = false
  ended = false

  constructor(near: SocketHost, far: SocketHost, options: Settings, gone: () => void) {
    this.hosts = [near.name, far.name]
    this.ends = [near, far]
    this.#gone = gone
    this.#sockets = [
      new MemorySocket(far.name, near.schedule, {
        ...options,
        stalledMs: () => options.stalledMs(far.name, near.name),
      }),
      new MemorySocket(near.name, far.schedule, {
        ...options,
        stalledMs: () => options.stalledMs(near.name, far.name),
      }),
    ]
    const [a, b] = this.#sockets
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
    for (const socket of this.#sockets) socket.reset()
  }

  /** From now on nothing passes, not even the end of a side, and neither side is told: the cable is out. */
  silence(): void {
    this.#silent = true
    for (const socket of this.#sockets) socket.deaf = true
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
  readonly #options: Pick<Settings, 'cut' | 'latencyMs'> & { stalledMs(): number }
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

  /** `stalledMs`: of the way to here. */
  constructor(
    remote: string,
    schedule: Schedule,
    options: Pick<Settings, 'cut' | 'latencyMs'> & { stalledMs(): number },
  ) {
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
    let at = 0
    for (const length of this.#options.cut(bytes.length)) {
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
    const { latencyMs, stalledMs } = this.#options
    this.#schedule(latencyMs() + stalledMs(), () => this.#close(new Error('read ECONNRESET')))
  }

  #comes(item: Item): void {
    if (this.deaf) return
    this.#coming.push(item)
    // Pieces may overtake each other in time, but not in order.
    const { latencyMs, stalledMs } = this.#options
    this.#schedule(latencyMs() + stalledMs(), () => {
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

/** Lengths up to `most` that make up `length`. */
function piecesOf(length: number, most: number, random: () => number): number[] {
  const pieces: number[] = []
  for (let left = length; left > 0; ) {
    const bound = Math.min(most, left)
    const piece = most === Number.POSITIVE_INFINITY ? bound : 1 + Math.floor(random() * bound)
    pieces.push(piece)
    left -= piece
  }
  return pieces
}
