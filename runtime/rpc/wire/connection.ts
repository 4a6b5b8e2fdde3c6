/**
 * A socket that carries frames, shows that it lives, and tells once when it is lost.
 *
 * What must hold:
 * - loss is told once, at once when the socket closes, and after it no frame comes;
 * - a side that says nothing for the heartbeat's timeout is lost. Silence is counted in ticks of this side: when this process itself stood still, its timer comes late and once, and what
 *   has come in meanwhile is read before the next one;
 * - what waits to be sent is bounded: a side that does not read is lost.
 */
import type { Schedule } from '../../core/clock.ts'
import { isTailraceError, TailraceError } from '../../core/errors.ts'
import type { ByteSocket } from '../../core/socket.ts'
import { asTailraceError, errorOf, type Farewell, farewellFrame, readFarewell } from './farewell.ts'
import { FrameReader, KIND, newFrame } from './frames.ts'
import type { WireSettings } from './settings.ts'

export interface ConnectionOptions {
  socket: ByteSocket
  settings: WireSettings
  schedule: Schedule
  /** Longest frame that is taken for the beginning. */
  bytesMax: number
}

export class Connection {
  /** Whom it leads to, for messages; the address until the hello says more. */
  remote: string
  /** Takes frames; a throw closes the connection with it. */
  onFrame: (kind: number, body: Buffer) => void = () => {}
  /** What the other side says when it closes; the loss is told next. */
  onFarewell: (farewell: Farewell) => void = () => {}
  readonly #socket: ByteSocket
  readonly #settings: WireSettings
  readonly #schedule: Schedule
  readonly #frames: FrameReader
  #lost: TailraceError | undefined
  #onLost: ((error: TailraceError) => void)[] = []
  #drained: (() => void)[] = []
  #wroteSinceTick = false
  #silentTicks = 0
  #heard = false
  /** The other side has said nothing at all, and closed it. */
  wasProbe = false
  #paused = false
  #stopTimer: () => void

  constructor({ socket, settings, schedule, bytesMax }: ConnectionOptions) {
    this.#socket = socket
    this.#settings = settings
    this.#schedule = schedule
    this.remote = socket.remote
    this.#frames = new FrameReader({ bytesMax, onFrame: (kind, body) => this.#take(kind, body) })
    this.#stopTimer = schedule(settings.heartbeatIntervalMs, this.#tick)
    socket.listen({
      onData: (bytes) => this.#read(bytes),
      onDrain: () => this.#wakeWriters(),
      onClose: (error) => {
        this.wasProbe = !this.#heard && error === undefined
        this.lose(closedError(this.remote, error))
      },
    })
  }

  /** Why it is no more; undefined while it is. */
  get lost(): TailraceError | undefined {
    return this.#lost
  }

  /** Written, and not yet taken by the system. */
  get outgoingBytes(): number {
    return this.#socket.bufferedBytes
  }

  /** Longer frames are read from now on. */
  allow(bytesMax: number): void {
    this.#frames.bytesMax = bytesMax
  }

  /** Calls back once; on a later turn when it was lost before. */
  onLost(handler: (error: TailraceError) => void): void {
    const lost = this.#lost
    if (lost === undefined) this.#onLost.push(handler)
    else queueMicrotask(() => handler(lost))
  }

  /** Reads nothing until {@link resume}; that counts as no silence. */
  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }
  resume(): void {
    this.#paused = false
    this.#silentTicks = 0
    if (this.#lost === undefined) this.#socket.resume()
  }

  /** Does something with what has come; a throw closes the connection with it. */
  take(work: () => void): void {
    if (this.#lost !== undefined) return
    try {
      work()
    } catch (error) {
      const { code, message } = asTailraceError(error, `Cannot take what ${this.remote} sends`)
      this.close({ code, message })
    }
  }

  /** Sends a frame in its turn. A connection that is lost takes it and sends nothing. */
  write(frame: Uint8Array): void {
    if (this.#lost !== undefined) return
    const waiting = this.outgoingBytes
    if (waiting > 0 && waiting + frame.length > this.#settings.outgoingBytesMax) {
      this.lose(
        new TailraceError(
          'TR-RPC-009',
          `The connection to ${this.remote} was given up: ${waiting} bytes wait to be read there, ${this.#settings.outgoingBytesMax} may`,
        ),
      )
      return
    }
    this.#wroteSinceTick = true
    this.#socket.write(frame)
  }

  /** Resolves when nothing waits to be sent any more, or it is lost. For whoever sends much: await it between the pieces. */
  drained(): Promise<void> {
    if (this.#lost !== undefined || this.outgoingBytes === 0) return Promise.resolve()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  /** Says why, sends what waits, and closes. Here it is lost with this reason too. */
  close(farewell: Farewell, kind: number = KIND.goodbye): void {
    if (this.#lost !== undefined) return
    this.#socket.write(farewellFrame(kind, farewell))
    this.#socket.end()
    this.#end(errorOf(farewell))
  }

  /** Closes at once. */
  lose(error: TailraceError): void {
    if (this.#lost !== undefined) return
    this.#socket.destroy()
    this.#end(error)
  }

  #end(error: TailraceError): void {
    this.#lost = error
    this.#frames.stop()
    this.#stopTimer()
    this.#wakeWriters()
    const handlers = this.#onLost
    this.#onLost = []
    for (const handler of handlers) handler(error)
  }

  #read(bytes: Uint8Array): void {
    if (this.#lost !== undefined) return
    this.#silentTicks = 0
    this.#heard = true
    this.take(() => this.#frames.push(bytes))
  }

  #take(kind: number, body: Uint8Array): void {
    const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength)
    if (kind === KIND.alive) return
    if (kind === KIND.goodbye || kind === KIND.refusal) {
      const farewell = readFarewell(bytes, this.remote)
      this.onFarewell(farewell)
      this.lose(errorOf(farewell))
    } else this.onFrame(kind, bytes)
  }

  #wakeWriters(): void {
    const waiting = this.#drained
    this.#drained = []
    for (const resolve of waiting) resolve()
  }

  readonly #tick = (): void => {
    const { heartbeatIntervalMs, heartbeatTimeoutMs } = this.#settings
    // The first of them says nothing: bytes may have come just before it.
    if (!this.#paused && ++this.#silentTicks > Math.ceil(heartbeatTimeoutMs / heartbeatIntervalMs)) {
      this.lose(
        new TailraceError(
          'TR-RPC-001',
          `The connection to ${this.remote} was lost: no sign of life for ${heartbeatTimeoutMs / 1000} s (heartbeat.timeout)`,
        ),
      )
      return
    }
    // What waits will show that this side lives, once it is read.
    if (!this.#wroteSinceTick && this.outgoingBytes === 0) this.#socket.write(newFrame(KIND.alive, 0))
    this.#wroteSinceTick = false
    this.#stopTimer = this.#schedule(heartbeatIntervalMs, this.#tick)
  }
}

function closedError(remote: string, cause: Error | undefined): TailraceError {
  if (isTailraceError(cause)) return cause
  const how = cause === undefined ? 'the other side has closed it' : cause.message
  return new TailraceError('TR-RPC-001', `The connection to ${remote} was lost: ${how}`, { cause })
}
