/** Waiting that somebody else can end. */
import type { Schedule } from '../core/clock.ts'

export class Sleep {
  readonly #schedule: Schedule
  #wake: (() => void) | undefined
  #wasWoken = false

  constructor(schedule: Schedule) {
    this.#schedule = schedule
  }

  /** Resolves after so many milliseconds, or when it is woken: also if that was since the last sleep. */
  for(ms: number): Promise<void> {
    if (this.#wasWoken) {
      this.#wasWoken = false
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      const cancel = this.#schedule(ms, () => this.wake())
      this.#wake = () => {
        this.#wake = undefined
        cancel()
        resolve()
      }
    })
  }

  wake(): void {
    if (this.#wake === undefined) this.#wasWoken = true
    else this.#wake()
  }

  /** For whoever looks at everything anyway right after this. */
  forget(): void {
    this.#wasWoken = false
  }
}
