/**
 * Runs at most `max` of the works that it is given at a time; the others wait in order. The bound of requests to a store: without one, a large snapshot would open a
 * socket or a file for every chunk at once.
 *
 * @example
 * const bound = bounded(8)
 * await Promise.all(chunks.map((chunk) => bound(() => store.put(chunk.key, chunk.bytes))))
 */
export function bounded(max: number): <T>(work: () => Promise<T>) => Promise<T> {
  if (!(max >= 1)) throw new RangeError(`Cannot run ${max} works at a time: wanted 1 or more`)
  let running = 0
  const waiting: (() => void)[] = []
  return async (work) => {
    if (running >= max) await new Promise<void>((resolve) => waiting.push(resolve))
    else running++
    try {
      return await work()
    } finally {
      // The place is handed on, so that nobody slips in between.
      const next = waiting.shift()
      if (next === undefined) running--
      else next()
    }
  }
}
