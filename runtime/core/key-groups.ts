/**
 * Key groups: the unit in which keyed state moves between subtasks [KG-01..KG-03]. A key's group is its hash modulo
 * maxParallelism; a subtask owns a contiguous range of groups.
 */

export interface KeyGroupRange {
  /** First group, inclusive. */
  start: number
  /** Last group, inclusive; start - 1 when the range is empty. */
  end: number
}

export const MAX_PARALLELISM_LIMIT = 32768
const MAX_PARALLELISM_DEFAULT_MIN = 128

/** Groups of subtask `index`. */
export function keyGroupRange(maxParallelism: number, parallelism: number, index: number): KeyGroupRange {
  return {
    start: Math.ceil((index * maxParallelism) / parallelism),
    end: Math.floor(((index + 1) * maxParallelism - 1) / parallelism),
  }
}

/** The subtask that owns a group. */
export function subtaskOfKeyGroup(maxParallelism: number, parallelism: number, keyGroup: number): number {
  return Math.floor((keyGroup * parallelism) / maxParallelism)
}

/** maxParallelism where none is set: 1.5 times the parallelism, rounded up to a power of two, at least 128, at most 32768. */
export function defaultMaxParallelism(parallelism: number): number {
  const wanted = parallelism + Math.floor(parallelism / 2)
  let power = 1
  while (power < wanted) power *= 2
  return Math.min(Math.max(power, MAX_PARALLELISM_DEFAULT_MIN), MAX_PARALLELISM_LIMIT)
}

/** Closed ranges; undefined when they do not meet. */
export function intersectRanges(a: KeyGroupRange, b: KeyGroupRange): KeyGroupRange | undefined {
  const start = Math.max(a.start, b.start)
  const end = Math.min(a.end, b.end)
  return start <= end ? { start, end } : undefined
}
