/** Pushes events into the head of a chain; loaded as a copy per chain, as a source's operator is. */
import type { Receiver } from '../../runtime/operators/operator.ts'

const PAYLOADS = ['first', 'second', 'third', 'fourth']

export class Driver {
  readonly #head: Receiver
  #next = 0

  constructor(head: Receiver) {
    this.#head = head
  }

  push(n: number): void {
    const head = this.#head
    let i = this.#next
    for (let k = 0; k < n; k++, i++)
      head.process({ ts: i, key: i & 8191, value: i & 1023, payload: PAYLOADS[i & 3] }, i)
    this.#next = i
  }
}
