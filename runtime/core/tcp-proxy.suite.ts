/**
 * A TCP proxy that spoils connections: cuts them, keeps them silent, delays what passes. It reads nothing of what passes, so it fits any protocol, TLS too.
 *
 * A Kafka client connects to the addresses that brokers tell it, so brokers have to be told to advertise the proxy's port (`advertised` of scripts/lab/kfake.ts and kafka.ts), as slots of
 * TaskManagers have to be (`taskmanager.data.port`). Hence the order: proxies first, then servers, then {@link TcpProxy.target}.
 */
import { createServer, connect as open, type Server, type Socket } from 'node:net'

export type Direction = 'requests' | 'answers'

/** What happens to one connection. */
export interface ConnectionFault {
  /** Each piece passes so much later, in both directions. */
  delayMs?: number
  /** Nothing passes in that direction, from the beginning on; the other way all passes. */
  swallow?: Direction
  /** Once more than so many bytes have come in that direction, they pass (the rest does not), and then: */
  after?: {
    bytes: number
    of: Direction
    /**
     * - `cut`: the client gets a reset, the broker too.
     * - `half`: the client is told that no more comes, and may still write; nothing it writes passes.
     * - `silent`: nothing passes any more, the connection stays open.
     */
    then: 'cut' | 'half' | 'silent'
  }
}

export class TcpProxy {
  /** Where connections go, a port on 127.0.0.1. */
  target = 0
  /** Asked for each connection, counted from 0. */
  fault: (connection: number) => ConnectionFault | undefined = () => undefined
  /** What comes from now on passes so much later, on all connections; each direction keeps its order. */
  delayMs = 0
  /** Connections so far. */
  accepted = 0
  readonly port: number
  readonly #server: Server
  readonly #pairs = new Set<Pair>()
  #refusing = false

  private constructor(server: Server) {
    this.#server = server
    this.port = (server.address() as { port: number }).port
    server.on('connection', (client) => this.#accept(client))
  }

  /** @param port where to listen; one that is not given out to outgoing connections (freePorts of scripts/lab/server.ts) */
  static async listen(port: number): Promise<TcpProxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', resolve)
    })
    return new TcpProxy(server)
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#pairs.size
  }

  /** Resets all connections; new ones may come. */
  cut(): void {
    for (const pair of this.#pairs) pair.end('cut')
  }

  /** From now on nothing passes on the connections there are, though they stay open: what a client sees when a machine is gone. */
  silence(): void {
    for (const pair of this.#pairs) pair.end('silent')
  }

  /** From now on nothing passes in that direction on the connections there are, not even their end; the other way all passes: a half-open connection. */
  swallow(direction: Direction): void {
    for (const pair of this.#pairs) pair.swallow(direction)
  }

  /** Resets all connections, and new ones at once, until {@link up}. */
  down(): void {
    this.#refusing = true
    this.cut()
  }

  up(): void {
    this.#refusing = false
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  #accept(client: Socket): void {
    const fault = this.fault(this.accepted++)
    if (this.#refusing) {
      client.on('error', () => {}).resetAndDestroy()
      return
    }
    const pair = new Pair(
      client,
      open({ port: this.target, host: '127.0.0.1', noDelay: true, allowHalfOpen: true }),
      fault,
      () => this.delayMs,
    )
    this.#pairs.add(pair)
    pair.onEnd = () => this.#pairs.delete(pair)
  }
}

/** A client's connection and its other half, to the broker. */
class Pair {
  onEnd: () => void = () => {}
  readonly #client: Socket
  readonly #broker: Socket
  readonly #fault: ConnectionFault
  readonly #delayMs: () => number
  readonly #lanes: Lane[] = []
  readonly #swallowed = new Set<Direction>()
  #silent = false

  constructor(client: Socket, broker: Socket, fault: ConnectionFault = {}, delayMs: () => number = () => 0) {
    this.#client = client
    this.#broker = broker
    this.#fault = fault
    this.#delayMs = delayMs
    if (fault.swallow !== undefined) this.#swallowed.add(fault.swallow)
    this.#pass(client, broker, 'requests')
    this.#pass(broker, client, 'answers')
  }

  end(then: 'cut' | 'half' | 'silent'): void {
    if (then === 'cut') {
      for (const lane of this.#lanes) lane.stop()
      this.#client.resetAndDestroy()
      this.#broker.resetAndDestroy()
      return
    }
    this.#silent = true
    if (then === 'half') this.#client.end()
  }

  swallow(direction: Direction): void {
    this.#swallowed.add(direction)
  }

  #pass(from: Socket, to: Socket, direction: Direction): void {
    const { delayMs = 0, after } = this.#fault
    const lane = new Lane()
    this.#lanes.push(lane)
    const later = (work: () => void) => lane.add(delayMs + this.#delayMs(), work)
    let left = after?.of === direction ? after.bytes : Number.POSITIVE_INFINITY
    from.on('data', (piece) => {
      if (this.#silent || this.#swallowed.has(direction)) return
      const passing = piece.length > left ? piece.subarray(0, left) : piece
      const fatal = piece.length > left
      left -= passing.length
      later(() => {
        if (this.#silent) return
        if (passing.length > 0 && !to.write(passing)) from.pause()
        // Written first, then spoiled: what passes must have gone out.
        if (fatal) setImmediate(() => this.end(after!.then))
      })
    })
    to.on('drain', () => from.resume())
    const isSwallowed = () => this.#silent || this.#swallowed.has(direction)
    from.on('end', () => later(() => isSwallowed() || to.end()))
    from.on('error', () => this.end('cut'))
    from.on('close', () => {
      // A silent one stays open to the other side, until it is cut.
      if (!isSwallowed() || from === this.#client) this.#closed(to)
    })
  }

  #closed(other: Socket): void {
    if (!other.destroyed) other.destroySoon()
    this.onEnd()
  }
}

/** Does one thing after the other, each not before its delay has passed. */
class Lane {
  readonly #waiting: { dueMs: number; work: () => void }[] = []
  #timer: NodeJS.Timeout | undefined

  add(delayMs: number, work: () => void): void {
    if (delayMs === 0 && this.#waiting.length === 0) work()
    else {
      this.#waiting.push({ dueMs: performance.now() + delayMs, work })
      if (this.#waiting.length === 1) this.#wait()
    }
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#waiting.length = 0
  }

  #wait(): void {
    this.#timer = setTimeout(() => this.#run(), Math.max(1, this.#waiting[0]!.dueMs - performance.now()))
  }

  #run(): void {
    while (this.#waiting.length > 0 && this.#waiting[0]!.dueMs <= performance.now() + 1) this.#waiting.shift()!.work()
    if (this.#waiting.length > 0) this.#wait()
  }
}

/** Faults that follow from a seed: of all connections `share` (0 to 1) gets one, after at most `bytes` in either direction; half of all are delayed by up to `delayMs`. */
export function randomFaults(
  random: () => number,
  { share, bytes, delayMs = 0 }: { share: number; bytes: number; delayMs?: number },
): (connection: number) => ConnectionFault | undefined {
  const oneOf = <T>(all: readonly T[]) => all[Math.floor(random() * all.length)]!
  return () => {
    const fault: ConnectionFault = {}
    if (random() < 0.5 && delayMs > 0) fault.delayMs = Math.ceil(random() * delayMs)
    if (random() < share)
      fault.after = {
        bytes: Math.floor(random() * bytes),
        of: oneOf(['requests', 'answers'] as const),
        then: oneOf(['cut', 'half', 'silent'] as const),
      }
    return fault
  }
}
