/** Asks the host of the slot for bytes of the store, and matches the answers. */

import type { StateHandle } from '../checkpoint/model.ts'
import { type ErrorData, errorFromData } from '../core/errors.ts'
import type { FromSlotThread } from '../rpc/slot-messages.ts'

export class StateReads {
  readonly #post: (message: FromSlotThread) => void
  readonly #open = new Map<number, { resolve(bytes: Uint8Array): void; reject(error: Error): void }>()
  #next = 0

  constructor(post: (message: FromSlotThread) => void) {
    this.#post = post
  }

  read(handle: StateHandle): Promise<Uint8Array> {
    if ('bytes' in handle) return Promise.resolve(handle.bytes)
    const request = this.#next++
    return new Promise((resolve, reject) => {
      this.#open.set(request, { resolve, reject })
      this.#post({ type: 'readState', request, ...handle })
    })
  }

  answered(request: number, bytes: Uint8Array | undefined, error: ErrorData | undefined): void {
    const waiting = this.#open.get(request)
    this.#open.delete(request)
    if (bytes !== undefined) waiting?.resolve(bytes)
    else waiting?.reject(error === undefined ? new Error('the state could not be read') : errorFromData(error))
  }
}
