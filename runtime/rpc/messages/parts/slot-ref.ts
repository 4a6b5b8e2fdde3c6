/**
 * A thread of a slot. A slot gets a new thread for each job, while the one before it still writes out what it has: the number of the thread keeps their messages apart.
 */
import { z } from 'zod'
import { count } from './numbers.ts'

/** Fields of a message about one. */
export const ofThread = {
  /** Of the TaskManager's slots, from 0. */
  slot: count,
  /** Chosen by the JobManager; never used again by it for this slot. */
  thread: count,
}

export const threadRef = z.strictObject(ofThread)
export type ThreadRef = z.output<typeof threadRef>
