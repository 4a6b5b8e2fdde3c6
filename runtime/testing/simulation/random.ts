/**
 * Randomness that follows from a number: the same seed gives the same run on every machine.
 *
 * @example
 * const random = new Random(17)
 * random.pick(['a', 'b']) // always the same
 */
export class Random {
  #state: number

  constructor(seed: number) {
    this.#state = seed | 0
    // Neighbouring seeds begin alike otherwise.
    for (let i = 0; i < 4; i++) this.next()
  }

  /** From 0 up to 1 (mulberry32). */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** A whole number from 0 up to `bound`. */
  below(bound: number): number {
    return Math.floor(this.next() * bound)
  }
  /** A number of this range. */
  between(from: number, to: number): number {
    return from + this.next() * (to - from)
  }
  /** A whole number of this range, both ends included. */
  whole(from: number, to: number): number {
    return from + this.below(to - from + 1)
  }
  chance(probability: number): boolean {
    return this.next() < probability
  }
  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!
  }
  /** A stream of its own, so that what is drawn here does not move what is drawn there. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 32))
  }
  /** `digits` hex digits. */
  hex(digits: number): string {
    let text = ''
    for (let i = 0; i < digits; i++) text += this.below(16).toString(16)
    return text
  }
}
