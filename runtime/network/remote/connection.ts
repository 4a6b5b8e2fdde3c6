/**
 * One connection between two slots: a socket, the frames that come and the frames that go. Who they belong to is the sink's business: first
 * the greeting (greeting.ts), then a link (link.ts).
 *
 * What is wrong with a frame closes the connection with a FAREWELL that says so. So does silence: a peer that is gone without a word (its machine lost
 * power, a firewall forgot the connection) does not answer a PING. Nor does one that is busy in a user function: which of them it is, another connection shows (probe.ts). Silence is
 * counted in ticks that ran between reads, so a thread that was busy for long does not take its own deafness for the peer's silence.
 */
import type { Schedule } from '../../core/clock.ts'
import { TailraceError } from '../../core/errors.ts'
import { FrameReader, type FrameSink } from './frame-reader.ts'
import { FAREWELL, PING, PONG, TEXT_BYTES_MAX } from './frames.ts'
import { Outbox, type Pieces } from './outbox.ts'
import { Probe } from './probe.ts'
import { CLOSED, type DataSocket } from './sockets.ts'

export interface KeepAlive {
  /** How often the peer is asked when nothing comes from it. Milliseconds. */
  intervalMs: number
  /** So many intervals without a byte end the connection, at least 4, unless the peer's machine takes another one. */
  silentMax: number
  /** So many end it all the same. */
  busyMax: number
}

/** First bytes of records of TLS; frames that begin so would be longer than a greeting may be. */
const TLS_HELLO = 0x16
const TLS_ALERT = 0x15
const ONE_SIDED_TLS = 'security.ssl.internal.enabled and taskmanager.data.ssl.enabled must be the same on both sides'

/** As long as {@link KeepAlive.silentMax}, a slot may be busy without further ado; so many times as long, when its machine is there. */
const BUSY_TIMES = 6
const SILENT_MIN = 4

/**
 * @param intervalMs, timeoutMs those of heartbeats between processes
 * @example
 * keepAliveOf(1000, 5000) // { intervalMs: 1000, silentMax: 5, busyMax: 30 }
 */
export function keepAliveOf(intervalMs: number, timeoutMs: number): KeepAlive {
  const everyMs = Math.max(1, Math.min(intervalMs, timeoutMs / SILENT_MIN))
  const silentMax = Math.max(SILENT_MIN, Math.floor(timeoutMs / everyMs))
  return { intervalMs: everyMs, silentMax, busyMax: BUSY_TIMES * silentMax }
}

export const KEEP_ALIVE: KeepAlive = keepAliveOf(1000, 5000)

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
  /** Opens another connection to the peer's port; undefined: only who dialled knows where that is. */
  dialAgain: (() => DataSocket) | undefined
  #probe: Probe | undefined
  /** Ticks since it has answered. */
  #answeredTicks = 0
  #farewell = ''
  #heard = true
  #isFirst = true
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
          if (this.#isFirst) this.#first(bytes, length)
          this.reader.feed(bytes, length)
        } catch (error) {
          this.fail(error)
          return
        }
        this.received()
      },
      closed: (reason) => {
        const silent = this.#isFirst && reason === CLOSED
        if (this.#farewell === '') this.#close(silent ? `${reason} before it said anything: ${ONE_SIDED_TLS}` : reason)
        else this.#close(`${CLOSED}: ${this.#farewell}`)
      },
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
    this.#stop()
    this.outbox.clear()
    this.#sayFarewell(text)
    this.outbox.close()
    this.#options.socket.end()
  }

  /** Bytes of TLS, where frames are expected, are told by name. */
  #first(bytes: Buffer, length: number): void {
    this.#isFirst = false
    if (
      length >= 3 &&
      (bytes[0] === TLS_HELLO || bytes[0] === TLS_ALERT) &&
      bytes[1] === 3 &&
      bytes[2]! >= 1 &&
      bytes[2]! <= 4
    )
      throw new Error(`the other side speaks TLS and this one does not: ${ONE_SIDED_TLS}`)
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
      if (this.#silent === 0) this.#endProbe()
      else {
        const lost = this.#judge()
        if (lost !== undefined) {
          this.fail(new Error(`nothing came for ${this.#silent * keepAlive.intervalMs} ms, ${lost}`))
          return
        }
        this.outbox.frame(0, PING)
        this.outbox.flush()
      }
      this.#tick()
    })
  }

  /** Why a peer that was silent for one more tick is gone; undefined: perhaps it is not. */
  #judge(): string | undefined {
    const { keepAlive, pieces } = this.#options
    const silent = this.#silent
    // Half of the time is left for it.
    if (silent === Math.floor(keepAlive.silentMax / 2) && this.dialAgain !== undefined)
      this.#probe ??= new Probe(this.dialAgain(), pieces)
    const probe = this.#probe
    if (probe?.answered === true) {
      // What it may have said here at the same time has come by now.
      if (this.#answeredTicks++ > 0) return 'and the slot answers on another connection'
    } else if (probe?.reached === false && silent >= keepAlive.silentMax) return `and its machine ${probe.failure}`
    return silent >= keepAlive.busyMax ? 'not even the answer to a ping' : undefined
  }

  #endProbe(): void {
    this.#probe?.end()
    this.#probe = undefined
    this.#answeredTicks = 0
  }

  #stop(): void {
    this.#stopTicks()
    this.#endProbe()
  }

  #close(reason: string, cause?: unknown): void {
    if (this.isClosed) return
    this.isClosed = true
    this.settled()
    this.#stop()
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
