/** What the world outside sees, against what the oracle says, after each change and at the end. */
import type { World } from './world.ts'

export interface ResultsOptions {
  /** Every result once; else at least once. */
  exactly: boolean
  /** Results are `key=number`, and the sums of keys are what counts. */
  sums: boolean
  /** Results may be missing. */
  mayLack: boolean
}

export class Results {
  readonly #world: World
  readonly #exactly: boolean
  readonly #sums: boolean
  readonly #mayLack: boolean
  /** By result, or by key: how many are wanted and not there, or how much. */
  readonly #missing = new Map<string, number>()

  constructor(world: World, expected: readonly string[], { exactly, sums, mayLack }: ResultsOptions) {
    this.#world = world
    this.#exactly = exactly
    this.#sums = sums
    this.#mayLack = mayLack
    for (const [name, amount] of this.#amounts(expected))
      this.#missing.set(name, (this.#missing.get(name) ?? 0) + amount)
  }

  shown(values: readonly string[], by: string): void {
    for (const [name, amount] of this.#amounts(values)) {
      const missing = this.#missing.get(name)
      if (missing === undefined) this.#world.fail(`"${name}" is shown, which nobody expects (${by})`)
      else if (this.#exactly && missing < amount) this.#world.fail(`"${name}" is shown too often (${by})`)
      else this.#missing.set(name, missing - amount)
    }
  }

  checkEnd(): void {
    const lost = [...this.#missing].filter(([, missing]) => missing > 0)
    if (lost.length === 0 || this.#mayLack) return
    const few = lost.slice(0, 5).map(([name, missing]) => `"${name}" (${missing})`)
    this.#world.fail(`${lost.length} results are lost, such as ${few.join(', ')}`)
  }

  *#amounts(values: readonly string[]): Iterable<[string, number]> {
    for (const value of values) {
      if (!this.#sums) yield [value, 1]
      else {
        const at = value.lastIndexOf('=')
        yield [value.slice(0, at), Number(value.slice(at + 1))]
      }
    }
  }
}
