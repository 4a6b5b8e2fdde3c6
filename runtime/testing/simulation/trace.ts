/** The last events of a run, kept as they were and put into words only when somebody wants to read them. */

export interface TraceLine {
  atMs: number
  party: string
  /** What happened: a text, or who can say it. */
  what: string | (() => string)
}

export class Trace {
  readonly #lines: TraceLine[] = []
  readonly #max: number
  readonly #follow: ((line: string) => void) | undefined
  count = 0

  /** @param follow gets every line at once, in words */
  constructor(max: number, follow?: (line: string) => void) {
    this.#max = max
    this.#follow = follow
  }

  add(atMs: number, party: string, what: TraceLine['what']): void {
    const line = { atMs, party, what }
    this.#lines[this.count++ % this.#max] = line
    this.#follow?.(inWords(line))
  }

  /** The oldest first. */
  last(): string[] {
    const from = Math.max(0, this.count - this.#max)
    return Array.from({ length: this.count - from }, (_, i) => inWords(this.#lines[(from + i) % this.#max]!))
  }
}

function inWords({ atMs, party, what }: TraceLine): string {
  return `${atMs.toFixed(3).padStart(11)}  ${party.padEnd(14)} ${typeof what === 'string' ? what : what()}`
}
