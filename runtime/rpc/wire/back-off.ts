/**
 * Growing pauses between tries, with jitter, so that many processes that lost one other do not come back at once.
 *
 * @example
 * const pause = backOff({ firstMs: 100, mostMs: 30_000, random })
 * pause() // 50 to 100
 * pause() // 100 to 200
 */
export function backOff({
  firstMs,
  mostMs,
  random,
}: {
  firstMs: number
  mostMs: number
  /** From 0 up to 1. */
  random: () => number
}): () => number {
  let nextMs = Math.min(firstMs, mostMs)
  return () => {
    const ms = nextMs
    nextMs = Math.min(mostMs, 2 * nextMs)
    return ms * (0.5 + 0.5 * random())
  }
}
