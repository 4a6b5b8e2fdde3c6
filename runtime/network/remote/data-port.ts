/**
 * The port on which a slot takes connections from slots of other processes. It listens before the slot registers, so that its address can be
 * handed around; who calls before the slot has a deployment that fits waits for a while (slot-links.ts).
 *
 * Bounds: CALLERS_MAX connections that have not been let in; each is closed after `helloTimeoutMs`.
 */
import { backgroundSchedule, type Schedule } from '../../core/clock.ts'
import { Connection, KEEP_ALIVE, type KeepAlive } from './connection.ts'
import { HELLO } from './frames.ts'
import { Greeting } from './greeting.ts'
import type { Hello } from './hello.ts'
import { Pieces } from './outbox.ts'
import { SendBuffers } from './send-buffers.ts'
import { type Address, type DataSocket, type Listen, type Listening, listenSockets } from './sockets.ts'

const CALLERS_MAX = 4096

export interface DataPortOptions {
  /** Address to bind, and what others are told unless `advertised` says otherwise. */
  host: string
  advertised?: string
  /** 0: any free one. Several: the first one that is free. */
  port: number | readonly number[]
  /** What others are told instead of each of these, where something between passes connections on. */
  advertisedPort?: number | readonly number[]
  listen?: Listen
  schedule?: Schedule
  keepAlive?: KeepAlive
  /** How long a caller may wait to be let in. Milliseconds. */
  helloTimeoutMs?: number
}

/** Someone who has said hello and waits for the answer. */
export interface Caller {
  readonly hello: Hello
  readonly connection: Connection
}

export class DataPort {
  readonly address: Address
  readonly buffers: SendBuffers
  readonly pieces = new Pieces()
  readonly schedule: Schedule
  readonly keepAlive: KeepAlive
  readonly helloTimeoutMs: number
  /** Called for each hello; undefined: callers wait. */
  onCaller: ((caller: Caller) => void) | undefined
  readonly #listening: Listening
  readonly #callers = new Set<Connection>()

  private constructor(options: DataPortOptions, listening: Listening, advertisedPort: number | undefined) {
    this.#listening = listening
    this.address = { host: options.advertised ?? options.host, port: advertisedPort ?? listening.port }
    this.schedule = options.schedule ?? backgroundSchedule
    this.keepAlive = options.keepAlive ?? KEEP_ALIVE
    this.helloTimeoutMs = options.helloTimeoutMs ?? HELLO_TIMEOUT_MS
    this.buffers = new SendBuffers()
  }

  /**
   * Listens. Rejects with TR-CLUSTER-003 when the port, or each of them, is taken.
   *
   * @example
   * const port = await DataPort.listen({ host: '0.0.0.0', advertised: '10.0.0.7', port: [6130, 6131] })
   * port.address // { host: '10.0.0.7', port: 6130 }
   */
  static async listen(options: DataPortOptions): Promise<DataPort> {
    const { host, listen = listenSockets() } = options
    const [ports, told] = [options.port, options.advertisedPort ?? []].map(listOf) as [
      readonly number[],
      readonly number[],
    ]
    if (ports.length === 0) throw new RangeError('Cannot listen for data: no port is given')
    let made: DataPort | undefined
    const accepted = (socket: DataSocket, stranger?: string) => {
      if (made === undefined) socket.end()
      else made.#accept(socket, stranger)
    }
    for (let i = 0; ; i++) {
      try {
        made = new DataPort(options, await listen({ host, port: ports[i]! }, accepted), told[i])
        return made
      } catch (error) {
        if (i === ports.length - 1) throw error
      }
    }
  }

  #accept(socket: DataSocket, stranger: string | undefined): void {
    const greeting = new Greeting(HELLO, (hello) => this.onCaller?.({ hello: hello!, connection }))
    const connection = new Connection({
      socket,
      pieces: this.pieces,
      schedule: this.schedule,
      keepAlive: this.keepAlive,
      sink: greeting,
    })
    greeting.connection = connection
    if (stranger !== undefined) {
      connection.leave(`TR-TLS-002 ${stranger}`)
      return
    }
    if (this.#callers.size >= CALLERS_MAX) {
      connection.leave(`${CALLERS_MAX} connections wait already`)
      return
    }
    this.#callers.add(connection)
    const stop = this.schedule(this.helloTimeoutMs, () => {
      this.#callers.delete(connection)
      connection.fail(new Error(`was not let in within ${this.helloTimeoutMs} ms: ${this.whyNot(connection)}`))
    })
    connection.settled = () => {
      stop()
      this.#callers.delete(connection)
    }
  }

  /** What a caller waits for, for the message. */
  whyNot: (connection: Connection) => string = () => 'this slot runs no job'

  close(): void {
    for (const connection of this.#callers) connection.leave('the slot is closing')
    this.#callers.clear()
    this.#listening.close()
  }
}

const listOf = (port: number | readonly number[]): readonly number[] => (typeof port === 'number' ? [port] : port)

const HELLO_TIMEOUT_MS = 30_000
