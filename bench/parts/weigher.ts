/** A receiver that reads every number of a record and keeps it for a while, so that nothing of the decoding can be left out. */
export class Weigher {
  count = 0
  weight = 0
  readonly #weigh: (record: any) => number
  readonly #kept: unknown[] = new Array(64)

  constructor(weigh: (record: any) => number) {
    this.#weigh = weigh
  }

  process(record: any): void {
    this.weight += this.#weigh(record)
    this.#kept[this.count++ & 63] = record
  }
}
