/** One end of an ordered, reliable way for messages: a MessagePort between threads, a pair of queues in one thread. */
export interface Port<Out, In> {
  /** `transfer`: buffers that move to the other end and are gone here. Within a thread they are passed as they are. */
  post(message: Out, transfer?: ArrayBuffer[]): void
  /** One handler; messages before it is set are kept. */
  onMessage(handler: (message: In) => void): void
  close(): void
}

/**
 * Two ends in one thread. Messages arrive in order, each on a microtask of its own turn, never inside `post`.
 *
 * @example
 * const [a, b] = portPair<string, number>()
 * b.onMessage((text) => b.post(text.length))
 */
export function portPair<A, B>(): [Port<A, B>, Port<B, A>] {
  const a = new QueuePort<A, B>()
  const b = new QueuePort<B, A>()
  a.peer = b
  b.peer = a
  return [a, b]
}

class QueuePort<Out, In> implements Port<Out, In> {
  peer!: QueuePort<In, Out>
  #handler: ((message: In) => void) | undefined
  #queue: In[] = []
  #scheduled = false
  #closed = false

  post(message: Out): void {
    this.peer.#receive(message)
  }
  onMessage(handler: (message: In) => void): void {
    this.#handler = handler
    this.#schedule()
  }
  close(): void {
    this.#closed = true
    this.#queue = []
  }
  #receive(message: In): void {
    if (this.#closed) return
    this.#queue.push(message)
    this.#schedule()
  }
  #schedule(): void {
    if (this.#scheduled || this.#handler === undefined || this.#queue.length === 0) return
    this.#scheduled = true
    queueMicrotask(() => {
      this.#scheduled = false
      const batch = this.#queue
      this.#queue = []
      for (const message of batch) if (!this.#closed) this.#handler!(message)
    })
  }
}
