/**
 * An option: one setting with its key, the older keys that mean the same, its type, what holds when nobody sets it, and what it does.
 *
 * A setting is defined once, in options/; whoever reads it asks by that definition, so that no part has an idea of its own of a key's spelling or default.
 */
import { type ErrorCode, TailraceError } from '../core/errors.ts'
import { shown } from './secrets.ts'
import { type OptionType, Unfit } from './types.ts'

export interface Option<out T> {
  readonly key: string
  /** Other names of the same setting, the newest first. */
  readonly older: readonly string[]
  /** Other settings whose value holds when this one has none. */
  readonly fallback: readonly string[]
  readonly type: OptionType<unknown>
  /** What holds when nobody sets it, as one would write it. */
  readonly standard: string | undefined
  /** What holds when nobody sets it and there is no one text for it. */
  readonly unset: string | undefined
  /** What it does, for the docs: Markdown, a line. */
  readonly text: string
  /** Two of its names with different values are refused by whoever reads it. */
  readonly strict: boolean
  /** Of the value; only for the compiler. */
  readonly value?: T
}

interface Definition<T> {
  key: string
  older?: readonly string[]
  fallback?: readonly string[]
  type: OptionType<T>
  unset?: string
  text: string
  strict?: boolean
}

/**
 * @example
 * option({ key: 'slot.request.timeout', type: duration(), standard: '5 min', text: 'How long a job waits for slots.' })
 */
export function option<T>(definition: Definition<T> & { standard: string }): Option<T>
export function option<T>(definition: Definition<T>): Option<T | undefined>
export function option<T>(definition: Definition<T> & { standard?: string }): Option<T | undefined> {
  const { older = [], fallback = [], standard, unset, strict = false, ...rest } = definition
  return { ...rest, older, fallback, standard, unset, strict }
}

export interface Found {
  key: string
  text: string
}

/**
 * Reads options out of configuration values.
 *
 * @example
 * const read = new ConfigValues({ 'state.checkpoints.num-retained': '3' }, 'TR-CHECKPOINT-006')
 * read.get(CHECKPOINTING.retained) // 3
 */
export class ConfigValues {
  readonly #values: Readonly<Record<string, string>>
  readonly #code: ErrorCode

  /** `code` is that of errors. */
  constructor(values: Readonly<Record<string, string>>, code: ErrorCode) {
    this.#values = values
    this.#code = code
  }

  /** The first of the option's keys that is set. An empty text counts as not set. */
  find({ key, older, fallback }: Option<unknown>): Found | undefined {
    return this.#first([key]) ?? this.#first(older) ?? this.#first(fallback)
  }

  /** Throws an error with the reader's code that names the key as the user wrote it, its value, and what is wanted. */
  get<T>(option: Option<T>): T {
    const found = this.find(option)
    if (found === undefined)
      return (option.standard === undefined ? undefined : option.type.parse(option.standard)) as T
    try {
      return option.type.parse(found.text) as T
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      throw this.refusal(found, error.message, error.cause)
    }
  }

  /** The error for a value that cannot be used. */
  refusal({ key, text }: Found, wanted: string, cause?: unknown): TailraceError {
    return new TailraceError(this.#code, `Cannot use "${shown(key, text)}" for ${key}: ${wanted} is wanted`, { cause })
  }

  #first(keys: readonly string[]): Found | undefined {
    for (const key of keys) {
      const text = this.#values[key]?.trim()
      if (text !== undefined && text !== '') return { key, text }
    }
    return undefined
  }
}

/** All names of an option, the newest first. */
export function namesOf({ key, older }: Option<unknown>): string[] {
  return [key, ...older]
}
