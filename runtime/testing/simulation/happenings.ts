/** Moments of a run that faults wait for: a fault right then finds what one at any time seldom meets. */

export class Happenings {
  readonly #counts = new Map<string, number>()
  readonly #waiting = new Map<string, { nth: number; callback: () => void }[]>()

  /** It happens, once more. */
  tell(name: string): void {
    const count = (this.#counts.get(name) ?? 0) + 1
    this.#counts.set(name, count)
    const waiting = this.#waiting.get(name)
    if (waiting === undefined) return
    for (const { nth, callback } of [...waiting]) if (nth === count) callback()
  }

  /** Calls back when it happens for the nth time, inside of what makes it happen. */
  wait(name: string, nth: number, callback: () => void): void {
    const waiting = this.#waiting.get(name)
    if (waiting === undefined) this.#waiting.set(name, [{ nth, callback }])
    else waiting.push({ nth, callback })
  }
}
