/**
 * Which transactional batches of a fetch belong to aborted transactions (isolation level read_committed).
 *
 * Algorithm: a fetch lists the aborted transactions that reach into it, by producer and first offset. Going through the batches in order, a producer is aborting from
 * the first offset of such a transaction on, until its abort marker comes; its batches meanwhile are not to be seen. One producer may have several transactions in a fetch, and a fetch may
 * begin inside of several. A batch has one producer, so whole batches are decided upon.
 *
 * Source: KIP-98, "Exactly once delivery and transactional messaging", the consumer's side.
 */

export interface AbortedTransaction {
  producerId: bigint
  firstOffset: number
}

export class AbortedTransactions {
  readonly #inOrder: AbortedTransaction[]
  #next = 0
  readonly #aborting = new Set<bigint>()

  /** @param listed as the broker gave them, in no order that counts */
  constructor(listed: readonly AbortedTransaction[]) {
    this.#inOrder = listed.toSorted((a, b) => a.firstOffset - b.firstOffset)
  }

  /** Batches up to this offset come. */
  reach(lastOffset: number): void {
    for (; this.#next < this.#inOrder.length; this.#next++) {
      const { producerId, firstOffset } = this.#inOrder[this.#next]!
      if (firstOffset > lastOffset) return
      this.#aborting.add(producerId)
    }
  }

  /** After {@link reach} with the batch's last offset. */
  hides(producerId: bigint): boolean {
    return this.#aborting.has(producerId)
  }

  abortMarker(producerId: bigint): void {
    this.#aborting.delete(producerId)
  }
}
