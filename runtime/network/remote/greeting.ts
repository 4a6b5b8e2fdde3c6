/**
 * What passes on a connection before it belongs to a link: who dials says HELLO, who listens answers WELCOME, or FAREWELL with why not.
 * Until then nothing else may come, and nothing larger than a hello.
 */
import type { Connection } from './connection.ts'
import type { FrameReader, FrameSink } from './frame-reader.ts'
import { badFrame, FAREWELL, HELLO, PING, PONG, TEXT_BYTES_MAX, WELCOME } from './frames.ts'
import { decodeHello, encodeHello, type Hello } from './hello.ts'

export class Greeting implements FrameSink {
  connection!: Connection
  readonly #bytes = Buffer.allocUnsafe(TEXT_BYTES_MAX)
  readonly #wanted: number
  readonly #greeted: (hello: Hello | undefined) => void
  #greetings = 0

  /** `wanted`: what comes first, HELLO or WELCOME. `greeted` is called when it has come, with the hello of who dials. */
  constructor(wanted: typeof HELLO | typeof WELCOME, greeted: (hello: Hello | undefined) => void) {
    this.#wanted = wanted
    this.#greeted = greeted
  }

  head(frame: FrameReader): void {
    if (frame.length > TEXT_BYTES_MAX) throw badFrame(`a greeting of ${frame.length} bytes`)
    const { kind } = frame
    if (kind !== FAREWELL && kind !== PING && kind !== PONG) {
      if (kind !== this.#wanted || this.#greetings > 0)
        throw badFrame(`no frame of kind ${kind} may come before the welcome`)
      this.#greetings++
    }
    frame.target = this.#bytes
    frame.targetAt = 0
  }

  body(frame: FrameReader): void {
    if (frame.kind === FAREWELL) this.connection.leaves(this.#bytes.toString('utf8', 0, frame.length))
    else if (frame.kind === HELLO) this.#greeted(decodeHello(this.#bytes.subarray(0, frame.length)))
    else if (frame.kind === WELCOME) this.#greeted(undefined)
    else this.connection.common(frame.kind)
  }
}

export function sayHello({ outbox }: Connection, hello: Hello): void {
  const bytes = encodeHello(hello)
  outbox.copy(bytes, 0, bytes.length, HELLO)
  outbox.flush()
}

export function sayWelcome({ outbox }: Connection): void {
  outbox.frame(0, WELCOME)
  outbox.flush()
}
