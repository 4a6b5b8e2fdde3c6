/**
 * Timers of one task by its processing-time clock: a binary heap, the earliest first, equal times in the order of registration.
 * They run on the task's turn, never inside a record.
 */
interface Timer {
  timeMs: number
  handle: number
  callback: (timeMs: number) => void
}

export class TaskTimers {
  #heap: Timer[] = []
  #cancelled = new Set<number>()
  #nextHandle = 1

  register(timeMs: number, callback: (timeMs: number) => void): number {
    const handle = this.#nextHandle++
    const heap = this.#heap
    let i = heap.push({ timeMs, handle, callback }) - 1
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(heap[i]!, heap[parent]!)) break
      ;[heap[i], heap[parent]] = [heap[parent]!, heap[i]!]
      i = parent
    }
    return handle
  }

  cancel(handle: number): void {
    if (this.#heap.some((t) => t.handle === handle)) this.#cancelled.add(handle)
  }

  /** Time of the earliest timer; undefined when there is none. */
  get nextMs(): number | undefined {
    while (this.#heap.length > 0 && this.#cancelled.delete(this.#heap[0]!.handle)) this.#pop()
    return this.#heap[0]?.timeMs
  }

  /** Runs the timers that are due. One that a callback registers for a time that is over runs in the same call. True when any ran. */
  run(nowMs: number): boolean {
    let ran = false
    for (let next = this.nextMs; next !== undefined && next <= nowMs; next = this.nextMs) {
      const timer = this.#pop()
      timer.callback(timer.timeMs)
      ran = true
    }
    return ran
  }

  #pop(): Timer {
    const heap = this.#heap
    const top = heap[0]!
    const last = heap.pop()!
    if (heap.length > 0) {
      heap[0] = last
      for (let i = 0; ; ) {
        const left = 2 * i + 1
        if (left >= heap.length) break
        const child = left + 1 < heap.length && before(heap[left + 1]!, heap[left]!) ? left + 1 : left
        if (!before(heap[child]!, heap[i]!)) break
        ;[heap[i], heap[child]] = [heap[child]!, heap[i]!]
        i = child
      }
    }
    return top
  }
}

function before(a: Timer, b: Timer): boolean {
  return a.timeMs < b.timeMs || (a.timeMs === b.timeMs && a.handle < b.handle)
}
