/** A slot as an object in this thread: the same code as in a thread of its own, behind the same messages. */
import type { Clock } from '../core/clock.ts'
import { Exits } from '../rpc/host.ts'
import { portPair } from '../rpc/port.ts'
import type { FromSlotThread, SlotThreadHost, ToSlotThread } from '../rpc/slot-messages.ts'
import { Slot, type SlotOptions } from '../taskmanager/slot.ts'

export function inlineSlot(buildGraph: SlotOptions['buildGraph'], clock: Clock): SlotThreadHost {
  const [near, far] = portPair<ToSlotThread, FromSlotThread>()
  new Slot({ port: far, clock, buildGraph })
  const exits = new Exits()
  return {
    port: {
      post: (message) => {
        if (message.type === 'retire') exits.happen({ code: 0 })
        else near.post(message)
      },
      onMessage: (handler) => near.onMessage(handler),
      close: () => near.close(),
    },
    onExit: (handler) => exits.tell(handler),
    terminate: () => {
      near.post({ type: 'cancel' })
      exits.happen({ code: 0 })
    },
  }
}
