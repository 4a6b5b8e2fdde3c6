/**
 * A slot's thread in the process of a TaskManager, as the JobManager has it: what is said to it goes over the connection, with the thread's number; what it says comes from there.
 *
 * The pages of its metrics are here: values come now and then and are written into them, so that whoever reads metrics need not know where a slot runs.
 */
import { Exits, type Host, type HostExit } from '../rpc/host.ts'
import { fillPage } from '../rpc/messages/metrics.ts'
import type { ToSlotData } from '../rpc/messages/to-slot.ts'
import type { FromSlot, ToSlot } from '../rpc/slot-messages.ts'

export interface RemoteSlotOptions {
  send(message: ToSlotData): void
  /** Ends the thread at once. */
  end(): void
}

export class RemoteSlot implements Host<ToSlot, FromSlot> {
  readonly port: Host<ToSlot, FromSlot>['port']
  readonly #options: RemoteSlotOptions
  readonly #exits = new Exits()
  #handler: (message: FromSlot) => void = () => {}
  /** Of the attempt that it was deployed for last. */
  #page: SharedArrayBuffer | undefined

  constructor(options: RemoteSlotOptions) {
    this.#options = options
    this.port = {
      post: (message) => this.#post(message),
      onMessage: (handler) => {
        this.#handler = handler
      },
      close: () => {},
    }
  }

  onExit(handler: (exit: HostExit) => void): void {
    this.#exits.tell(handler)
  }

  terminate(): void {
    this.#options.end()
  }

  // --- what the TaskManager says of it

  received(message: FromSlot): void {
    this.#handler(message)
  }

  measured(values: Uint8Array): void {
    if (this.#page !== undefined) fillPage(this.#page, values)
  }

  ended(exit: HostExit): void {
    this.#exits.happen(exit)
  }

  #post(message: ToSlot): void {
    if (message.type !== 'deploy') {
      this.#options.send(message)
      return
    }
    const { page, ...deployment } = message.deployment
    this.#page = page
    this.#options.send({ type: 'deploy', deployment })
  }
}
