/**
 * TaskManager to JobManager, now and then: the values of its slots' metrics pages, and of its process. What a value is called was told by `metricNames` of the slot; a value stands at its
 * name's index.
 */
import { z } from 'zod'
import { oneWay } from '../wire/catalog.ts'
import { list } from './parts/list.ts'
import { anyNumber, bytes } from './parts/numbers.ts'
import { ofThread } from './parts/slot-ref.ts'

/** Doubles as they lie in memory, little-endian, from index 0. */
const doubles = bytes.refine((values) => values.length % 8 === 0, 'whole doubles are wanted')

export const metrics = oneWay('metrics', {
  /** When they were read, milliseconds since 1970. */
  timeMs: z.number(),
  pages: list(z.strictObject({ ...ofThread, values: doubles })),
  /** Of the process, by Flink's names: `Status.JVM.Memory.Heap.Used`. */
  process: z.record(z.string(), z.union([anyNumber, z.nan()])),
})

/** The first `count` values of a page, as they are now. */
export function pageValues(page: SharedArrayBuffer, count: number): Uint8Array {
  return new Uint8Array(page, 0, 8 * count).slice()
}

/** Writes values into a page, so that whoever reads pages need not know where the slot runs. What is longer than the page is left out. */
export function fillPage(page: SharedArrayBuffer, values: Uint8Array): void {
  const room = new Uint8Array(page)
  room.set(values.subarray(0, room.length))
}
