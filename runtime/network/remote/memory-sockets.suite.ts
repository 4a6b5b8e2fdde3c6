/**
 * A network in memory for tests: bytes move only when the test says so, in pieces that a seed cuts at random places, and writes are done at once
 * or late, by the seed as well.
 */
import { TailraceError } from '../../core/errors.ts'
import type { Random } from '../../testing/simulation/random.ts'
import type { Address, Connect, DataSocket, Listen, SocketEvents } from './sockets.ts'

/** One buffer for everything that comes, as a real socket has: who keeps it sees it change. */
const READ_BYTES = 5000

export class MemoryNetwork {
  readonly #random: Random
  readonly #listeners = new Map<string, (socket: DataSocket) => void>()
  readonly #ends: MemorySocket[] = []
  /** Machines, as `host:port`, that nothing reaches. */
  readonly away = new Set<string>()
  /** Processes whose machines take connections, which they do not see. */
  readonly busy = new Set<string>()
  #port = 1000

  constructor(random: Random) {
    this.#random = random
  }

  readonly listen: Listen = async ({ host, port }, accepted) => {
    const at = port === 0 ? this.#port++ : port
    const name = `${host}:${at}`
    if (this.#listeners.has(name)) throw new TailraceError('TR-CLUSTER-003', `Cannot listen on ${name}: it is taken`)
    this.#listeners.set(name, accepted)
    return { port: at, close: () => void this.#listeners.delete(name) }
  }

  readonly connect: Connect = (to: Address) => {
    const name = `${to.host}:${to.port}`
    const here = new MemorySocket(name, this.#random)
    this.#ends.push(here)
    queueMicrotask(() => {
      const accepted = this.#listeners.get(name)
      here.cut = this.away.has(name) || this.busy.has(name)
      if (this.away.has(name)) return
      if (this.busy.has(name)) return here.events.open()
      if (accepted === undefined) return here.events.closed('failed with ECONNREFUSED')
      const there = new MemorySocket('caller', this.#random)
      this.#ends.push(there)
      here.other = there
      there.other = here
      accepted(there)
      there.events.open()
      here.events.open()
    })
    return here
  }

  /** Bytes on their way. */
  get moving(): number {
    return this.#ends.reduce((sum, end) => sum + end.moving, 0)
  }

  /** Moves some bytes of one direction, or tells of a write or an end. False: nothing can happen. */
  step(): boolean {
    const ready = this.#ends.filter((end) => end.ready)
    if (ready.length === 0) return false
    this.#random.pick(ready).step()
    return true
  }

  /** Moves everything, and lets promises run. */
  async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      await new Promise((resolve) => setImmediate(resolve))
      quiet = this.step() ? 0 : quiet + 1
      while (this.step());
    }
  }

  /** The ends of all connections, in the order of their making: dialer, listener, dialer, … */
  get ends(): readonly MemorySocket[] {
    return this.#ends
  }
}

export class MemorySocket implements DataSocket {
  readonly remote: string
  events!: SocketEvents
  other: MemorySocket | undefined
  /** Neither its bytes nor its end get through. */
  cut = false
  /** The system takes no more of it. */
  full = false
  readonly #random: Random
  #sent: Buffer[] = []
  #written: (() => void) | undefined
  #unwritten: Buffer[] = []
  #ended = false
  #closed = false
  readonly #read = Buffer.alloc(READ_BYTES)

  constructor(remote: string, random: Random) {
    this.remote = remote
    this.#random = random
  }

  start(events: SocketEvents): void {
    this.events = events
  }

  write(chunks: readonly Buffer[], written: () => void): boolean {
    if (this.#written !== undefined) throw new Error('a write while one is under way')
    if (this.#ended) return false
    if (!this.full && this.#random.chance(0.6)) {
      for (const chunk of chunks) this.#sent.push(Buffer.from(chunk))
      return true
    }
    // Copied when it is sent and not before: who changes a chunk too early is found out.
    this.#unwritten = [...chunks]
    this.#written = written
    return false
  }

  end(): void {
    this.#finishWrite()
    this.#ended = true
  }

  /** Bytes that come from nowhere. */
  inject(bytes: Buffer): void {
    this.#sent.push(bytes)
  }

  get moving(): number {
    return this.#sent.reduce((sum, chunk) => sum + chunk.length, 0)
  }

  get ready(): boolean {
    return (
      !this.cut &&
      !this.full &&
      (this.#sent.length > 0 || this.#written !== undefined || (this.#ended && !this.#closed))
    )
  }

  #finishWrite(): (() => void) | undefined {
    const written = this.#written
    this.#written = undefined
    for (const chunk of this.#unwritten) this.#sent.push(Buffer.from(chunk))
    this.#unwritten = []
    return written
  }

  step(): void {
    const random = this.#random
    if (this.#written !== undefined && (this.#sent.length === 0 || random.chance(0.5))) {
      this.#finishWrite()!()
      return
    }
    const chunk = this.#sent[0]
    if (chunk === undefined) {
      this.#close()
      return
    }
    const length = Math.min(
      chunk.length,
      READ_BYTES,
      random.chance(0.3) ? 1 + random.below(40) : 1 + random.below(READ_BYTES),
    )
    const target = this.other!.#read
    chunk.copy(target, 0, 0, length)
    if (length === chunk.length) this.#sent.shift()
    else this.#sent[0] = chunk.subarray(length)
    if (!this.other!.#ended) this.other!.events.received(target, length)
    // What was received is gone.
    target.fill(0xee)
  }

  #close(): void {
    this.#closed = true
    this.events.closed('was closed')
    const other = this.other
    if (other === undefined || other.#closed) return
    other.#closed = true
    other.#ended = true
    other.#sent = []
    other.events.closed('was closed by the other side')
  }

  /** As when the process behind it dies. */
  reset(): void {
    this.#closed = true
    this.#ended = true
    this.#sent = []
    this.other?.events.closed('failed with ECONNRESET')
    if (this.other !== undefined) {
      this.other.#closed = true
      this.other.#ended = true
    }
  }
}
