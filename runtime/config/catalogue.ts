/**
 * All that is known of configuration keys: the options that do something (options.ts), those without effect, and those that are refused.
 */

import type { Option } from './option.ts'
import { OPTIONS, optionKeys, optionsNamed } from './options.ts'
import { REFUSED, type Refused } from './refused.ts'
import { WITHOUT_EFFECT, type WithoutEffect } from './without-effect.ts'

/** What a key is. */
export type Known =
  /** One old key may stand for several options. */
  | { kind: 'option'; options: readonly Option<unknown>[] }
  | { kind: 'refused'; refused: Refused }
  | { kind: 'without effect'; entry: WithoutEffect }

const PATTERNS = WITHOUT_EFFECT.flatMap((entry) => entry.keys.map((key) => ({ entry, like: patternOf(key) })))

/**
 * undefined: nobody knows it.
 *
 * @example
 * lookUp('state.checkpoints.dir') // { kind: 'option', options: [CHECKPOINTING.directory] }
 */
export function lookUp(key: string): Known | undefined {
  const options = optionsNamed(key)
  if (options.length > 0) return { kind: 'option', options }
  if (Object.hasOwn(REFUSED, key)) return { kind: 'refused', refused: REFUSED[key]! }
  const [prefix] = mapOptions.filter((option) => key.startsWith(`${option.key}.`))
  if (prefix !== undefined) return { kind: 'option', options: [prefix] }
  const found = PATTERNS.find(({ like }) => like.test(key))
  return found === undefined ? undefined : { kind: 'without effect', entry: found.entry }
}

/** Options whose value is a map: `key.name: value` sets one of it. */
const mapOptions = OPTIONS.filter(({ type }) => type.name === 'map')

/** Keys that one may have meant. */
export function knownKeys(): string[] {
  const plain = WITHOUT_EFFECT.flatMap(({ keys }) => keys).filter((key) => !/[*<]/.test(key))
  return [...optionKeys(), ...Object.keys(REFUSED), ...plain]
}

function patternOf(key: string): RegExp {
  const source = key
    .replace(/[.+]/g, '\\$&')
    .replace(/<[^>]+>/g, '[^.]+')
    .replace(/\*$/, '.+')
  return new RegExp(`^${source}$`)
}
