/**
 * The configuration of a StreamDeployment: flattened, held to what is known of its keys, and sorted by who reads it.
 *
 * A manifest nests keys or writes them flat, as numbers, booleans or texts; processes read texts by flat keys. What a key may be is known in runtime/config, and a mistake is told here, before a pod is made that could
 * only fail with it.
 */
import { knownKeys, lookUp } from '../../runtime/config/catalogue.ts'
import { joinEscaped, joinPairs } from '../../runtime/config/lists.ts'
import { namesOf, type Option } from '../../runtime/config/option.ts'
import { optionsNamed } from '../../runtime/config/options.ts'
import { shown } from '../../runtime/config/secrets.ts'
import { boolean, duration, type OptionType, Unfit } from '../../runtime/config/types.ts'
import { nearest } from '../../runtime/core/nearest.ts'
import { type Message, pathOf } from './messages.ts'

/** Prefixes of keys that the operator reads, and no process. */
export const OPERATOR_PREFIXES = ['kubernetes.operator.', 'tailrace.operator.']

interface OperatorSetting {
  type: OptionType<unknown>
  /** What holds when nobody says. */
  standard: string
  text: string
}

/** What may stand behind one of the prefixes; controllers read them (controllers/stream-deployment/settings.ts). */
export const OPERATOR_SETTINGS: Readonly<Record<string, OperatorSetting>> = {
  'job.upgrade.last-state-fallback.enabled': {
    type: boolean,
    standard: 'true',
    text: 'With `upgradeMode: savepoint`, a job that does not run is upgraded from its newest checkpoint instead of waited for.',
  },
  'job.upgrade.last-state.max.allowed.checkpoint.age': {
    type: duration(),
    standard: '',
    text: 'With `upgradeMode: last-state`, a savepoint is taken where the newest checkpoint is older.',
  },
  'job.savepoint-on-deletion': {
    type: boolean,
    standard: 'false',
    text: 'A deleted StreamDeployment ends with a savepoint.',
  },
  'job.drain-on-savepoint-deletion': {
    type: boolean,
    standard: 'false',
    text: 'That savepoint comes behind the end of all input: windows fire, and the job does not go on from it.',
  },
  'deletion.timeout': {
    type: duration(),
    standard: '1 min, with a savepoint 10 min',
    text: 'After so long a deleted StreamDeployment is let go, whatever its job does.',
  },
}

/** More is no configuration. */
const DEPTH_MAX = 32

/**
 * Flat keys with texts. A list becomes one text (`a;b`), and a map where a key has one (`k1:v1,k2:v2`).
 *
 * @example
 * flatten({ state: { 'checkpoints.dir': 's3://b/c' }, 'parallelism.default': 2 }, ['spec', 'configuration'], [])
 * // { 'state.checkpoints.dir': 's3://b/c', 'parallelism.default': '2' }
 */
export function flatten(given: unknown, at: readonly PropertyKey[], problems: Message[]): Record<string, string> {
  const out: Record<string, string> = {}
  const put = (key: string, value: string, path: readonly PropertyKey[]) => {
    if (key in out && out[key] !== value)
      problems.push({
        path: pathOf(path),
        text: `gives ${key} a second value; one is wanted, nested or flat`,
      })
    out[key] = value
  }
  const walk = (key: string, value: unknown, path: readonly PropertyKey[]): void => {
    if (value === null || value === undefined) return
    if (path.length > at.length + DEPTH_MAX) {
      problems.push({ path: pathOf(path), text: `lies more than ${DEPTH_MAX} levels deep` })
      return
    }
    if (Array.isArray(value)) {
      const texts = value.map((item) => (isMap(item) ? pairsText(item) : String(item)))
      put(key, joinEscaped(texts, ';'), path)
      return
    }
    if (!isMap(value)) {
      if (key === '') problems.push({ path: pathOf(path), text: 'must be keys with values' })
      else put(key, String(value), path)
      return
    }
    if (key !== '' && optionsNamed(key).some(({ type }) => type.name === 'map')) {
      put(key, pairsText(value), path)
      return
    }
    for (const [name, inner] of Object.entries(value))
      walk(key === '' ? name : `${key}.${name}`, inner, [...path, name])
  }
  walk('', given, at)
  return out
}

function pairsText(map: Record<string, unknown>): string {
  return joinPairs(Object.entries(map).map(([key, value]) => [key, String(value)] as const))
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * What is wrong with the values of flat keys, and what has no effect. Values with `${…}` are judged by the process, which has the environment.
 */
export function checkConfiguration(
  values: Readonly<Record<string, string>>,
  at: readonly PropertyKey[],
): { warnings: Message[]; problems: Message[] } {
  const warnings: Message[] = []
  const problems: Message[] = []
  const parse = (type: OptionType<unknown>, key: string, value: string) => {
    try {
      type.parse(value)
    } catch (error) {
      if (!(error instanceof Unfit)) throw error
      problems.push({
        path: pathOf([...at, key]),
        text: `cannot be "${shown(key, value)}": ${error.message} is wanted`,
      })
    }
  }
  for (const [key, given] of Object.entries(values)) {
    const path = pathOf([...at, key])
    const value = given.trim()
    const prefix = OPERATOR_PREFIXES.find((one) => key.startsWith(one))
    if (prefix !== undefined) {
      const setting = OPERATOR_SETTINGS[key.slice(prefix.length)]
      if (setting === undefined) warnings.push({ path, text: 'has no effect: the operator has no such setting' })
      else if (value !== '') parse(setting.type, key, value)
      continue
    }
    const known = lookUp(key)
    if (known === undefined) {
      const meant = nearest(key, knownKeys())
      warnings.push({ path, text: `is not known${meant === undefined ? '' : `: is ${meant} meant?`}` })
    } else if (known.kind === 'without effect') {
      if (known.entry.warn) warnings.push({ path, text: `has no effect: ${ended(known.entry.why)}` })
    } else if (value === '' || value.includes('${')) {
      // As if it were not there, or for the process to judge.
    } else if (known.kind === 'refused') {
      if (!known.refused.harmless.some((one) => one.toLowerCase() === value.toLowerCase()))
        problems.push({ path, text: `cannot be "${shown(key, value)}": ${known.refused.why}` })
    } else {
      for (const option of known.options)
        if (namesOf(option).includes(key) || option.fallback.includes(key)) parse(option.type, key, value)
    }
  }
  return { warnings, problems }
}

const ended = (text: string) => text.replace(/\.$/, '')

/**
 * Takes an option out of flat values, under whichever of its names it stands; of several the newest name holds.
 *
 * @example
 * take({ 'high-availability': 'kubernetes' }, AVAILABILITY.type) // { key: 'high-availability', text: 'kubernetes' }
 */
export function take(
  values: Record<string, string>,
  { key, older }: Pick<Option<unknown>, 'key' | 'older'>,
): { key: string; text: string } | undefined {
  const found = [key, ...older].flatMap((name) => {
    const text = values[name]?.trim()
    delete values[name]
    return text === undefined || text === '' ? [] : [{ key: name, text }]
  })
  return found[0]
}
