/** A slot as an object in this thread: the same code as in a thread of its own, behind the same messages. */
import type { Clock } from '../core/clock.ts'
import type { SlotHost } from '../jobmanager/slot-pool.ts'
import type { HostExit } from '../rpc/host.ts'
import { portPair } from '../rpc/port.ts'
import type { FromSlot, ToSlot } from '../rpc/slot-messages.ts'
import { Slot, type SlotOptions } from '../taskmanager/slot.ts'

export function inlineSlot(buildGraph: SlotOptions['buildGraph'], clock: Clock): SlotHost {
  const [near, far] = portPair<ToSlot, FromSlot>()
  new Slot({ port: far, clock, buildGraph })
  const handlers: ((exit: HostExit) => void)[] = []
  const exit = (): void => {
    for (const handler of handlers.splice(0)) queueMicrotask(() => handler({ code: 0 }))
  }
  return {
    port: {
      post: (message) => {
        if (message.type === 'retire') exit()
        else near.post(message)
      },
      onMessage: (handler) => near.onMessage(handler),
      close: () => near.close(),
    },
    onExit: (handler) => void handlers.push(handler),
    terminate: () => {
      near.post({ type: 'cancel' })
      exit()
    },
  }
}
