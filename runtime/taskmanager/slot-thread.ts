/**
 * Entry of a slot's worker thread: a slot whose port is the parent thread.
 */
import { setFlagsFromString } from 'node:v8'
import { parentPort, workerData } from 'node:worker_threads'
import type { Port } from '../rpc/port.ts'
import type { FromSlotThread, ToSlotThread } from '../rpc/slot-messages.ts'
import { Slot } from './slot.ts'
import type { DataPortSettings } from './slot-data.ts'

/** What the thread is started with. */
export interface SlotThreadData {
  /** Where it takes data of slots in other processes; absent where there are none. */
  data?: DataPortSettings
}

// A chain is one compilation unit from the decoder to the next exchange; V8's budget for inlining (920) ends in the middle of one with a window
// in it, at another place in each run: 131 ns per record with this budget, 136 to 170 without (tumble10k).
setFlagsFromString('--max-inlined-bytecode-size-cumulative=2000')

// Frames of the operator that called a user function must survive a deep user stack.
Error.stackTraceLimit = 40

const port: Port<FromSlotThread, ToSlotThread> = {
  post: (message, transfer) => parentPort!.postMessage(message, transfer),
  onMessage: (handler) => {
    parentPort!.on('message', (message: ToSlotThread) => {
      if (message.type === 'retire') retire()
      else handler(message)
    })
  },
  close: () => parentPort!.close(),
}

const { data } = (workerData ?? {}) as SlotThreadData

void begin()

async function begin(): Promise<void> {
  // Loaded where there are other processes.
  const slotData = data === undefined ? undefined : await (await import('./slot-data.ts')).openSlotData(data)
  new Slot({
    port,
    ownThread: true,
    ...(slotData === undefined ? {} : { data: slotData }),
    // Loaded with the first deployment: an idle slot stays small.
    buildGraph: async (program, replay) => (await import('../program/load.ts')).buildGraph(program, replay),
  })
}

/** Ends the thread when the main thread has what was printed here. */
function retire(): void {
  process.stdout.write('', () => process.stderr.write('', () => process.exit(0)))
}
