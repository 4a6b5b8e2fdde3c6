/** The text that someone may have meant. */

/**
 * The candidate with the fewest changed letters; undefined when none is like the text (more than a third of its letters would change).
 *
 * @example
 * nearest('parallelism.defualt', ['parallelism.default', 'pipeline.name']) // 'parallelism.default'
 */
export function nearest(text: string, candidates: Iterable<string>): string | undefined {
  let best: string | undefined
  let bestChanges = Math.max(2, Math.floor(text.length / 3)) + 1
  for (const candidate of candidates) {
    if (Math.abs(candidate.length - text.length) >= bestChanges) continue
    const changes = changesBetween(text.toLowerCase(), candidate.toLowerCase())
    if (changes >= bestChanges || changes >= Math.max(text.length, candidate.length)) continue
    best = candidate
    bestChanges = changes
  }
  return best
}

/** Letters put in, left out, replaced, or swapped with the next: the fewest that make `b` of `a`. */
function changesBetween(a: string, b: string): number {
  let before: number[] = []
  let last = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1]
      row[j] = Math.min(row[j - 1]! + 1, last[j]! + 1, last[j - 1]! + (same ? 0 : 1))
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      if (swapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1)
    }
    before = last
    last = row
  }
  return last[b.length]!
}
