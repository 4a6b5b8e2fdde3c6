/**
 * TaskManager to JobManager: the first message after the hello. What it has, and what it still runs of a job that an earlier leader gave it, so that a new leader may adopt it.
 *
 * Refused: the connection is of no use to it until something changes; the code says what.
 */
import { z } from 'zod'
import { call } from '../wire/catalog.ts'
import { errorCodes } from '../wire/farewell.ts'
import { counts, list } from './parts/list.ts'
import { count, id } from './parts/numbers.ts'
import { slotInventory } from './parts/slot-inventory.ts'

export const registration = {
  /** Stays the same for a process that comes back under its name, such as a pod of a StatefulSet; the hello's instance does not. */
  taskManagerId: id,
  /** Where its slots take data, and where users find it. */
  host: z.string().min(1).max(255),
  slots: count.min(1).max(10_000),
  memory: z.strictObject({
    /** Of the whole process. */
    processBytes: count,
    /** Heap of each slot's thread. */
    slotHeapBytes: count,
    /** Buffers of each slot for its input, by the configuration of the TaskManager; a job may have others. */
    slotNetworkBytes: count,
  }),
  cpus: z.number().positive(),
  /** Of Tailrace, as in the hello; of Node. */
  version: z.string().max(256),
  nodeVersion: z.string().max(256),
  /** Milliseconds since 1970. */
  startedMs: z.number(),
  /** Of the slots that run something. */
  inventory: list(slotInventory),
  /** As whom it has written state that it has local copies of: names of files say by whom they are. */
  copies: list(z.strictObject({ jobId: id, epoch: count, writer: count })),
}

export const registered = z.discriminatedUnion('outcome', [
  z.strictObject({
    outcome: z.literal('registered'),
    /** Slots whose work is adopted; every other one is to end what it runs. */
    adopted: counts,
    /** No other registration with this leader has it: names files that the TaskManager writes. */
    number: count.min(1),
  }),
  z.strictObject({
    outcome: z.literal('refused'),
    code: errorCodes,
    message: z.string(),
    /** Whether to ask again later, milliseconds from now; absent: never. */
    retryMs: z.number().nonnegative().optional(),
  }),
])
export type Registered = z.output<typeof registered>

export const registerTaskManager = call('registerTaskManager', registration, registered)
export type RegisterTaskManager = z.output<typeof registerTaskManager.message>
