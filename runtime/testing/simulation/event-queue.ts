/** Events in the order of their time; those of one time in an order by chance. A binary heap. */
import type { Party } from './world.ts'

export interface SimulatedEvent {
  atMs: number
  /** Among events of one time. */
  order: number
  party: Party
  what: string | (() => string)
  callback: () => void
  /** It does not happen. */
  cancelled: boolean
}

export class EventQueue {
  readonly #heap: SimulatedEvent[] = []

  add(event: SimulatedEvent): void {
    this.#heap.push(event)
    this.#up(this.#heap.length - 1)
  }

  /** Takes the next one out; undefined: there is none. */
  next(): SimulatedEvent | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (first === undefined || heap.length === 0) return first
    heap[0] = last!
    this.#down(0)
    return first
  }

  #up(at: number): void {
    const heap = this.#heap
    for (let i = at; i > 0; ) {
      const above = (i - 1) >> 1
      if (!isBefore(heap[i]!, heap[above]!)) return
      swap(heap, i, above)
      i = above
    }
  }

  #down(at: number): void {
    const heap = this.#heap
    for (let i = at; ; ) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2])
        if (child < heap.length && isBefore(heap[child]!, heap[least]!)) least = child
      if (least === i) return
      swap(heap, i, least)
      i = least
    }
  }
}

function isBefore(a: SimulatedEvent, b: SimulatedEvent): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

function swap<T>(items: T[], i: number, j: number): void {
  const item = items[i]!
  items[i] = items[j]!
  items[j] = item
}
