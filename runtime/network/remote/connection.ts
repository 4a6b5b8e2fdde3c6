/**
 * One connection between two slots: a socket, the frames that come and the frames that go. Who they belong to is the sink's business: first
 * the greeting (greeting.ts), then a link (link.ts).
 *
 * What is wrong with a frame closes the connection with a FAREWELL that says so. So does silence: a peer that is gone without a word (its machine lost
 * power, a firewall forgot the connection) does not answer a PING. Silence is counted in ticks that ran between reads, so a thread that was
 * busy for long does not take its own deafness for the peer's silence.
 */
import type { Schedule } from '../../core/clock.ts'
import { TailraceError } from '../../core/errors.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { FAREWELL, PING, PONG, TEXT_BYTES_MAX } from './frames.ts'
import { Outbox, type Pieces } from './outbox.ts'
import type { DataSocket } from './sockets.ts'

export interface KeepAlive {
  /** How often the peer is asked when nothing comes from it. Milliseconds. */
  intervalMs: number
  /** So many intervals without a byte end the connection. */
  silentMax: number
}

/** Half a minute: a slot may well be busy for some seconds, and a dead process is noticed by its TaskManager's heartbeats before. */
export const KEEP_ALIVE: KeepAlive = { intervalMs: 5000, silentMax: 6 }

export interface ConnectionOptions {
  socket: DataSocket
  pieces: Pieces
  schedule: Schedule
  keepAlive: KeepAlive
  sink: FrameSink
  /** Connected. */
  open?(): void
  /** All frames of what one read gave are with the sink. */
  received?(): void
}

export class Connection {
  readonly reader: FrameReader
  readonly outbox: Outbox
  readonly #options: ConnectionOptions
  /** Called once, with why. */
  closed: (error: TailraceError) => void = () => {}
  received: () => void
  /** Called once, when it is let in or closed. */
  settled: () => void = () => {}
  isClosed = false
  #farewell = ''
  #heard = true
  #silent = 0
  #stopTicks: () => void = () => {}

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.received = options.received ?? (() => {})
    this.outbox = new Outbox(options.socket, options.pieces)
    this.reader = new FrameReader(options.sink)
    options.socket.start({
      open: () => {
        this.#tick()
        options.open?.()
      },
      received: (bytes, length) => {
        if (this.isClosed) return
        this.#heard = true
        try {
          this.reader.feed(bytes, length)
        } catch (error) {
          this.fail(error)
          return
        }
        this.received()
      },
      closed: (reason) =>
        this.#close(this.#farewell === '' ? reason : `was closed by the other side: ${this.#farewell}`),
    })
  }

  /** The other side, host:port. */
  get remote(): string {
    return this.#options.socket.remote
  }

  /** Tells the peer why, and closes. */
  fail(error: unknown): void {
    if (this.isClosed) return
    const text = error instanceof Error ? error.message : String(error)
    // Before the frames that wait: they will not be needed.
    this.outbox.clear()
    this.#sayFarewell(text)
    this.#close(`was closed by this side: ${text}`, error)
  }

  /** Says `text` and closes, without telling this side. */
  leave(text: string): void {
    if (this.isClosed) return
    this.isClosed = true
    this.settled()
    this.#stopTicks()
    this.outbox.clear()
    this.#sayFarewell(text)
    this.outbox.close()
    this.#options.socket.end()
  }

  #sayFarewell(text: string): void {
    const bytes = Buffer.from(text).subarray(0, TEXT_BYTES_MAX)
    this.outbox.copy(bytes, 0, bytes.length, FAREWELL)
    this.outbox.flush()
  }

  /** The frame kinds that are the same for every sink. True: it was one. */
  common(kind: number): boolean {
    if (kind === PING) {
      this.outbox.frame(0, PONG)
      this.outbox.flush()
      return true
    }
    return kind === PONG
  }

  /** What the peer's FAREWELL says. */
  leaves(text: string): void {
    this.#farewell = text === '' ? 'no reason given' : text
  }

  #tick(): void {
    const { keepAlive, schedule } = this.#options
    this.#stopTicks = schedule(keepAlive.intervalMs, () => {
      if (this.isClosed) return
      this.#silent = this.#heard ? 0 : this.#silent + 1
      this.#heard = false
      if (this.#silent >= keepAlive.silentMax) {
        this.fail(
          new Error(`nothing came for ${keepAlive.intervalMs * keepAlive.silentMax} ms, not even the answer to a ping`),
        )
        return
      }
      this.outbox.frame(0, PING)
      this.outbox.flush()
      this.#tick()
    })
  }

  #close(reason: string, cause?: unknown): void {
    if (this.isClosed) return
    this.isClosed = true
    this.settled()
    this.#stopTicks()
    this.outbox.close()
    this.#options.socket.end()
    this.closed(
      new TailraceError(
        'TR-EXCHANGE-001',
        `The connection to the slot at ${this.remote} ${reason}`,
        cause === undefined ? {} : { cause },
      ),
    )
  }
}
