/**
 * What a slot does about a peer that has gone silent: it asks for a connection of its own at the peer's data port.
 *
 * A slot that is busy in a user function says nothing for as long as that takes, and is not lost; but its machine takes a connection all the same, as the system does that without
 * it. A machine that has no power, or no cable, does not. And where the slot answers here, it is the silent connection that leads nowhere any more.
 */
import { PING } from './frames.ts'
import { Outbox, type Pieces } from './outbox.ts'
import type { DataSocket } from './sockets.ts'

export class Probe {
  /** The peer's machine has taken the connection. */
  reached = false
  /** The slot itself has said something. */
  answered = false
  /** Why there is no connection. */
  failure = 'takes no connection'
  readonly #outbox: Outbox
  readonly #socket: DataSocket

  constructor(socket: DataSocket, pieces: Pieces) {
    this.#socket = socket
    this.#outbox = new Outbox(socket, pieces)
    const reached = () => {
      this.reached = true
    }
    socket.start({
      reached,
      open: () => {
        reached()
        this.#outbox.frame(0, PING)
        this.#outbox.flush()
      },
      received: () => {
        this.answered = true
      },
      closed: (reason) => {
        if (!this.reached) this.failure = `takes no connection: another one ${reason}`
        this.#outbox.close()
      },
    })
  }

  end(): void {
    this.#outbox.close()
    this.#socket.end()
  }
}
