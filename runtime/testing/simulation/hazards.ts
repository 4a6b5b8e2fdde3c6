/** Faults that wait in user code until somebody comes by. */
import type { World } from './world.ts'

export class Hazards {
  readonly #world: World
  #throws = 0

  constructor(world: World) {
    this.#world = world
  }

  /** The next function that is called throws. */
  throwNext(): void {
    this.#throws++
  }

  /** Called by user functions with each record. */
  pass(name: string): void {
    if (this.#throws === 0) return
    this.#throws--
    this.#world.note('user code', `${name} throws`)
    throw new Error(`a planned error in ${name}`)
  }
}
