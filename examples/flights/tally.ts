/**
 * Passes records on and counts them, or sums something of them, in an accumulator: `execute` resolves with its total over all subtasks.
 */
import type { Counter, RuntimeContext } from 'tailrace'

export class Tally<T> {
  readonly #name: string
  readonly #amount: (value: T) => number
  #total!: Counter

  constructor(name: string, amount: (value: T) => number = () => 1) {
    this.#name = name
    this.#amount = amount
  }

  open(context: RuntimeContext): void {
    this.#total = context.accumulator(this.#name)
  }
  map(value: T): T {
    this.#total.inc(this.#amount(value))
    return value
  }
}
