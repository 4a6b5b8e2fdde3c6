/**
 * The types of configuration values: how a text is read, what is wanted when it cannot be, and what the type is called in docs/configuration.md.
 *
 * `parse` throws {@link Unfit}, whose text completes "…: … is wanted". It gets a text that is trimmed and not empty.
 */
import { durationMs } from '../core/duration.ts'
import { memoryBytes } from '../core/memory-size.ts'
import { splitEscaped, splitPair } from './lists.ts'

export interface OptionType<T> {
  /** As the docs call it. */
  readonly name:
    | 'duration'
    | 'memory size'
    | 'integer'
    | 'number'
    | 'boolean'
    | 'text'
    | 'enum'
    | 'list'
    | 'map'
    | 'ports'
  /** The words of an enum, or of a list of them. */
  readonly words?: readonly string[]
  parse(text: string): T
}

/** A text that is no value of a type; its message says what is wanted. */
export class Unfit extends Error {}

/** Milliseconds. */
export function duration({ atLeastMs = 0 }: { atLeastMs?: number } = {}): OptionType<number> {
  return {
    name: 'duration',
    parse(text) {
      let ms: number
      try {
        ms = durationMs(text)
      } catch (cause) {
        throw new Unfit('a duration such as "500 ms", "10s" or "5 min"', { cause })
      }
      if (!(ms >= atLeastMs)) throw new Unfit(`${atLeastMs} ms or more`)
      return ms
    },
  }
}

/** Bytes; `m` is MiB, as in Flink. `atLeast` is a size too. */
export function memorySize({ atLeast = '0' }: { atLeast?: string } = {}): OptionType<number> {
  const least = memoryBytes(atLeast)
  return {
    name: 'memory size',
    parse(text) {
      let bytes: number
      try {
        bytes = memoryBytes(text)
      } catch (cause) {
        throw new Unfit('a size such as "64mb" or "2g"', { cause })
      }
      if (bytes < least) throw new Unfit(`${atLeast} or more, such as "512m" or "2g",`)
      return bytes
    },
  }
}

/** A whole number. `infinite` lets "infinite" stand for any number. */
export function integer(limits: { atLeast: number; atMost?: number; infinite?: boolean }): OptionType<number> {
  const { atLeast, atMost = Number.MAX_SAFE_INTEGER, infinite = false } = limits
  const range = limits.atMost === undefined ? `of ${atLeast} or more` : `from ${atLeast} to ${atMost}`
  return {
    name: 'integer',
    parse(text) {
      if (infinite && /^infinite$/i.test(text)) return Number.POSITIVE_INFINITY
      const value = Number(text)
      if (!/^[+-]?\d+$/.test(text) || value < atLeast || value > atMost)
        throw new Unfit(`a whole number ${range}${infinite ? ', or "infinite",' : ''}`)
      return value
    },
  }
}

export function number({ from, to = Number.POSITIVE_INFINITY }: { from: number; to?: number }): OptionType<number> {
  return {
    name: 'number',
    parse(text) {
      const value = Number(text)
      if (!(value >= from && value <= to))
        throw new Unfit(to === Number.POSITIVE_INFINITY ? `${from} or more` : `a number from ${from} to ${to}`)
      return value
    },
  }
}

export const boolean: OptionType<boolean> = {
  name: 'boolean',
  parse(text) {
    if (/^true$/i.test(text)) return true
    if (/^false$/i.test(text)) return false
    throw new Unfit('true or false')
  },
}

/** Any text, or one of a form that `wanted` describes. */
export function text(form?: { like: RegExp; wanted: string }): OptionType<string> {
  return {
    name: 'text',
    parse(given) {
      if (form !== undefined && !form.like.test(given)) throw new Unfit(form.wanted)
      return given
    },
  }
}

/** One of some words, in any case; `-` and `_` are the same. `also` are other names of them. */
export function oneOf<const W extends string>(
  words: readonly W[],
  also: Readonly<Record<string, W>> = {},
): OptionType<W> {
  const plain = (word: string) => word.toLowerCase().replaceAll('_', '-')
  const named = new Map<string, W>(Object.entries(also).map(([name, word]) => [plain(name), word]))
  for (const word of words) named.set(plain(word), word)
  return {
    name: 'enum',
    words,
    parse(given) {
      const word = named.get(plain(given))
      if (word === undefined) throw new Unfit(`one of ${words.join(', ')}`)
      return word
    },
  }
}

/** A port, a range of ports, or several of them: `8081`, `8081-8099`, `9249,9260-9269`; 0 is any free one. */
export const ports: OptionType<string> = {
  name: 'ports',
  parse(given) {
    for (const part of given.split(',')) {
      const [, first, last = first] = /^\s*(\d{1,5})\s*(?:-\s*(\d{1,5})\s*)?$/.exec(part) ?? []
      if (first === undefined || Number(last) > 65_535 || Number(first) > Number(last))
        throw new Unfit('a port or a range of ports, such as "8081" or "8081-8099",')
    }
    return given
  },
}

/** Values that `;` separates; what holds one itself stands in quotes. */
export function list<T>(of: OptionType<T>): OptionType<T[]> {
  return {
    name: 'list',
    ...(of.words === undefined ? {} : { words: of.words }),
    parse: (given) => splitEscaped(given, ';').map((one) => of.parse(one)),
  }
}

/** `key:value` pairs that `,` separates; what holds one of them itself stands in quotes. */
export const map: OptionType<Record<string, string>> = {
  name: 'map',
  parse(given) {
    const pairs = splitEscaped(given, ',').map((pair) => {
      const split = splitPair(pair)
      if (split === undefined) throw new Unfit('pairs such as "key1:value1,key2:value2"')
      return split
    })
    return Object.fromEntries(pairs)
  },
}
