/**
 * Proof, before anything is entrusted to it, that a store keeps conditional writes: all fencing stands on them, and there are stores that take the condition and ignore it.
 */
import { TailraceError } from '../core/errors.ts'
import type { ObjectStore } from './object-store.ts'

const FIRST = new TextEncoder().encode('first')
const SECOND = new TextEncoder().encode('second')

/** Creates one object twice and looks which it was. `key` is used by nobody else. Throws TR-CHECKPOINT-005. */
export async function proveStore(store: ObjectStore, key: string): Promise<void> {
  const first = await store.putIfAbsent(key, FIRST)
  const second = await store.putIfAbsent(key, SECOND)
  const found = await store.get(key)
  const problem = judgeProof({ first, second, found })
  if (problem !== undefined)
    throw new TailraceError(
      'TR-CHECKPOINT-005',
      `Cannot use "${store.url}" for checkpoints: ${problem} (key "${key}"); wanted: a store that creates an object only if it is not there (If-None-Match: *), and shows what was written at once`,
    )
  await store.delete([key])
}

/** What is wrong with the answers, if anything. `first` may be false when its answer was lost and the store tried again. */
export function judgeProof(facts: {
  first: boolean
  second: boolean
  found: Uint8Array | undefined
}): string | undefined {
  if (facts.second) return 'it created an object although it was there'
  if (facts.found === undefined) return 'it does not show an object that it has just written'
  const found = new TextDecoder().decode(facts.found)
  if (found === 'second') return 'it wrote over an object although it said that it would not'
  if (found !== 'first') return `it gave back other bytes than were written (${facts.found.length} bytes)`
  return undefined
}
