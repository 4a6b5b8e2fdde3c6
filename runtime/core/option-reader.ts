/**
 * Reads configuration values by key. A setting that was renamed is asked for by all of its keys, the newest first, and the first one that is set holds.
 *
 * What cannot be read throws an error with the reader's code that names the key as the user wrote it, its value, and what is wanted.
 */
import { durationMs } from './duration.ts'
import { type ErrorCode, TailraceError } from './errors.ts'

export interface Found {
  key: string
  text: string
}

/**
 * @example
 * const read = new OptionReader({ 'state.checkpoints.num-retained': '3' }, 'TR-CHECKPOINT-006')
 * read.integer(1, { atLeast: 1 }, 'execution.checkpointing.num-retained', 'state.checkpoints.num-retained') // 3
 */
export class OptionReader {
  readonly #options: Readonly<Record<string, string>>
  readonly #code: ErrorCode

  constructor(options: Readonly<Record<string, string>>, code: ErrorCode) {
    this.#options = options
    this.#code = code
  }

  /** The first of the keys that is set. An empty text counts as not set. */
  find(...keys: string[]): Found | undefined {
    for (const key of keys) {
      const text = this.#options[key]?.trim()
      if (text !== undefined && text !== '') return { key, text }
    }
    return undefined
  }

  text(...keys: string[]): string | undefined {
    return this.find(...keys)?.text
  }

  /** Milliseconds. */
  duration<F>(fallback: F, { atLeastMs }: { atLeastMs: number }, ...keys: string[]): number | F {
    const found = this.find(...keys)
    if (found === undefined) return fallback
    let ms: number
    try {
      ms = durationMs(found.text)
    } catch (cause) {
      throw this.refusal(found, 'a duration such as "500 ms", "10s" or "5 min"', cause)
    }
    if (!(ms >= atLeastMs)) throw this.refusal(found, `${atLeastMs} ms or more`)
    return ms
  }

  /** `infinite` stands for any number, if it is allowed. */
  integer(fallback: number, limits: { atLeast: number; infinite?: boolean }, ...keys: string[]): number {
    const found = this.find(...keys)
    if (found === undefined) return fallback
    const { atLeast, infinite = false } = limits
    if (infinite && /^infinite$/i.test(found.text)) return Number.POSITIVE_INFINITY
    const value = Number(found.text)
    if (!/^[+-]?\d+$/.test(found.text) || value < atLeast)
      throw this.refusal(found, `a whole number of ${atLeast} or more${infinite ? ', or "infinite"' : ''}`)
    return value
  }

  number(fallback: number, { from, to }: { from: number; to: number }, ...keys: string[]): number {
    const found = this.find(...keys)
    if (found === undefined) return fallback
    const value = Number(found.text)
    if (!(value >= from && value <= to))
      throw this.refusal(found, to === Number.POSITIVE_INFINITY ? `${from} or more` : `a number from ${from} to ${to}`)
    return value
  }

  boolean(fallback: boolean, ...keys: string[]): boolean {
    const found = this.find(...keys)
    if (found === undefined) return fallback
    if (/^true$/i.test(found.text)) return true
    if (/^false$/i.test(found.text)) return false
    throw this.refusal(found, 'true or false')
  }

  /** One of some words, in any case. */
  word<W extends string>(fallback: W, words: readonly W[], ...keys: string[]): W {
    const found = this.find(...keys)
    if (found === undefined) return fallback
    const word = words.find((one) => one.toLowerCase() === found.text.toLowerCase())
    if (word === undefined) throw this.refusal(found, `one of ${words.join(', ')}`)
    return word
  }

  /** The error for a value that cannot be used. */
  refusal({ key, text }: Found, wanted: string, cause?: unknown): TailraceError {
    return new TailraceError(this.#code, `Cannot use "${text}" for ${key}: ${wanted} is wanted`, { cause })
  }
}
